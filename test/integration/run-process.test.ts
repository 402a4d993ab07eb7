/** PITFALLS "Host safety" and "Process model": exit codes, streams, signals, deaths, and what stays of all that. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, installProbe, run, waitFor, type CommandResult, type Sandbox } from "../support/index.ts";

let sandbox: Sandbox;
let rootfs = "";
beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
  await installProbe(rootfs);
});
afterAll(() => sandbox[Symbol.asyncDispose]());

const base = (): string[] => ["run", "--rm", "--network", "none", "--rootfs", rootfs];
const inside = (command: string[], flags: string[] = [], input?: string): Promise<CommandResult> =>
  sandbox.sampan([...base(), ...flags, ...command], input === undefined ? {} : { input });

/** The processes of a sandbox are those whose environment names its state directory, and what they run. */
function processesOf(pattern: RegExp): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      return pattern.test(readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " "));
    } catch {
      return false; // it ended while we looked
    }
  }).map(Number);
}

function cgroupsOf(id: string): string[] {
  return readdirSync("/sys/fs/cgroup").flatMap((name) => [`/sys/fs/cgroup/${name}/sampan/${id}`, `/sys/fs/cgroup/sampan/${id}`]).filter((path) => existsSync(path));
}

describe("exit codes as Docker's", () => {
  test.each<[string[], number]>([
    [["true"], 0],
    [["sh", "-c", "exit 3"], 3],
    [["sh", "-c", "exit 255"], 255],
    [["nosuch"], 127],
    [["/nosuch/program"], 127],
    [["/etc/passwd"], 126],
    [["/tmp"], 126],
    [["/bin/sh/x"], 127],
    [["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137],
  ])("%j ends with %d", async (command, code) => expect((await inside(command)).exitCode).toBe(code));

  test("128 + n for each signal that PID 1 dies of", async () => {
    // PID 1 takes no signal from its own namespace that it has no handler for (pid_namespaces(7)), so init's child gets it.
    for (const signal of [1, 2, 6, 9, 11, 15]) expect((await inside(["/probe", "sig", String(signal)], ["--init"])).exitCode).toBe(128 + signal);
  });

  test("a program that cannot be executed is named, with a command to look further that is true", async () => {
    const { stderr } = await inside(["nosuch"]);
    expect(stderr).toContain('"nosuch"');
    const hint = /sampan (run .*)$/m.exec(stderr)?.[1] ?? "";
    expect((await sandbox.sampan(["run", "--network", "none", ...hint.split(" ").slice(1)])).stdout).toContain("busybox");
  });
});

describe("streams", () => {
  test("stdout and stderr stay apart, whole, and bytes stay bytes", async () => {
    const result = await inside(["sh", "-c", "echo out; echo err >&2"]);
    expect([result.stdout, result.stderr]).toEqual(["out\n", "err\n"]);
    const big = await inside(["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"]);
    expect(big.stdout).toHaveLength(3_000_000);
  });

  test("-i gives stdin and its end; without it there is none", async () => {
    expect((await inside(["wc", "-c"], ["-i"], "x".repeat(1_000_000))).stdout.trim()).toBe("1000000");
    expect((await inside(["wc", "-c"], [], "lost")).stdout.trim()).toBe("0");
  });

  test("a reader that leaves early does not hang the container's end", async () => {
    const { exitCode, stdout } = await run(["sh", "-c", `"$0" run --rm --network none --rootfs "$1" sh -c 'yes | head -c 5000000' | head -1`, join(import.meta.dirname, "../../dist/sampan"), rootfs], { env: sandbox.env, timeoutMs: 15_000 });
    expect([exitCode, stdout]).toEqual([0, "y\n"]);
  });

  test("when nobody reads any more, who waits for an endless program ends as by SIGPIPE; the container goes on", async () => {
    const line = (command: string): string[] => ["bash", "-c", `"$0" ${command} | head -1; echo "\${PIPESTATUS[0]}"`, join(import.meta.dirname, "../../dist/sampan"), rootfs];
    for (const tty of ["", "-t"]) {
      const { stdout } = await run(line(`run --rm ${tty} --name endless --network none --rootfs "$1" yes`), { env: sandbox.env, timeoutMs: 15_000 });
      expect(stdout.replaceAll("\r", "")).toBe("y\n141\n");
      expect((await sandbox.ok(["ps", "--filter", "name=endless", "--format", "{{.Names}} {{.State}}"])).trim()).toBe("endless running");
      expect((await run(line("attach --no-stdin endless"), { env: sandbox.env, timeoutMs: 15_000 })).stdout.replaceAll("\r", "")).toBe("y\n141\n");
      expect((await run(line("exec -u 5 endless yes"), { env: sandbox.env, timeoutMs: 15_000 })).stdout).toBe("y\n141\n");
      await sandbox.ok(["rm", "-f", "endless"]);
    }
  });

  test("-a stdout leaves stderr out", async () => {
    const result = await inside(["sh", "-c", "echo out; echo err >&2"], ["-a", "stdout"]);
    expect([result.stdout, result.stderr]).toEqual(["out\n", ""]);
  });
});

describe("signals", () => {
  test("TERM, INT, HUP, USR1 reach the program; its exit code comes back", async () => {
    const child = sandbox.start([...base(), "/probe", "trap", "20"]);
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => { output += chunk.toString(); });
    const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
    await waitFor("the program to listen", () => output.includes("ready"));
    for (const [signal, shown] of [["SIGTERM", "SIGTERM"], ["SIGINT", "SIGINT"], ["SIGHUP", "SIGHUP"], ["SIGUSR1", "SIGUSR1"], ["SIGWINCH", ""]] as const) {
      child.kill(signal);
      if (shown !== "") await waitFor(`${shown} inside`, () => output.includes(shown));
    }
    child.kill("SIGUSR2");
    expect(await exit).toBe(0);
  });

  test("--sig-proxy=false keeps them", async () => {
    const child = sandbox.start([...base(), "--name", "kept", "--sig-proxy=false", "/probe", "trap", "20"]);
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => { output += chunk.toString(); });
    await waitFor("the program to listen", () => output.includes("ready"));
    const exit = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await exit;
    expect(await sandbox.ok(["ps", "--format", "{{.Names}}"])).toBe("kept");
    await sandbox.ok(["rm", "-f", "kept"]);
    expect(output).not.toContain("SIGTERM");
  });

  test("the program itself dies of TERM when it does not handle it", async () => {
    const child = sandbox.start([...base(), "--init", "sleep", "30"]);
    const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
    await waitFor("the container to run", async () => (await sandbox.ok(["ps", "-q"])) !== "");
    await Bun.sleep(100);
    child.kill("SIGTERM");
    expect(await exit).toBe(143);
  });
});

describe("deaths", () => {
  test("the CLI is killed: the container goes on, then is cleaned up without it", async () => {
    const cidfile = join(sandbox.dir, "cid-cli");
    const child = sandbox.start([...base(), "--cidfile", cidfile, "sh", "-c", "echo up; sleep 2.125"]);
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => { output += chunk.toString(); });
    await waitFor("the container to run", () => output.includes("up"));
    const id = readFileSync(cidfile, "utf8");
    child.kill("SIGKILL");
    await Bun.sleep(300);
    expect(processesOf(/^sleep 2\.125/)).toHaveLength(1);
    await waitFor("everything to be gone", () => processesOf(/^sleep 2\.125/).length === 0 && cgroupsOf(id).length === 0 && !existsSync(join(sandbox.root, "containers", id)) && !existsSync(join(sandbox.state, "containers", id)));
    expect(await sandbox.ok(["ps", "-aq"])).toBe("");
  });

  test("the monitor is killed: so is the container, ps tells the truth, and all of it can be removed", async () => {
    const cidfile = join(sandbox.dir, "cid-monitor");
    const id = await sandbox.ok(["run", "-d", "--name", "orphan", "--network", "none", "--cidfile", cidfile, "--rootfs", rootfs, "sleep", "77.125"]);
    const monitor = Number(/^(\d+)/.exec(readFileSync(join(sandbox.state, "containers", id, "monitor"), "utf8"))?.[1]);
    process.kill(monitor, "SIGKILL");
    await waitFor("the program to die with it", () => processesOf(/^sleep 77\.125/).length === 0);
    // A process that is about to exit has no command line any more, and is none the less there for a moment.
    await waitFor("ps to tell the truth", async () => (await sandbox.ok(["ps", "-a", "--format", "{{.Names}} {{.State}} {{.Status}}"])).startsWith("orphan exited Exited (137)"), 3_000);
    await sandbox.ok(["rm", "orphan"]);
    expect(cgroupsOf(id)).toEqual([]);
    expect(existsSync(join(sandbox.root, "containers", id))).toBe(false);
  });

  test("whoever the program leaves behind goes with it", async () => {
    await inside(["sh", "-c", "setsid sleep 99.25 & (setsid sleep 99.25 &); sleep 0.2"]);
    expect(processesOf(/^sleep 99\.25/)).toEqual([]);
  });
});

describe("host safety", () => {
  test("the host's mount table is byte-identical before, during and after", async () => {
    // In a mount namespace of its own, because others may mount on this machine meanwhile.
    const script = `
      before=$(cat /proc/self/mountinfo)
      "$0" run -d --name during --network none --rootfs "$1" -v /tmp:/t --tmpfs /u sleep 30 >/dev/null || exit 1
      during=$(cat /proc/self/mountinfo)
      "$0" rm -f during >/dev/null || exit 2
      after=$(cat /proc/self/mountinfo)
      [ "$before" = "$during" ] && [ "$before" = "$after" ] && echo same`;
    const { stdout, stderr } = await run(["unshare", "--mount", "--propagation", "shared", "sh", "-c", script, join(import.meta.dirname, "../../dist/sampan"), rootfs], { env: sandbox.env });
    expect(stdout + stderr).toBe("same\n");
  });

  test("the old root cannot be reached, and chroot tricks lead nowhere", async () => {
    const mark = join(sandbox.dir, "host-only");
    writeFileSync(mark, "");
    const escape = `mkdir -p /jail; for up in ../../../../../../../../.. /proc/1/root /proc/1/cwd/../../..; do ls $up${mark} 2>/dev/null; chroot /jail ls $up${mark} 2>/dev/null; done; true`;
    expect((await inside(["sh", "-c", escape], ["--cap-add", "SYS_CHROOT"])).stdout).toBe("");
  });

  test("removal never recurses into what was mounted, nor through a link", async () => {
    const data = join(sandbox.dir, "precious");
    mkdirSync(data);
    writeFileSync(join(data, "x"), "x");
    await inside(["sh", "-c", "rm -f /link; ln -s /data /link; ln -s / /root-link; mkdir -p /data"], ["-v", `${data}:/data`]);
    const own = await busyboxRootfs(join(sandbox.dir, "linked"));
    symlinkSync(data, join(own, "leads-out"));
    await sandbox.ok(["run", "--rm", "--network", "none", "--rootfs", own, "sh", "-c", "ls /leads-out 2>/dev/null; true"]);
    expect(readFileSync(join(data, "x"), "utf8")).toBe("x");
  });

  test("a container's name and id are no part of a path that they could leave", async () => {
    for (const name of ["..", "../x", "a/../../x", ".hidden", "/../x", "//abs", "/"]) expect((await inside(["true"], ["--name", name])).exitCode).toBe(125);
    for (const verb of [["rm"], ["logs"], ["stop"]]) {
      const result = await sandbox.sampan([...verb, "../../etc"]);
      expect(result.exitCode).toBe(1);
      expect(result.stderr).toContain("No such container: ../../etc");
    }
  });
});

describe("many at once", () => {
  test("20 runs in parallel: each has its own output, nothing is left", async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => inside(["sh", "-c", `echo ${i}; exit ${i}`])));
    expect(results.map(({ stdout, exitCode }) => [stdout, exitCode])).toEqual(Array.from({ length: 20 }, (_, i) => [`${i}\n`, i]));
    expect(results.map(({ stderr }) => stderr).join("")).toBe("");
    expect(await sandbox.ok(["ps", "-aq"])).toBe("");
    expect(readdirSync(join(sandbox.root, "containers"))).toEqual([]);
    expect(readdirSync(join(sandbox.state, "containers"))).toEqual([]);
  }, 30_000);

  test("of many with one name exactly one gets it", async () => {
    const results = await Promise.all(Array.from({ length: 8 }, () => inside(["sleep", "1"], ["--name", "only"])));
    expect(results.map(({ exitCode }) => exitCode).toSorted()).toEqual([0, 125, 125, 125, 125, 125, 125, 125]);
    expect(await sandbox.ok(["ps", "-aq"])).toBe("");
  }, 30_000);
});

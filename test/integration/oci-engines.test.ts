/**
 * sampan-oci under Podman, Docker and containerd, each with data roots of its own. Every case runs with the engine's usual
 * runtime first, which proves the case. Needs root and the Debian packages podman, docker.io and containerd.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, openSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, runOk, testEnv, waitFor, type CommandResult } from "../support/command.ts";
import { startDockerd, type Dockerd } from "../support/peers/docker.ts";
import { createPodman, type Podman } from "../support/peers/podman.ts";
import { busyboxRootfs } from "../support/rootfs.ts";
import { createTempDir, SAMPAN_OCI } from "../support/sandbox.ts";

const OURS = SAMPAN_OCI;
const TRAP = ["sh", "-c", "echo started; trap 'exit 9' TERM; while true; do sleep 0.1; done"];

/** What both engines' command lines have in common. */
interface Engine {
  readonly image: string;
  readonly noNetwork: string[];
  readonly restart: string[];
  /** podman's restart in one go would use the mounts of the call before, which are in another mount namespace. */
  readonly restartRest: string[][];
  call(args: string[]): Promise<CommandResult>;
}

function cases(engine: () => Engine): void {
  const ok = async (...args: string[]): Promise<string> => {
    const result = await engine().call(args);
    expect(result.exitCode, `${args.join(" ")}: ${result.stderr}`).toBe(0);
    return result.stdout;
  };
  const start = (name: string, ...flags: string[]): Promise<string> => ok("run", "-d", "--name", name, ...engine().noNetwork, ...flags, engine().image, ...TRAP);

  test("run: output and exit code", async () => {
    const result = await engine().call(["run", "--rm", ...engine().noNetwork, engine().image, "sh", "-c", "echo out; echo err >&2; exit 7"]);
    expect([result.exitCode, result.stdout, result.stderr]).toEqual([7, "out\n", "err\n"]);
  }, 60_000);

  test("a terminal", async () => {
    const result = await engine().call(["run", "--rm", "-t", ...engine().noNetwork, engine().image, "tty"]);
    expect(result.stdout.trim()).toBe("/dev/pts/0");
  }, 60_000);

  test("exec, logs, pause, top, restart, stop and the exit code", async () => {
    await start("life");
    const exec = await engine().call(["exec", "life", "sh", "-c", "echo in; exit 5"]);
    expect([exec.exitCode, exec.stdout]).toEqual([5, "in\n"]);
    expect((await ok("exec", "-t", "life", "tty")).trim()).toBe("/dev/pts/0");
    expect(await ok("logs", "life")).toBe("started\n");
    await ok("pause", "life");
    expect(await ok("ps", "-a", "--format", "{{.Status}}")).toContain("Paused");
    await ok("unpause", "life");
    expect(await ok("top", "life")).toContain("started");
    await ok(...engine().restart, "life");
    for (const words of engine().restartRest) await ok(...words, "life");
    await ok("stop", "-t", "5", "life");
    expect((await ok("inspect", "-f", "{{.State.ExitCode}}", "life")).trim()).toBe("9");
    await ok("rm", "life");
  }, 120_000);

  test("limits: set, changed, and the out-of-memory kill", async () => {
    await start("limits", "-m", "64m", "--pids-limit", "20");
    expect((await ok("exec", "limits", "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes")).trim()).toBe("67108864");
    expect((await ok("exec", "limits", "cat", "/sys/fs/cgroup/pids/pids.max")).trim()).toBe("20");
    await ok("rm", "-f", "limits");
    const killed = await engine().call(["run", "--rm", "-m", "8m", ...engine().noNetwork, engine().image, "sh", "-c", "head -c 60m /dev/zero | tail"]);
    expect(killed.exitCode).toBe(137);
  }, 120_000);

  test("health", async () => {
    await start("healthy", "--health-cmd", "true", "--health-interval", "1s");
    await waitFor("it to be healthy", async () => {
      await engine().call(["healthcheck", "run", "healthy"]); // podman has no timer without systemd; docker no such command
      return (await engine().call(["inspect", "-f", "{{.State.Health.Status}}", "healthy"])).stdout.trim() === "healthy";
    }, 20_000);
    await ok("rm", "-f", "healthy");
  }, 60_000);

  test("a program that is not there or cannot be executed: 127 and 126", async () => {
    for (const [program, code] of [["nosuch", 127], ["/nosuch", 127], ["/etc", 126]] as const)
      expect((await engine().call(["run", "--rm", ...engine().noNetwork, engine().image, program])).exitCode, program).toBe(code);
  }, 60_000);

  test("a user, a read-only root, volumes and tmpfs", async () => {
    const result = await engine().call(["run", "--rm", ...engine().noNetwork, "--user", "1000", "--read-only", "--tmpfs", "/x", engine().image, "sh", "-c", "id -u; touch /a; touch /x/b && echo wrote"]);
    expect(result.stdout).toBe("1000\nwrote\n");
    expect(result.stderr).toContain("Read-only");
  }, 60_000);
}

describe("podman", () => {
  for (const runtime of ["crun", OURS]) {
    describe(runtime === OURS ? "with sampan-oci" : `with ${runtime}`, () => {
      let temp: ReturnType<typeof createTempDir>;
      let podman: Podman;
      beforeAll(async () => {
        temp = createTempDir("eng-");
        podman = createPodman(join(temp.path, "podman"), [`runtime = "${runtime}"`, 'runtime_supports_json = ["sampan-oci", "crun"]']);
        await podman.importRootfs(await busyboxRootfs(join(temp.path, "rootfs")), "engines:1");
      }, 120_000);
      afterAll(async () => {
        await podman[Symbol.asyncDispose]();
        temp[Symbol.dispose]();
      }, 60_000);
      cases(() => ({ image: "localhost/engines:1", noNetwork: ["--network=none"], restart: ["stop", "-t", "5"], restartRest: [["start"]], call: (args) => podman.podman(args) }));
    });
  }
});

describe("docker", () => {
  let temp: ReturnType<typeof createTempDir>;
  let docker: Dockerd;
  beforeAll(async () => {
    temp = createTempDir("eng-");
    docker = await startDockerd(join(temp.path, "d"), { runtimes: { sampan: OURS } });
    await docker.importRootfs(await busyboxRootfs(join(temp.path, "rootfs")), "engines:1");
  }, 120_000);
  afterAll(async () => {
    await docker[Symbol.asyncDispose]();
    temp[Symbol.dispose]();
  }, 60_000);
  for (const runtime of ["runc", "sampan"]) {
    describe(`with ${runtime}`, () => {
      cases(() => ({
        image: "engines:1", noNetwork: ["--network=none"], restart: ["restart", "-t", "5"], restartRest: [],
        call: (args) => docker.docker(args[0] === "run" ? ["run", "--runtime", runtime, ...args.slice(1)] : args),
      }));

      test("its network: the prestart hook gives it an address", async () => {
        const result = await docker.docker(["run", "--rm", "--runtime", runtime, "engines:1", "sh", "-c", "ip a show eth0"]);
        expect(result.stdout).toContain("inet 172.");
      }, 60_000);
    });
  }
});

describe("docker with --userns-remap", () => {
  const files = ["/etc/subuid", "/etc/subgid"];
  const before = new Map<string, string | undefined>();
  let temp: ReturnType<typeof createTempDir>;
  let docker: Dockerd;
  beforeAll(async () => {
    temp = createTempDir("eng-");
    for (const file of files) {
      before.set(file, existsSync(file) ? readFileSync(file, "utf8") : undefined);
      writeFileSync(file, `${before.get(file) ?? ""}nobody:300000:65536\nnogroup:300000:65536\n`);
    }
    const dir = join(temp.path, "d");
    mkdirSync(dir);
    chmodSync(dir, 0o711);
    docker = await startDockerd(dir, { runtimes: { sampan: OURS }, config: { "userns-remap": "nobody:nogroup" } });
    await docker.importRootfs(await busyboxRootfs(join(temp.path, "rootfs")), "engines:1");
  }, 120_000);
  afterAll(async () => {
    await docker[Symbol.asyncDispose]();
    for (const [file, text] of before) if (text !== undefined) writeFileSync(file, text);
    temp[Symbol.dispose]();
  }, 60_000);
  for (const runtime of ["runc", "sampan"]) {
    test(`${runtime}: root inside is nobody outside, in exec too`, async () => {
      expect((await docker.docker(["run", "-d", "--name", `remap-${runtime}`, "--runtime", runtime, "engines:1", ...TRAP])).exitCode).toBe(0);
      const exec = await docker.docker(["exec", `remap-${runtime}`, "sh", "-c", "id -u; cat /proc/self/uid_map; touch /made && echo wrote"]);
      expect(exec.stdout.split(/\s+/)).toEqual(["0", "0", "300000", "65536", "wrote", ""]);
      const pid = (await docker.docker(["inspect", "-f", "{{.State.Pid}}", `remap-${runtime}`])).stdout.trim();
      expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Uid:\s+300000\s/m);
    }, 60_000);
  }
});

describe("containerd", () => {
  let temp: ReturnType<typeof createTempDir>;
  let rootfs: string;
  let address: string;
  let stop: () => Promise<void>;
  beforeAll(async () => {
    temp = createTempDir("eng-");
    rootfs = await busyboxRootfs(join(temp.path, "rootfs"));
    address = join(temp.path, "c.sock");
    // The part of docs/kubernetes.md that names the runtime is what this configuration has, too.
    writeFileSync(join(temp.path, "config.toml"), `version = 2\nroot = "${temp.path}/root"\nstate = "${temp.path}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n[grpc]\n  address = "${address}"\n`);
    const log = openSync(join(temp.path, "log"), "a");
    const daemon = spawn("unshare", ["--mount", "containerd", "-c", join(temp.path, "config.toml")], { stdio: ["ignore", log, log], env: { ...testEnv(), TMPDIR: temp.path } });
    const ended = new Promise<void>((resolve) => daemon.once("exit", () => { resolve(); }));
    stop = async () => {
      daemon.kill("SIGTERM");
      await ended;
    };
    await waitFor("containerd to answer", async () => (await run(["ctr", "-a", address, "version"])).exitCode === 0, 20_000);
  }, 60_000);
  afterAll(async () => {
    await stop();
    for (const hierarchy of ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd", "unified"]) {
      try {
        rmdirSync(`/sys/fs/cgroup/${hierarchy}/default`); // containerd's parent, which it leaves behind
      } catch {
        // not made, or somebody else's
      }
    }
    temp[Symbol.dispose]();
  }, 60_000);
  for (const runtime of ["runc", OURS]) {
    const name = runtime === OURS ? "sampan" : "runc";
    const ctr = (...args: string[]): Promise<CommandResult> => run(["ctr", "-a", address, ...args], { timeoutMs: 60_000 });
    const start = (id: string, args: string[], ...flags: string[]): Promise<CommandResult> => ctr("run", "--runc-binary", runtime, ...flags, "--rootfs", rootfs, id, ...args);
    test(`${name}: run, exec, pause, kill`, async () => {
      const ran = await start(`${name}-1`, ["/bin/sh", "-c", "echo out; exit 3"], "--rm");
      expect([ran.exitCode, ran.stdout]).toEqual([3, "out\n"]);
      await runOk(["sh", "-c", '"$@" </dev/null >/dev/null 2>&1', "sh", "ctr", "-a", address, "run", "-d", "--runc-binary", runtime, "--rootfs", rootfs, `${name}-2`, "/bin/sleep", "60"]);
      const exec = await ctr("task", "exec", "--exec-id", "e1", `${name}-2`, "/bin/sh", "-c", "echo in; exit 4");
      expect([exec.exitCode, exec.stdout]).toEqual([4, "in\n"]);
      await ctr("task", "pause", `${name}-2`);
      expect((await ctr("task", "ls")).stdout).toMatch(new RegExp(`${name}-2\\s+\\d+\\s+PAUSED`));
      await ctr("task", "resume", `${name}-2`);
      await ctr("task", "kill", "-s", "KILL", `${name}-2`);
      await waitFor("it to stop", async () => /STOPPED/.test((await ctr("task", "ls")).stdout));
      await ctr("task", "rm", `${name}-2`);
      expect((await ctr("container", "rm", `${name}-2`)).exitCode).toBe(0);
      const missing = await start(`${name}-3`, ["nosuch"], "--rm");
      expect(missing.stderr).toContain("executable file not found in $PATH");
    }, 120_000);
    test(`${name}: limits`, async () => {
      expect((await start(`${name}-4`, ["/bin/sh", "-c", "head -c 60m /dev/zero | tail"], "--rm", "--memory-limit", "8000000")).exitCode).toBe(137);
    }, 60_000);
  }
});

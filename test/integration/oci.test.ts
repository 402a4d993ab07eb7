/** The command line of sampan-oci by itself: bad input, logs, files, streams, terminals. Needs root. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { ociBundle, type BundleConfig } from "../support/bundle.ts";
import { run, runOk, waitFor, type CommandOptions, type CommandResult } from "../support/command.ts";
import { busyboxRootfs } from "../support/rootfs.ts";
import { createTempDir, REPOSITORY, SAMPAN_OCI } from "../support/sandbox.ts";

const SCHEMAS = join(REPOSITORY, "../shared/data/runtime-spec/schema");
let temp: ReturnType<typeof createTempDir>;
let root: string;
let rootfs: string;

const oci = (args: string[], options?: CommandOptions): Promise<CommandResult> => run([SAMPAN_OCI, "--root", root, ...args], options);
/** A container that lives on must not hold the test's pipes. */
const quiet = (args: string[]): Promise<CommandResult> => run(["sh", "-c", '"$@" </dev/null >/dev/null 2>&1', "sh", SAMPAN_OCI, "--root", root, ...args]);

async function bundle(name: string, args: string[], change?: (config: BundleConfig) => void): Promise<string> {
  return ociBundle(join(temp.path, name), {
    rootfs, args, spec: "runc",
    change: (config) => {
      delete (config.process["capabilities"] as Record<string, unknown>)["ambient"]; // runc's default, which has them
      change?.(config);
    },
  });
}

beforeAll(async () => {
  temp = createTempDir("oci-");
  root = join(temp.path, "state");
  rootfs = await busyboxRootfs(join(temp.path, "rootfs"));
}, 60_000);
afterAll(() => {
  // Every container of every test is gone: only files of ours that start with a dot may be left.
  expect(readdirSync(root).filter((name) => !name.startsWith("."))).toEqual([]);
  temp[Symbol.dispose]();
});

describe("bad input: exit code 1, one sentence on stderr and in the log, nothing left", () => {
  const log = (): string => join(temp.path, "bad.log");
  const refused = async (args: string[], word: RegExp): Promise<void> => {
    writeFileSync(log(), "");
    const result = await oci(["--log", log(), "--log-format", "json", ...args]);
    expect(result.exitCode, args.join(" ")).toBe(1);
    expect(result.stderr.trim().split("\n")).toHaveLength(1);
    expect(result.stderr).toMatch(word);
    const entries = readFileSync(log(), "utf8").trim().split("\n").map((line) => JSON.parse(line) as { level: string; msg: string; time: string }); // the format under test
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({ level: "error", msg: result.stderr.trim().slice("error: ".length) });
    expect(new Date(entries[0]?.time ?? "").getTime()).toBeGreaterThan(0);
    expect(readdirSync(temp.path).includes("state") ? readdirSync(root).filter((name) => !name.startsWith(".")) : []).toEqual([]);
  };

  test("no JSON, wrong types, missing fields, unknown versions", async () => {
    const dir = join(temp.path, "broken");
    mkdirSync(dir, { recursive: true });
    for (const [text, word] of [
      ["{", /not valid JSON/], ["[]", /is an array, not an object/], ["{}", /ociVersion is missing/], ['{"ociVersion":1}', /ociVersion is 1, not a string/],
      ['{"ociVersion":"7.0.0","root":{"path":"x"}}', /not supported/], ['{"ociVersion":"1.0.0"}', /root\.path is missing/],
      ['{"ociVersion":"1.0.0","root":{"path":"x"},"process":{"cwd":"/","user":{"uid":-1}}}', /process\.user\.uid is -1/],
      ['{"ociVersion":"1.0.0","root":{"path":"x"},"process":{"cwd":"/","user":{"uid":4294967296}}}', /process\.user\.uid is 4294967296/],
    ] as const) {
      writeFileSync(join(dir, "config.json"), text);
      await refused(["create", "-b", dir, "bad"], word);
    }
  });

  test("every problem of a config in one sentence", async () => {
    const dir = await bundle("many", ["/bin/true"], (config) => {
      config.process["cwd"] = "relative";
      config.linux["sysctl"] = { "kernel.pid_max": "1" };
      config.linux["maskedPaths"] = ["x"];
    });
    await refused(["run", "-b", dir, "bad"], /cwd.*maskedPaths.*sysctl/);
  });

  test("ids, bundles, commands and flags that are none", async () => {
    const dir = await bundle("good", ["/bin/true"]);
    for (const id of ["../x", "a/b", "..", "", "a b", "a\nb"]) await refused(["create", "-b", dir, id], /ids are/);
    await refused(["create", "-b", join(temp.path, "none"), "x"], /no such directory/);
    await refused(["create", "-b", dir], /container-id/);
    await refused(["frobnicate"], /no such command/);
    await refused(["checkpoint", "x"], /checkpoints \(CRIU\) are not supported/);
    await refused(["create", "--frobnicate", "x"], /is not known/);
    await refused(["state", "nobody"], /does not exist/);
    // Where systemd does not run it says so; where it does, this is no place for a unit.
    const plain = await bundle("plain", ["/bin/true"], (config) => { (config["linux"] as Record<string, unknown>)["cgroupsPath"] = "/plain"; });
    await refused(["--systemd-cgroup", "create", "-b", plain, "x"], /systemd/);
  });

  test("a mount that fails, a hook that fails, a program that is not there: no cgroup is left", async () => {
    for (const change of [
      (config: BundleConfig) => { (config["mounts"] as unknown[]).push({ destination: "/mnt", type: "nosuchfs", source: "x" }); },
      (config: BundleConfig) => { config["hooks"] = { createContainer: [{ path: "/bin/false" }] }; },
      (config: BundleConfig) => { config.process.args = ["/no/such/program"]; },
    ]) {
      const dir = await bundle("fails", ["/bin/true"], (config) => {
        config.linux.cgroupsPath = `/sampan-test-${process.pid}-fails`;
        change(config);
      });
      await refused(["create", "-b", dir, "fails"], /^error: Cannot /);
      for (const hierarchy of ["memory", "pids", "unified"]) expect(existsSync(`/sys/fs/cgroup/${hierarchy}/sampan-test-${process.pid}-fails`)).toBe(false);
    }
  });

  test("the log as text, which is the default", async () => {
    const file = join(temp.path, "text.log");
    await oci(["--log", file, "state", "nobody"]);
    expect((await oci(["--debug", "state", "nobody"])).stderr).toMatch(/level=error msg="Cannot find[^]*\nerror: Cannot find container "nobody": container does not exist\n/);
    expect(readFileSync(file, "utf8")).toMatch(/^time="[^"]+" level=error msg="Cannot find container \\"nobody\\": container does not exist"\n$/);
  });
});

describe("state and files", () => {
  test("pid file, state, list, ps; the first process belongs to the caller's subreaper and no process of ours stays", async () => {
    const dir = await bundle("files", ["/bin/sleep", "60"]);
    const pidFile = join(temp.path, "pid");
    expect((await quiet(["create", "-b", dir, "--pid-file", pidFile, "files"])).exitCode).toBe(0);
    const pid = Number(readFileSync(pidFile, "utf8"));
    expect(readFileSync(pidFile, "utf8")).toBe(String(pid));
    expect(JSON.parse((await oci(["state", "files"])).stdout)).toMatchObject({ id: "files", pid, status: "created", bundle: dir, rootfs });
    expect((await quiet(["start", "files"])).exitCode).toBe(0);
    expect((await oci(["list", "-q"])).stdout).toBe("files\n");
    expect(JSON.parse((await oci(["list", "--format", "json"])).stdout)).toMatchObject([{ id: "files", pid, status: "running" }]);
    expect(JSON.parse((await oci(["ps", "--format", "json", "files"])).stdout)).toEqual([pid]);
    expect((await oci(["ps", "files"])).stdout).toContain("sleep 60");
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toBe("/bin/sleep\x0060\0");
    const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
    expect(readFileSync(`/proc/${parent}/comm`, "utf8")).not.toContain("keel");
    expect((await oci(["delete", "files"])).exitCode).toBe(1);
    expect((await oci(["pause", "files"])).exitCode).toBe(0);
    expect(JSON.parse((await oci(["state", "files"])).stdout)).toMatchObject({ status: "paused" });
    expect((await oci(["exec", "files", "true"])).stderr).toContain("paused");
    expect((await oci(["resume", "files"])).exitCode).toBe(0);
    const { type, data } = JSON.parse((await oci(["events", "--stats", "files"])).stdout) as { type: string; data: { pids: { current: number } } }; // runc's event
    expect([type, data.pids.current]).toEqual(["stats", 1]);
    expect((await oci(["update", "--memory", "64m", "--memory-swap", "128m", "--pids-limit", "9", "files"])).exitCode).toBe(0);
    expect((await oci(["exec", "files", "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes"])).stdout.trim()).toBe("67108864");
    expect((await oci(["delete", "--force", "files"])).exitCode).toBe(0);
    expect((await oci(["delete", "--force", "files"])).exitCode).toBe(0);
    expect((await oci(["delete", "files"])).exitCode).toBe(1);
  }, 60_000);

  test("two starts at the same time: one starts it", async () => {
    const dir = await bundle("twice", ["/bin/sleep", "60"]);
    expect((await quiet(["create", "-b", dir, "twice"])).exitCode).toBe(0);
    const codes = await Promise.all([1, 2, 3].map(async () => (await quiet(["start", "twice"])).exitCode));
    expect(codes.toSorted()).toEqual([0, 1, 1]);
    await oci(["delete", "-f", "twice"]);
  }, 30_000);

  test("a creation whose creator was killed can be deleted, and is stopped", async () => {
    const dir = await bundle("cut", ["/bin/true"], (config) => { config["hooks"] = { createRuntime: [{ path: "/bin/sleep", args: ["sleep", "30"] }] }; });
    const creator = spawn(SAMPAN_OCI, ["--root", root, "create", "-b", dir, "cut"], { stdio: "ignore" });
    await waitFor("the container's birth", () => existsSync(join(root, "cut/pid")));
    expect(JSON.parse((await oci(["state", "cut"])).stdout)).toMatchObject({ id: "cut" });
    creator.kill("SIGKILL");
    await once(creator, "exit");
    expect((await oci(["delete", "-f", "cut"])).exitCode).toBe(0);
    expect((await oci(["state", "cut"])).exitCode).toBe(1);
  }, 30_000);
});

describe("streams", () => {
  test("run: streams and exit code", async () => {
    const dir = await bundle("streams", ["/bin/sh", "-c", "cat; echo err >&2; exit 3"]);
    const result = await oci(["run", "-b", dir, "streams"], { input: "typed\n" });
    expect([result.stdout, result.stderr, result.exitCode]).toEqual(["typed\n", "err\n", 3]);
  });

  test("exec: user, environment, directory, process.json, detached with a pid file", async () => {
    const dir = await bundle("execs", ["/bin/sleep", "60"]);
    expect((await quiet(["run", "-d", "-b", dir, "execs"])).exitCode).toBe(0);
    const first = await oci(["exec", "-u", "1000:1001", "-e", "A=b c", "--cwd", "/tmp", "execs", "sh", "-c", 'id -u; id -g; echo "$A"; pwd; exit 9']);
    expect([first.stdout, first.exitCode]).toEqual(["1000\n1001\nb c\n/tmp\n", 9]);
    const file = join(temp.path, "process.json");
    writeFileSync(file, JSON.stringify({ args: ["sh", "-c", "pwd; echo $B"], cwd: "/home", env: ["PATH=/bin", "B=from-file"], user: { uid: 0, gid: 0 } }));
    expect((await oci(["exec", "-p", file, "execs"])).stdout).toBe("/home\nfrom-file\n");
    const pidFile = join(temp.path, "exec-pid");
    expect((await quiet(["exec", "-d", "--pid-file", pidFile, "execs", "sleep", "50"])).exitCode).toBe(0);
    expect(readFileSync(`/proc/${readFileSync(pidFile, "utf8")}/cmdline`, "utf8")).toBe("sleep\x0050\0");
    for (const cwd of ["/proc/self/fd/7", "/proc/self/fd/9/../../.."]) expect((await oci(["exec", "--cwd", cwd, "execs", "pwd"])).exitCode).toBe(255);
    expect((await oci(["exec", "execs", "nosuch"])).stderr).toContain("executable file not found in $PATH");
    await oci(["delete", "-f", "execs"]);
  }, 30_000);

  test("descriptors: none of ours gets in, preserved ones do; LISTEN_FDS", async () => {
    const dir = await bundle("fds", ["/bin/sh", "-c", "ls /proc/self/fd; echo LISTEN=$LISTEN_FDS,$LISTEN_PID; cat <&3"]);
    const file = join(temp.path, "third");
    writeFileSync(file, "through three\n");
    const shell = (flags: string, env: string): Promise<string> => runOk(["sh", "-c", `exec 3<"$1" 7<"$1"; ${env} "$2" --root "$3" run ${flags} -b "$4" fds`, "sh", file, SAMPAN_OCI, root, dir]);
    const kept = await shell("--preserve-fds 1", "");
    expect(kept).toContain("through three");
    expect(kept.split("LISTEN=")[0]?.trim().split(/\s+/)).toEqual(["0", "1", "2", "3", "4"]); // 4 is ls's own, of the directory
    expect(await shell("", "LISTEN_FDS=1")).toContain("LISTEN=1,1\nthrough three");
  });

  test("a console socket gets the terminal's master", async () => {
    const dir = await bundle("console", ["/bin/sh", "-c", "tty; echo size $(stty size); sleep 0.3"], (config) => {
      config.process.terminal = true;
      config.process["consoleSize"] = { height: 40, width: 100 };
    });
    const socket = join(temp.path, "console.sock");
    const receiver = spawn("python3", ["-c", RECEIVER, socket], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    receiver.stdout.on("data", (chunk: Buffer) => { text += chunk.toString(); });
    await waitFor("the socket", () => text.includes("listening"));
    expect((await quiet(["create", "-b", dir, "console"])).exitCode).toBe(1); // a terminal needs the socket
    expect((await quiet(["create", "-b", dir, "--console-socket", socket, "console"])).exitCode).toBe(0);
    expect((await quiet(["start", "console"])).exitCode).toBe(0);
    await waitFor("the terminal's output", () => text.includes("size 40 100"));
    expect(text).toContain("/dev/pts/0");
    await oci(["delete", "-f", "console"]);
    receiver.kill("SIGKILL");
  }, 30_000);
});

describe("documents", () => {
  test("spec's config and features match the schemas, and the config runs", async () => {
    const dir = join(temp.path, "spec");
    mkdirSync(dir);
    await runOk([SAMPAN_OCI, "spec", "--bundle", dir]);
    expect((await oci(["spec", "--bundle", dir])).exitCode).toBe(1);
    const load = (name: string): Record<string, unknown> => {
      const schema = JSON.parse(readFileSync(join(SCHEMAS, name), "utf8")) as Record<string, unknown>; // a JSON schema of draft 4
      return { ...schema, $schema: undefined, id: undefined, $id: name };
    };
    const ajv = new Ajv({ strict: false, validateFormats: false, logger: false });
    for (const name of ["defs.json", "defs-linux.json", "config-linux.json", "features-linux.json"]) ajv.addSchema(load(name));
    const config = JSON.parse(readFileSync(join(dir, "config.json"), "utf8")) as BundleConfig; // what spec wrote
    expect(ajv.validate(load("features-schema.json"), JSON.parse((await oci(["features"])).stdout)), JSON.stringify(ajv.errors)).toBe(true);
    config.root.path = rootfs;
    config.process.terminal = false;
    config.process.args = ["/bin/echo", "from spec"];
    writeFileSync(join(dir, "config.json"), JSON.stringify(config));
    expect((await oci(["run", "-b", dir, "spec"])).stdout).toBe("from spec\n");
  });
});

const RECEIVER = `
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); s.bind(sys.argv[1]); s.listen(1)
print("listening", flush=True)
c, _ = s.accept()
data, anc, flags, addr = c.recvmsg(4096, socket.CMSG_LEN(4))
fds = array.array("i"); fds.frombytes(anc[0][2][:4])
while True:
    try:
        text = os.read(fds[0], 4096)
    except OSError:
        continue
    sys.stdout.write(text.decode()); sys.stdout.flush()
`;

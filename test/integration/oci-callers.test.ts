/** What callers and hooks of a runtime rely on, beyond the specification's words: where hooks run, what is open, who is killed. Needs root. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ociBundle, type BundleConfig } from "../support/bundle.ts";
import { run, waitFor, type CommandResult } from "../support/command.ts";
import { busyboxRootfs } from "../support/rootfs.ts";
import { createTempDir, SAMPAN_OCI } from "../support/sandbox.ts";

let temp: ReturnType<typeof createTempDir>;
let rootfs: string;

const oci = (args: string[]): Promise<CommandResult> => run([SAMPAN_OCI, "--root", join(temp.path, "state"), ...args]);
/** A container that lives on must not hold the test's pipes. */
const quiet = (args: string[]): Promise<CommandResult> => run(["sh", "-c", '"$@" </dev/null >/dev/null 2>&1', "sh", SAMPAN_OCI, "--root", join(temp.path, "state"), ...args]);

function bundle(name: string, args: string[], change: (config: BundleConfig) => void): Promise<string> {
  return ociBundle(join(temp.path, name), {
    rootfs, args, spec: "runc",
    change: (config) => {
      delete (config.process["capabilities"] as Record<string, unknown>)["ambient"]; // runc's default, which would be a warning on every run
      change(config);
    },
  });
}

beforeAll(async () => {
  temp = createTempDir("oci-callers-");
  rootfs = await busyboxRootfs(join(temp.path, "rootfs"));
}, 60_000);
afterAll(() => { temp[Symbol.dispose](); });

test("hooks of the runtime run in its namespaces though the container joins another's, and createContainer finds the root filesystem", async () => {
  const owner = await bundle("owner", ["/bin/sleep", "60"], () => undefined);
  expect((await quiet(["run", "-d", "-b", owner, "owner"])).exitCode).toBe(0);
  const { pid } = JSON.parse((await oci(["state", "owner"])).stdout) as { pid: number };
  const log = join(temp.path, "hooks.log");
  const joiner = await bundle("joiner", ["/bin/readlink", "/proc/self/ns/net"], (config) => {
    const hook = (name: string): object => ({ path: "/bin/sh", args: ["sh", "-c", `echo ${name} $(readlink /proc/self/ns/net) $(pwd) >> ${log}`] });
    config["hooks"] = { prestart: [hook("prestart")], createRuntime: [hook("createRuntime")], createContainer: [hook("createContainer")], poststart: [hook("poststart")] };
    config.linux["namespaces"] = (config.linux["namespaces"] as { type: string }[]).map((namespace) => (namespace.type === "network" ? { ...namespace, path: `/proc/${pid}/ns/net` } : namespace));
  });
  const own = readlinkSync("/proc/self/ns/net");
  const theirs = readlinkSync(`/proc/${pid}/ns/net`);
  expect((await oci(["run", "-b", joiner, "joiner"])).stdout.trim()).toBe(theirs);
  const seen = readFileSync(log, "utf8").trim().split("\n").map((line) => line.split(" "));
  expect(seen.map(([name, net]) => [name, net])).toEqual([["prestart", own], ["createRuntime", own], ["createContainer", theirs], ["poststart", own]]);
  expect(seen[2]?.[2]).toBe(rootfs);
  await oci(["delete", "-f", "owner"]);
}, 60_000);

test("a container that waits for its start has nothing open but its streams and the gate", async () => {
  const dir = await bundle("waits", ["/bin/true"], () => undefined);
  expect((await quiet(["create", "-b", dir, "waits"])).exitCode).toBe(0);
  const { pid } = JSON.parse((await oci(["state", "waits"])).stdout) as { pid: number };
  const open = readdirSync(`/proc/${pid}/fd`).filter((fd) => Number(fd) > 2).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).split("/").at(-1));
  expect(open.toSorted()).toEqual(["anon_inode:[signalfd]", "exec.fifo", "exec.fifo"]);
  expect((await oci(["start", "waits"])).exitCode).toBe(0);
  expect((await oci(["delete", "-f", "waits"])).exitCode).toBe(0);
}, 30_000);

test("without a pid namespace of its own SIGKILL ends all of a container", async () => {
  const dir = await bundle("shared", ["/bin/sh", "-c", "sleep 61 & sleep 62 & wait"], (config) => {
    config.linux["namespaces"] = (config.linux["namespaces"] as { type: string }[]).filter(({ type }) => type !== "pid");
  });
  expect((await quiet(["run", "-d", "-b", dir, "shared"])).exitCode).toBe(0);
  const pids = async (): Promise<number[]> => JSON.parse((await oci(["ps", "--format", "json", "shared"])).stdout) as number[];
  await waitFor("all three processes", async () => (await pids()).length === 3);
  expect((await oci(["kill", "shared", "KILL"])).exitCode).toBe(0);
  await waitFor("their end", async () => (await pids()).length === 0);
  expect((await oci(["kill", "shared", "0"])).stderr).toContain("container not running");
  expect((await oci(["delete", "shared"])).exitCode).toBe(0);
}, 30_000);

test("a tmpfs on /dev may be read-only, takes the mode of what it covers elsewhere, and a pid file that cannot be written leaves nothing", async () => {
  const dir = await bundle("tmpfs", ["/bin/sh", "-c", "stat -c %a /root; echo x > /dev/x"], (config) => {
    const mounts = config["mounts"] as Record<string, unknown>[];
    for (const mount of mounts) if (mount["destination"] === "/dev") mount["options"] = [...((mount["options"] ?? []) as string[]), "ro"];
    mounts.push({ destination: "/root", type: "tmpfs", source: "tmpfs" });
  });
  const mode = (await run(["stat", "-c", "%a", join(rootfs, "root")])).stdout;
  const result = await oci(["run", "-b", dir, "tmpfs"]);
  expect(result.stdout).toBe(mode);
  expect(result.stderr).toContain("Read-only file system");
  const failed = await quiet(["create", "-b", dir, "--pid-file", join(temp.path, "none/pid"), "tmpfs"]);
  expect(failed.exitCode).toBe(1);
  expect((await oci(["list", "-q"])).stdout).toBe("");
}, 30_000);

test("a group that is frozen, or beneath a frozen one, is refused instead of waited for", async () => {
  const name = `sampan-test-${process.pid}-frozen`;
  const [v1, v2] = [`/sys/fs/cgroup/freezer/${name}`, existsSync("/sys/fs/cgroup/cgroup.controllers") ? `/sys/fs/cgroup/${name}` : `/sys/fs/cgroup/unified/${name}`];
  const groups = [[v1, "freezer.state", "FROZEN"], [v2, "cgroup.freeze", "1"]].filter(([path = ""]) => existsSync(join(path, "..")));
  expect(groups.length).toBeGreaterThan(0);
  for (const [group = "", file = "", value = ""] of groups) {
    mkdirSync(group);
    try {
      writeFileSync(join(group, file), value);
      for (const path of [`/${name}`, `/${name}/beneath`]) {
        const dir = await bundle("frozen", ["/bin/true"], (config) => { config.linux.cgroupsPath = path; });
        const result = await quiet(["run", "--pid-file", join(temp.path, "frozen.pid"), "-b", dir, "frozen"]);
        expect(result.exitCode).toBe(1);
        expect((await oci(["create", "-b", dir, "frozen"])).stderr).toContain(`Cannot use cgroup "${group}": container's cgroup unexpectedly frozen`);
      }
    } finally {
      rmdirSync(group);
    }
  }
  expect((await oci(["list", "-q"])).stdout).toBe("");
}, 30_000);

test("exec --pid-file is there while the process runs; one that cannot be written ends it", async () => {
  const dir = await bundle("execs", ["/bin/sleep", "60"], () => undefined);
  expect((await quiet(["run", "-d", "-b", dir, "execs"])).exitCode).toBe(0);
  const pidFile = join(temp.path, "exec.pid");
  const running = oci(["exec", "--pid-file", pidFile, "execs", "/bin/sleep", "61"]);
  await waitFor("the pid file", () => existsSync(pidFile));
  const pid = Number(readFileSync(pidFile, "utf8"));
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toBe("/bin/sleep\x0061\0");
  process.kill(pid, "SIGTERM");
  expect((await running).exitCode).toBe(143);
  const failed = await oci(["exec", "--pid-file", join(temp.path, "none/pid"), "execs", "/bin/sleep", "62"]);
  expect([failed.exitCode, failed.stderr]).toEqual([255, `error: Cannot write the pid file "${join(temp.path, "none/pid")}": no such file or directory\n`]);
  expect((await oci(["ps", "--format", "json", "execs"])).stdout.trim().split(",")).toHaveLength(1);
  await oci(["delete", "-f", "execs"]);
}, 30_000);

test("the caller's CPU affinity is not the container's", async () => {
  const dir = await bundle("affinity", ["/bin/sh", "-c", "grep Cpus_allowed_list /proc/self/status; exec sleep 60"], () => undefined);
  const [own = ""] = /Cpus_allowed_list.*/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  const first = /\d+/.exec(own)?.[0] ?? "0";
  const out = join(temp.path, "affinity.out");
  const bound = ["taskset", "-c", first, SAMPAN_OCI, "--root", join(temp.path, "state")];
  expect((await run(["sh", "-c", '"$@" </dev/null >"$0" 2>&1', out, ...bound, "run", "-d", "-b", dir, "affinity"])).exitCode).toBe(0);
  await waitFor("what it sees", () => readFileSync(out, "utf8").endsWith("\n"));
  expect(readFileSync(out, "utf8").trim()).toBe(own);
  expect((await run([...bound, "exec", "affinity", "grep", "Cpus_allowed_list", "/proc/self/status"])).stdout.trim()).toBe(own);
  await oci(["delete", "-f", "affinity"]);
}, 30_000);

test("run with a terminal of its own runs the poststart hooks, and stops where one fails", async () => {
  const log = join(temp.path, "poststart.log");
  const terminal = async (name: string, program: string, hook: string): Promise<CommandResult> => {
    const dir = await bundle(name, ["/bin/sh", "-c", program], (config) => {
      config.process.terminal = true;
      config["hooks"] = { poststart: [{ path: "/bin/sh", args: ["sh", "-c", hook] }] };
    });
    return run([SAMPAN_OCI, "--root", join(temp.path, "state"), "run", "-b", dir, name], { input: "" });
  };
  const good = await terminal("good", "sleep 0.3; exit 4", `cat > ${log}`);
  expect(good.exitCode, good.stderr).toBe(4);
  expect(JSON.parse(readFileSync(log, "utf8"))).toMatchObject({ id: "good", status: "running" });
  const bad = await terminal("bad", "sleep 60", "exit 3");
  expect([bad.exitCode, bad.stderr]).toEqual([1, 'error: Cannot run poststart hook 1 "/bin/sh" of container "bad": error running poststart hook #0: exit status 3\n']);
  expect((await oci(["list", "-q"])).stdout).toBe("");
}, 30_000);

test("--cgroup-manager disabled leaves the container in its caller's groups; a log that cannot be written is told at once", async () => {
  const dir = await bundle("groupless", ["/bin/cat", "/proc/self/cgroup"], (config) => {
    config.linux["namespaces"] = (config.linux["namespaces"] as { type: string }[]).filter(({ type }) => type !== "cgroup"); // runc's default
    config.linux.cgroupsPath = "/nowhere-to-be-seen";
  });
  const result = await oci(["--cgroup-manager", "disabled", "run", "-b", dir, "groupless"]);
  expect(result.stdout, result.stderr).toBe(readFileSync("/proc/self/cgroup", "utf8"));
  const refused = await oci(["--log", join(temp.path, "none/log"), "list"]);
  expect([refused.exitCode, refused.stderr]).toEqual([1, `error: Cannot write the log "${join(temp.path, "none/log")}": no such file or directory\n`]);
}, 30_000);

test("a container that joins another's time namespace, alone or with its user namespace, is known by its start all the same", async () => {
  type Namespaces = { type: string; path?: string }[];
  const owner = await bundle("timekeeper", ["/bin/sleep", "60"], (config) => {
    config.linux["namespaces"] = [...(config.linux["namespaces"] as Namespaces), { type: "time" }, { type: "user" }]; // runc's default
    config.linux["timeOffsets"] = { boottime: { secs: 100_000 } };
    config.linux["uidMappings"] = config.linux["gidMappings"] = [{ containerID: 0, hostID: 0, size: 65_536 }];
  });
  expect((await quiet(["run", "-d", "-b", owner, "timekeeper"])).exitCode).toBe(0);
  const { pid } = JSON.parse((await oci(["state", "timekeeper"])).stdout) as { pid: number };
  for (const types of [["time"], ["time", "user"]]) {
    const dir = await bundle("guest", ["/bin/sleep", "61"], (config) => {
      config.linux["namespaces"] = [...(config.linux["namespaces"] as Namespaces), ...types.map((type) => ({ type, path: `/proc/${pid}/ns/${type}` }))];
    });
    expect((await quiet(["run", "-d", "-b", dir, "guest"])).exitCode, types.join()).toBe(0);
    const offsets = await oci(["exec", "guest", "grep", "boottime", "/proc/self/timens_offsets"]);
    expect(offsets.stdout, offsets.stderr).toMatch(/boottime\s+100000\s+0/);
    expect((await oci(["delete", "-f", "guest"])).exitCode).toBe(0);
  }
  await oci(["delete", "-f", "timekeeper"]);
}, 30_000);

test("run.oci.keep_original_groups leaves the caller's groups, also in an exec", async () => {
  const dir = await bundle("groups", ["/bin/sleep", "60"], (config) => {
    config["annotations"] = { "run.oci.keep_original_groups": "1" };
    config.process["user"] = { uid: 1000, gid: 1000, additionalGids: [7] };
  });
  const grouped = ["setpriv", "--groups", "4,5", SAMPAN_OCI, "--root", join(temp.path, "state")];
  expect((await run(["sh", "-c", '"$@" </dev/null >/dev/null 2>&1', "sh", ...grouped, "run", "-d", "-b", dir, "groups"])).exitCode).toBe(0);
  const { pid } = JSON.parse((await oci(["state", "groups"])).stdout) as { pid: number };
  expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Groups:\t4 5 $/m);
  expect((await run([...grouped, "exec", "groups", "grep", "Groups", "/proc/self/status"])).stdout).toBe("Groups:\t4 5 \n");
  await oci(["delete", "-f", "groups"]);
}, 30_000);

test("hooks of the runtime run with its rights though the container joins a user namespace", async () => {
  type Namespaces = { type: string; path?: string }[];
  const owner = await bundle("landlord", ["/bin/sleep", "60"], (config) => {
    config.linux["namespaces"] = [...(config.linux["namespaces"] as Namespaces), { type: "user" }]; // runc's default
    config.linux["uidMappings"] = config.linux["gidMappings"] = [{ containerID: 0, hostID: 0, size: 65_536 }];
  });
  expect((await quiet(["run", "-d", "-b", owner, "landlord"])).exitCode).toBe(0);
  const { pid } = JSON.parse((await oci(["state", "landlord"])).stdout) as { pid: number };
  const own = readlinkSync("/proc/self/ns/user");
  const theirs = readlinkSync(`/proc/${pid}/ns/user`);
  const log = join(temp.path, "tenant.log");
  const tenant = (name: string, last: string): Promise<string> => bundle(name, ["/bin/readlink", "/proc/self/ns/user"], (config) => {
    config.linux["namespaces"] = [...(config.linux["namespaces"] as Namespaces), { type: "user", path: `/proc/${pid}/ns/user` }];
    const hook = (kind: string): object => ({ path: "/bin/sh", args: ["sh", "-c", `echo ${kind} $(readlink /proc/self/ns/user) $(grep -o '"status":"[a-z]*"' | cut -d: -f2) >> ${log}`] });
    config["hooks"] = { prestart: [hook("prestart")], createRuntime: [hook("createRuntime"), { path: "/bin/sh", args: ["sh", "-c", last] }], poststart: [hook("poststart")], poststop: [hook("poststop")] };
  });
  const seen = (): string[][] => {
    const lines = readFileSync(log, "utf8").trim().split("\n").map((line) => line.split(" "));
    writeFileSync(log, "");
    return lines;
  };
  const all = [["prestart", own, '"creating"'], ["createRuntime", own, '"creating"'], ["poststart", own, '"running"'], ["poststop", own, '"stopped"']];
  const good = await tenant("tenant", "exit 0");
  const attached = await oci(["run", "-b", good, "tenant"]);
  expect([attached.stdout.trim(), attached.exitCode], attached.stderr).toEqual([theirs, 0]);
  expect(seen()).toEqual(all);
  expect((await quiet(["create", "-b", good, "tenant"])).exitCode).toBe(0);
  expect((await oci(["start", "tenant"])).exitCode).toBe(0);
  expect((await oci(["delete", "-f", "tenant"])).exitCode).toBe(0);
  expect(seen()).toEqual(all);
  const bad = await oci(["run", "-b", await tenant("bad-tenant", "exit 5"), "bad-tenant"]);
  expect(bad.exitCode).toBe(1);
  expect(bad.stderr).toContain("error running createRuntime hook #1: exit status 5");
  expect(seen().map(([kind]) => kind)).toEqual(["prestart", "createRuntime", "poststop"]);
  expect((await oci(["list", "-q"])).stdout.trim()).toBe("landlord");
  await oci(["delete", "-f", "landlord"]);
}, 30_000);

test("kernel.domainname as a sysctl is refused where the domainname field says otherwise", async () => {
  const named = async (value: string): Promise<CommandResult> => oci(["run", "-b", await bundle("named", ["/bin/cat", "/proc/sys/kernel/domainname"], (config) => {
    config["domainname"] = "example.org";
    config.linux["sysctl"] = { "kernel.domainname": value };
  }), "named"]);
  expect((await named("example.org")).stdout).toBe("example.org\n");
  expect((await named("example.net")).stderr).toContain("is not what the domainname field says");
}, 30_000);

test("a container that was only created hears what asks it to end, and starts with no signal blocked", async () => {
  const dir = await bundle("asked", ["/bin/grep", "SigBlk", "/proc/self/status"], () => undefined);
  const status = async (id: string): Promise<string> => (JSON.parse((await oci(["state", id])).stdout) as { status: string }).status;
  for (const signal of ["TERM", "INT", "HUP", "QUIT"]) {
    expect((await quiet(["create", "-b", dir, "asked"])).exitCode).toBe(0);
    expect((await oci(["kill", "asked", signal])).exitCode).toBe(0);
    await waitFor("its end", async () => (await status("asked")) === "stopped");
    expect((await oci(["start", "asked"])).exitCode).toBe(1);
    expect((await oci(["delete", "asked"])).exitCode).toBe(0);
  }
  const out = join(temp.path, "started");
  expect((await run(["sh", "-c", `"$@" </dev/null >${out} 2>&1`, "sh", SAMPAN_OCI, "--root", join(temp.path, "state"), "create", "-b", dir, "deaf"])).exitCode).toBe(0);
  expect((await oci(["kill", "deaf", "USR1"])).exitCode).toBe(0);
  expect(await status("deaf")).toBe("created");
  expect((await oci(["start", "deaf"])).exitCode).toBe(0);
  await waitFor("its end", async () => (await status("deaf")) === "stopped");
  expect(readFileSync(out, "utf8")).toBe("SigBlk:\t0000000000000000\n");
  expect((await oci(["delete", "deaf"])).exitCode).toBe(0);
}, 60_000);

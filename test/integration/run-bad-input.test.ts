/** What `sampan run` cannot do is said in one sentence that names it, with exit code 125, and nothing is made. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, run, SAMPAN, type Sandbox } from "../support/index.ts";

let sandbox: Sandbox;
let rootfs = "";
beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
  writeFileSync(join(sandbox.dir, "file"), "");
  mkdirSync(join(sandbox.dir, "directory"));
  writeFileSync(join(sandbox.dir, "broken.json"), "{");
  writeFileSync(join(sandbox.dir, "odd.json"), '{ "defaultAction": "SCMP_ACT_WHAT" }');
});
afterAll(() => sandbox[Symbol.asyncDispose]());

/** "@" stands for the sandbox's directory. */
async function refused(flags: string[], command = ["true"]): Promise<string> {
  const words = flags.map((word) => word.replaceAll("@", sandbox.dir));
  const result = await sandbox.sampan(["run", "--network", "none", "--rootfs", rootfs, ...words, ...command]);
  expect(result.stdout).toBe("");
  expect(result.exitCode).toBe(125);
  for (const place of [join(sandbox.root, "containers"), join(sandbox.state, "containers")]) if (existsSync(place)) expect(readdirSync(place)).toEqual([]);
  if (existsSync(sandbox.state)) expect(await sandbox.ok(["ps", "-aq"])).toBe("");
  return result.stderr.replaceAll(sandbox.dir, "@");
}

const sentences = (stderr: string): string[] => stderr.split("\n").filter((line) => line.startsWith("sampan: "));

describe("one sentence that names it", () => {
  test.each<[string[], string]>([
    [["--nosuch"], "--nosuch"],
    [["--name", "a/b"], "a/b"],
    [["--name", "../x"], "../x"],
    [["-u", "4294967296"], "4294967296"],
    [["-u", "-1"], "-1"],
    [["-u", "0x0"], "0x0"],
    [["-u", ":"], '":"'],
    [["-u", "nosuchuser"], "nosuchuser"],
    [["-u", "app:nosuchgroup"], "nosuchgroup"],
    [["--group-add", "nosuchgroup"], "nosuchgroup"],
    [["--group-add", "-1"], 'group "-1"'],
    [["--rootfs", ""], "--rootfs"],
    [["--rootfs", "/proc"], "--rootfs /proc:rw"],
    [["-w", "relative"], "relative"],
    [["-w", "/etc/passwd"], "/etc/passwd"],
    [["-h", "a b"], "a b"],
    [["-e", "=x"], "=x"],
    [["--env-file", "@/nosuch"], "@/nosuch"],
    [["--label-file", "@/nosuch"], "@/nosuch"],
    [["-l", "=x"], "=x"],
    [["-v", "relative:path"], "relative:path"],
    [["-v", "@/file:/"], "@/file:/"],
    [["-v", "@/file:/x:bogus"], "bogus"],
    [["-v", "@/directory:/proc"], "/proc"],
    [["-v", "@/file:/proc/sys/kernel/core_pattern"], "/proc/sys/kernel/core_pattern"],
    [["-v", "@/file:/etc"], "/etc"],
    [["-v", "@/directory:/etc/passwd"], "/etc/passwd"],
    [["-v", "@/directory:/x", "-v", "@/file:/x"], "/x"],
    [["--mount", "type=bind,source=@/nosuch,target=/x"], "@/nosuch"],
    [["--mount", "type=nosuch,target=/x"], "nosuch"],
    [["--mount", "type=bind,source=@/file"], "target"],
    [["--tmpfs", "/t:bogus=1"], "bogus=1"],
    [["--tmpfs", "relative"], "relative"],
    [["--device", "/dev/nosuch"], "/dev/nosuch"],
    [["--device", "@/file"], "@/file"],
    [["--device", "/dev/null:/dev/x:q"], "/dev/null:/dev/x:q"],
    [["--device-cgroup-rule", "q 1:1 r"], "q 1:1 r"],
    [["--cap-add", "NOSUCH"], "NOSUCH"],
    [["--cap-drop", "NOSUCH"], "NOSUCH"],
    [["--security-opt", "nosuch=1"], "nosuch=1"],
    [["--security-opt", "apparmor=nosuch"], "nosuch"],
    [["--security-opt", "seccomp=@/nosuch"], "@/nosuch"],
    [["--security-opt", "seccomp=@/broken.json"], "@/broken.json"],
    [["--security-opt", "seccomp=@/odd.json"], "SCMP_ACT_WHAT"],
    [["--ulimit", "nosuch=1"], "nosuch"],
    [["--ulimit", "nofile=9:8"], "9 > 8"],
    [["--ulimit", "nofile=x"], "nofile=x"],
    [["--shm-size", "x"], "x"],
    [["--sysctl", "kernel.panic=1"], "kernel.panic"],
    [["--sysctl", "net.nosuch=1"], "net.nosuch"],
    [["--sysctl", "net.ipv4.ip_forward=bad"], "net.ipv4.ip_forward"],
    [["--stop-signal", "NOSUCH"], "NOSUCH"],
    [["--pid", "nosuch"], "--pid"],
    [["--ipc", "nosuch"], "--ipc"],
    [["--uts", "nosuch"], "--uts"],
    [["-m", "x"], '"x"'],
    [["-m", "-5"], '"-5"'],
    [["-m", "1k"], "Minimum memory limit"],
    [["-m", "64m", "--memory-swap", "32m"], "memoryswap"],
    [["--memory-swap", "32m"], "Memory limit"],
    [["--cpus", "x"], '"x"'],
    [["--cpus", "-1"], '"-1"'],
    [["--cpus", "1", "--cpu-quota", "5000"], "CPU Quota"],
    [["--cpu-period", "5"], "1000"],
    [["--cpu-quota", "5"], "1ms"],
    [["--cpuset-cpus", "x"], "x"],
    [["--cpuset-cpus", "4000"], "4000"],
    [["--cpuset-mems", "63"], "63"],
    [["--pids-limit", "x"], '"x"'],
    [["--blkio-weight", "5"], "blkio"],
    [["--oom-score-adj", "1001"], "1001"],
    [["--memory-swappiness", "101"], "101"],
    [["--detach-keys", "nosuch"], "nosuch"],
    [["--gpus", "all"], "--gpus"],
  ])("%j", async (flags, name) => {
    const stderr = await refused(["--rm", ...flags]);
    expect(stderr).toContain(name);
    expect(sentences(stderr)).toHaveLength(1);
    expect(stderr).not.toMatch(/undefined|\[object|at \/|NaN/);
  });

  test("without --rm it leaves nothing either", async () => {
    expect(await refused(["-u", "nosuchuser"])).toContain("nosuchuser");
    expect(await refused(["--device", "/dev/nosuch"])).toContain("/dev/nosuch");
    expect(await refused(["--security-opt", "seccomp=@/odd.json"])).toContain("SCMP_ACT_WHAT");
  });

  test.each<[string[], string]>([
    [["--rootfs", "/nosuch", "true"], "/nosuch"],
    [["--rootfs", "/etc/passwd", "true"], "/etc/passwd"],
    [[""], "image"],
  ])("run %j", async (words, name) => {
    const result = await sandbox.sampan(["run", "--rm", "--network", "none", ...words]);
    expect(result.exitCode).toBe(125);
    expect(sentences(result.stderr)).toHaveLength(1);
    expect(result.stderr).toContain(name);
  });
});

describe("all problems at once", () => {
  test("of the line", async () => {
    const stderr = await refused(["--name", "a/b", "-m", "1k", "--cpus", "x", "--env-file", "@/nosuch", "-u", "0x0", "--ulimit", "nosuch=1", "--cap-add", "NOSUCH", "-w", "rel"]);
    for (const name of ["a/b", "Minimum memory", '"x"', "@/nosuch", "0x0", "nosuch", "CAP_NOSUCH", "rel"]) expect(stderr).toContain(name);
    expect(sentences(stderr)).toHaveLength(8);
  });

  test("of the host and the image", async () => {
    const stderr = await refused(["-u", "nobodyhere", "--group-add", "nogroup2", "--device", "/dev/nosuch", "--security-opt", "apparmor=p", "--mount", "type=bind,source=@/nosuch,target=/x", "-v", "@/directory:/proc/y"]);
    for (const name of ["nobodyhere", "nogroup2", "/dev/nosuch", '"p"', "@/nosuch", "/proc/y"]) expect(stderr).toContain(name);
    expect(sentences(stderr)).toHaveLength(6);
  });
});

test("not root: one sentence that says so", async () => {
  const result = await run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", SAMPAN, "run", "--rm", "host", "true"], { env: { SAMPAN_ROOT: "/tmp/nosuch-root", SAMPAN_STATE: "/tmp/nosuch-state" } });
  expect(result.exitCode).toBe(125);
  expect(result.stdout).toBe("");
  expect(result.stderr.split("\n").filter((line) => line.startsWith("sampan:"))).toHaveLength(1);
  expect(result.stderr).toContain("root");
  expect(existsSync("/tmp/nosuch-root") || existsSync("/tmp/nosuch-state")).toBe(false);
});

test("a disk without room for the state: one sentence, and a state that is whole or not there", async () => {
  const place = join(sandbox.dir, "small");
  mkdirSync(place);
  // From too small for a page to just too small: whatever was begun, a run that has room succeeds after it.
  const script = `for kb in 60 120 160 200 240 280; do
      mount -t tmpfs -o size=\${kb}k tmpfs ${place} && "$0" $1; echo "rc=$?"
      mount -o remount,size=4m ${place} && "$0" $1 && echo "whole"; umount ${place}
    done`;
  const { stdout, stderr } = await run(["unshare", "-m", "sh", "-c", script, SAMPAN, `--root ${place}/root run --rm --network none --rootfs ${rootfs} true`], { env: sandbox.env });
  expect(stdout.match(/^whole$/gm)).toHaveLength(6);
  expect(stdout).toContain("rc=125");
  expect(stderr).not.toContain("damaged");
});

test("what `run` ends with 125 for is 1 for `create` and `update`, as Docker's daemon has it", async () => {
  await using sandbox = createSandbox();
  const rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
  await sandbox.ok(["create", "--name", "taken", "--network", "none", "--rootfs", rootfs, "true"]);
  expect((await sandbox.sampan(["run", "--name", "taken", "--network", "none", "--rootfs", rootfs, "true"])).exitCode).toBe(125);
  expect((await sandbox.sampan(["create", "--name", "taken", "--network", "none", "--rootfs", rootfs, "true"])).exitCode).toBe(1);
  expect((await sandbox.sampan(["update", "--memory", "50m", "--memory-swap", "20m", "taken"])).exitCode).toBe(1);
  expect((await sandbox.sampan(["update", "--memory", "many", "taken"])).exitCode).toBe(125);
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, openSync, closeSync, readFileSync, readdirSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { SAMPAN, busyboxRootfs, createSandbox, waitFor } from "../support/index.ts";
import type { Sandbox } from "../support/index.ts";

/** exec lands in every namespace and in the cgroup, with the container's environment, or fails (FEATURES, experiment 9). */
let sandbox: Sandbox;
let rootfs = "";
const sh = (script: string, ...flags: string[]): Promise<string> => sandbox.ok(["exec", ...flags, "web", "sh", "-c", script]);

beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
  await sandbox.ok(["run", "-d", "--name", "web", "-e", "GREETING=hello", "-w", "/tmp", "--rootfs", rootfs, "sleep", "1000"]);
});
afterAll(async () => { await sandbox[Symbol.asyncDispose](); });

test("it is in the namespaces of the first process, and in its cgroups as the host sees them", async () => {
  for (const name of ["cgroup", "ipc", "mnt", "net", "pid", "uts", "user"])
    expect(await sh(`readlink /proc/self/ns/${name}; readlink /proc/1/ns/${name}`)).toMatch(/^(\S+)\n\1$/);
  await sandbox.ok(["exec", "-d", "web", "sleep", "777"]);
  const first = Number(await sandbox.ok(["container", "inspect", "-f", "{{.State.Pid}}", "web"]));
  const groups = readFileSync(`/proc/${first}/cgroup`, "utf8");
  const table = await waitFor("the process", async () => /^\S+\s+(\d+).*sleep 777$/m.exec(await sandbox.ok(["top", "web"])) ?? undefined);
  expect(readFileSync(`/proc/${table[1]}/cgroup`, "utf8")).toBe(groups);
  expect(groups).toMatch(/\/sampan\/[0-9a-f]{64}/);
});

test("it has the container's environment, directory, capabilities and filter, unless told otherwise", async () => {
  expect(await sh("echo $GREETING $HOSTNAME $HOME; pwd")).toMatch(/^hello [0-9a-f]{12} \/root\n\/tmp$/);
  expect(await sh("echo $GREETING $NEW", "-e", "GREETING=bye", "-e", "NEW=1")).toBe("bye 1");
  expect(await sh("pwd", "-w", "/etc")).toBe("/etc");
  expect(await sh("id -u; id -G; echo $HOME", "-u", "app")).toBe("1000\n1000 10 2000\n/home/app");
  expect(await sh("id -u; id -g", "-u", "7:8")).toBe("7\n8");
  // Half of it, as Docker reads it: the user's own group, and root with another group.
  expect([await sh("id -u; id -g", "-u", "app:"), await sh("id -u; id -g", "-u", "7:"), await sh("id -u; id -g", "-u", ":5")]).toEqual(["1000\n1000", "7\n0", "0\n5"]);
  const own = await sh("grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status");
  expect(own).toBe(await sh("grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/1/status"));
  expect(own).toContain("Seccomp:\t2");
  expect(await sh("grep CapEff /proc/self/status", "--privileged")).not.toContain("00000000a80425fb");
});

test("exit codes are the program's, 127 for none, 126 for what cannot be executed", async () => {
  const code = async (...args: string[]): Promise<number | null> => (await sandbox.sampan(["exec", "web", ...args])).exitCode;
  expect(await code("sh", "-c", "exit 7")).toBe(7);
  expect(await code("sh", "-c", "kill -9 $$")).toBe(137);
  expect(await code("nope")).toBe(127);
  expect(await code("/no/such/program")).toBe(127);
  expect(await code("/etc/passwd")).toBe(126);
  expect((await sandbox.sampan(["exec", "-w", "/nope", "web", "true"])).exitCode).toBe(126);
  const nobody = await sandbox.sampan(["exec", "-u", "nobody-here", "web", "true"]);
  expect([nobody.exitCode, nobody.stderr]).toEqual([126, "sampan: unable to find user nobody-here: no matching entries in passwd file\n"]);
});

test("no byte of its streams is lost, through pipes and into files", async () => {
  const input = "0123456789".repeat(300_000);
  const piped = await sandbox.sampan(["exec", "-i", "web", "sh", "-c", "cat; echo bad >&2"], { input });
  expect([piped.stdout === input, piped.stderr]).toEqual([true, "bad\n"]);
  const file = openSync(join(sandbox.dir, "out"), "w");
  spawnSync(SAMPAN, ["exec", "web", "head", "-c", "5000000", "/dev/zero"], { env: { ...process.env, ...sandbox.env }, stdio: ["ignore", file, "inherit"] });
  closeSync(file);
  expect(readFileSync(join(sandbox.dir, "out")).length).toBe(5_000_000);
  expect((await sandbox.sampan(["exec", "web", "cat"], { input: "not asked for" })).stdout).toBe("");
});

test("-t gives it a terminal of the container's own, of the caller's size, with job control", async () => {
  await using pty = await sandbox.pty(["exec", "-it", "web", "sh"], { rows: 33, cols: 77 });
  pty.send("stty size; tty; echo $TERM\n");
  await pty.expect("33 77");
  await pty.expect(/\/dev\/pts\/\d+/);
  await pty.expect("xterm");
  pty.resize(20, 50);
  await waitFor("the new size", async () => { pty.send("stty size\n"); return pty.output.includes("20 50"); });
  pty.send("sleep 4321\n");
  await waitFor("sleep", async () => (await sandbox.ok(["top", "web"])).includes("sleep 4321"));
  pty.send("\u0003");
  // What is typed together with Ctrl-C may be thrown away with it: the shell answers first.
  await waitFor("the shell again", async () => { pty.send("echo ba''ck\n"); return pty.output.includes("back"); });
  pty.send("exit 5\n");
  expect((await pty.exited).exitCode).toBe(5);
});

test("the detach keys leave it running", async () => {
  await using pty = await sandbox.pty(["exec", "-it", "web", "sh", "-c", "echo ready; sleep 55"]);
  await pty.expect("ready");
  pty.send("\u0010\u0011");
  expect((await pty.exited).exitCode).toBe(0);
  expect(await sandbox.ok(["top", "web"])).toContain("sleep 55");
});

test("it ends with 137 when the container is killed, and is refused in Docker's words where nothing runs", async () => {
  await sandbox.ok(["run", "-d", "--name", "gone", "--rootfs", rootfs, "sleep", "1000"]);
  const held = sandbox.start(["exec", "gone", "sleep", "1000"]);
  await waitFor("exec", async () => ((await sandbox.ok(["top", "gone"])).match(/sleep/g)?.length ?? 0) >= 2);
  const ended = new Promise((resolve) => held.once("exit", resolve));
  await sandbox.ok(["kill", "gone"]);
  expect(await ended).toBe(137);
  const refused = await sandbox.sampan(["exec", "gone", "true"]);
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toMatch(/container [0-9a-f]{64} is not running/);
  await sandbox.ok(["pause", "web"]);
  try {
    const paused = await sandbox.sampan(["exec", "web", "true"]);
    expect(paused.exitCode).toBe(1);
  expect(paused.stderr).toContain("Container web is paused, unpause the container before exec");
  } finally {
    await sandbox.ok(["unpause", "web"]);
  }
  expect((await sandbox.sampan(["exec", "nosuch", "true"])).stderr).toContain("No such container: nosuch");
});

test("where keel cannot be started, that is told, and no record of a command stays", async () => {
  const keel = readdirSync(sandbox.root).find((name) => name.startsWith("keel-")) ?? "";
  const records = (): Promise<string> => sandbox.ok(["inspect", "-f", "{{json .ExecIDs}} {{.State.Status}}", "web"]);
  const before = await records();
  chmodSync(join(sandbox.root, keel), 0o600);
  try {
    for (const flags of [[], ["-d"]]) {
      const { exitCode, stderr } = await sandbox.sampan(["exec", ...flags, "web", "true"]);
      expect(exitCode).not.toBe(0);
      expect(stderr).toContain("EACCES");
      expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
      expect(await records()).toBe(before);
    }
  } finally {
    chmodSync(join(sandbox.root, keel), 0o700);
  }
  expect(await sh("echo again")).toBe("again");
});

test("limits hold for it: two busy loops, one by exec, share the container's CPU", async () => {
  await sandbox.ok(["run", "-d", "--name", "busy", "--cpus", "0.2", "--rootfs", rootfs, "sh", "-c", "while :; do :; done"]);
  await sandbox.ok(["exec", "-d", "busy", "sh", "-c", "while :; do :; done"]);
  await Bun.sleep(500);
  const used = async (): Promise<number> => Number.parseFloat(await sandbox.ok(["stats", "--no-stream", "--format", "{{.CPUPerc}}", "busy"]));
  const share = ((await used()) + (await used()) + (await used())) / 3;
  expect(share).toBeGreaterThan(15);
  expect(share).toBeLessThan(25);
  await sandbox.ok(["rm", "-f", "busy"]);
}, 20_000);

import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KEEL, SAMPAN, busyboxRootfs, createSandbox } from "../support/index.ts";
import type { Sandbox } from "../support/index.ts";

/** PITFALLS, attacks 1, 2 and 3, for exec: what a hostile container can do to the one who enters it. */
let sandbox: Sandbox;
let rootfs = "";

beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
  await sandbox.ok(["run", "-d", "--name", "evil", "--rootfs", rootfs, "sleep", "1000"]);
});
afterAll(async () => { await sandbox[Symbol.asyncDispose](); });

const sh = (script: string): Promise<string> => sandbox.ok(["exec", "evil", "sh", "-c", script]);
const digest = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

test("CVE-2019-5736: the executor cannot be written through /proc/PID/exe while it enters", async () => {
  const executors = [KEEL, SAMPAN, ...readdirSync(sandbox.root).filter((name) => name.startsWith("keel-")).map((name) => join(sandbox.root, name))];
  const before = executors.map(digest);
  await sh("printf '#!/proc/self/exe\\n' > /bin/trap; chmod 755 /bin/trap");
  await sandbox.ok(["exec", "-d", "evil", "sh", "-c", "while :; do for p in /proc/[0-9]*; do echo owned > $p/exe; cat $p/exe > /copy; done 2>/dev/null; done"]);
  for (let i = 0; i < 15; i++) {
    await sandbox.sampan(["exec", "evil", "/proc/self/exe"]);
    await sandbox.sampan(["exec", "evil", "/bin/trap"]);
  }
  expect(executors.map(digest)).toEqual(before);
});

test("CVE-2024-21626, CVE-2016-9962: no descriptor of the host's gets in, none is a working directory", async () => {
  // ls has its own descriptor for the directory, 3.
  expect(await sh("ls /proc/self/fd")).toBe("0\n1\n2\n3");
  for (let fd = 3; fd < 24; fd++) {
    const { exitCode } = await sandbox.sampan(["exec", "-w", `/proc/self/fd/${fd}`, "evil", "pwd"]);
    expect(exitCode).toBe(126);
  }
  await sh("for i in 3 4 5 6 7 8 9 10 11 12 13 14; do ln -s /proc/self/fd/$i /link$i; done; ln -s /proc/1/root /root1");
  for (const link of ["/link3", "/link7", "/link8", "/link12", "/root1"]) expect((await sandbox.sampan(["exec", "-w", link, "evil", "pwd"])).exitCode).toBe(126);
});

test("a process inside sees no descriptor of one that is just entering", async () => {
  await sandbox.ok(["exec", "-d", "evil", "sh", "-c", "while :; do ls -l /proc/[0-9]*/fd /proc/[0-9]*/cwd /proc/[0-9]*/root; done >> /seen 2>/dev/null"]);
  for (let i = 0; i < 15; i++) await sandbox.ok(["exec", "evil", "true"]);
  const seen = await sh("cat /seen");
  expect(seen).toContain("/seen");
  for (const line of seen.split("\n")) expect(line).not.toMatch(/cgroup|\/proc\/\d+$|mnt:|net:|plan|report/);
}, 30_000);

test("files and directories of the caller's do not get in as streams: only what is in them", async () => {
  const secret = join(sandbox.dir, "secret");
  mkdirSync(secret);
  writeFileSync(join(secret, "file"), "content\n");
  const run = (fd: number, script: string): { stdout: string } =>
    spawnSync(SAMPAN, ["exec", "-i", "evil", "sh", "-c", script], { env: { ...process.env, ...sandbox.env }, stdio: [fd, "pipe", "inherit"], encoding: "utf8" });
  const directory = openSync(secret, "r");
  expect(run(directory, "ls /proc/self/fd/0/ 2>&1; cat /proc/self/fd/0/file 2>&1; cd /proc/self/fd/0 && ls; true").stdout).not.toMatch(/^file$|content/m);
  closeSync(directory);
  const file = openSync(join(secret, "file"), "r");
  // It writes into its own pipe, before or after what comes through it from the file.
  expect(run(file, "echo owned > /proc/self/fd/0; cat").stdout).toMatch(/^(?:owned\n)?content\n/);
  closeSync(file);
  expect(readFileSync(join(secret, "file"), "utf8")).toBe("content\n");
});

test("what the container put in the place of /dev/null, /proc or /etc/passwd has no say", async () => {
  await sandbox.ok(["run", "-d", "--name", "traps", "--rootfs", rootfs, "sh", "-c", "rm /dev/null && mkfifo /dev/null && rm /etc/passwd && ln -s /proc/1/environ /etc/passwd && sleep 1000"]);
  await Bun.sleep(200);
  expect((await sandbox.sampan(["exec", "traps", "echo", "in"], { timeoutMs: 5000 })).stdout).not.toContain("hang");
  const byName = await sandbox.sampan(["exec", "-u", "app", "traps", "true"]);
  expect(byName.exitCode).not.toBe(0);
  expect(await sandbox.ok(["exec", "-u", "5:6", "traps", "id", "-u"])).toBe("5");
});

test("an idle stream is a null device of the program's own: the host's keeps its owner and cannot be reached", () => {
  const { dev, ino } = statSync("/dev/null");
  const idle = openSync("/dev/null", "r+");
  for (const user of ["0", "7"]) {
    const script = "stat -L -c %d:%i /proc/self/fd/0 /proc/self/fd/1 >&2; cat; echo into nothing; : > /dev/stdin";
    const { status, stderr } = spawnSync(SAMPAN, ["exec", "-u", user, "evil", "sh", "-c", script], { stdio: ["ignore", idle, "pipe"], env: sandbox.env, encoding: "utf8" });
    expect(status).toBe(0);
    expect(stderr).toMatch(/^\d+:\d+\n\d+:\d+\n$/);
    expect(stderr).not.toContain(`${dev}:${ino}\n`);
    expect(statSync("/dev/null").uid).not.toBe(7);
  }
  closeSync(idle);
});

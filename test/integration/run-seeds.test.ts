/** Lines as the teaching engines take them, with what they were meant to do there. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, installProbe, packRootfs, parseFacts, type Sandbox } from "../support/index.ts";

let sandbox: Sandbox;
let rootfs = "";
beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
  await installProbe(rootfs);
  await sandbox.ok(["import", await packRootfs(rootfs, join(sandbox.dir, "rootfs.tar")), "busybox"]);
});
afterAll(() => sandbox[Symbol.asyncDispose]());

test("mydocker: run -ti -m 100m -cpuset 0-1 -cpushare 512 -name NAME -e K=V -v HOST:CONTAINER -net none", async () => {
  const line = ["run", "-ti", "--rm", "-m", "100m", "-cpuset", "0-1", "-cpushare", "512", "-name", "bird", "-e", "bird=123", "-v", `${sandbox.dir}:/host`, "-net", "none", "busybox", "/probe", "facts", "-w", "/host"];
  await using pty = await sandbox.pty(line);
  expect((await pty.exited).exitCode).toBe(0);
  const facts = parseFacts(pty.output);
  expect(facts.env).toContain("bird=123");
  expect(facts.writable).toEqual({ "/host": "yes" });
  expect(facts.tty.controlling).toBe(true);
  expect(facts.net_dev?.split("\n").slice(2).filter((text) => text !== "").map((text) => text.trim().split(":")[0])).toEqual(["lo"]);
});

test("mydocker: run -d, then exec, logs, stop and rm", async () => {
  await sandbox.ok(["run", "-d", "-name", "bird", "-net", "none", "busybox", "sh", "-c", "echo said; exec sleep 60"]);
  expect(await sandbox.ok(["exec", "bird", "hostname"])).toMatch(/^[0-9a-f]{12}$/);
  expect(await sandbox.ok(["logs", "bird"])).toBe("said");
  await sandbox.ok(["stop", "-t", "0", "bird"]);
  await sandbox.ok(["rm", "bird"]);
});

test("Gocker: run --mem MB --swap MB --pids N --cpus F IMAGE CMD", async () => {
  const limits = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max; cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max";
  expect(await sandbox.ok(["run", "--rm", "--network", "none", "--mem=128", "--swap=0", "--pids=7", "--cpus=0.5", "busybox", "sh", "-c", limits])).toBe(`${128 << 20}\n7`);
});

test("gocker: run -it -rootfs=DIR -cpus=N -m=MB CMD", async () => {
  await using pty = await sandbox.pty(["run", "-it", "--rm", "-net=none", `-rootfs=${rootfs}`, "-cpus=1", "-m=100m", "sh"]);
  await pty.expect("# ");
  pty.send("echo pid=$$; exit 6\r");
  await pty.expect("pid=1");
  expect((await pty.exited).exitCode).toBe(6);
});

test("an imported image does not change, and two containers of it share nothing (experiment 6)", async () => {
  expect(await sandbox.ok(["run", "--rm", "--network", "none", "busybox", "sh", "-c", "echo x > /mine; rm /etc/group; ls /mine"])).toBe("/mine");
  expect((await sandbox.sampan(["run", "--rm", "--network", "none", "busybox", "ls", "/mine", "/etc/group"])).stdout.trim()).toBe("/etc/group");
});

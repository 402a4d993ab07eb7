import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, waitFor } from "../support/index.ts";
import type { Sandbox } from "../support/index.ts";

/** diff, top, stats, update, health: what is asked of a container that lives. */
let sandbox: Sandbox;
let rootfs = "";
beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
  await sandbox.ok(["run", "-d", "--name", "web", "-m", "64m", "--rootfs", rootfs, "sleep", "1000"]);
});
afterAll(async () => { await sandbox[Symbol.asyncDispose](); });

test("a fresh container has no changes; then every kind of them, running and not", async () => {
  expect(await sandbox.ok(["diff", "web"])).toBe("");
  await sandbox.ok(["exec", "web", "sh", "-c", "rm /etc/group; echo x >> /etc/passwd; mkdir -p /new/deep; echo y > /new/deep/file; rm -r /home; mkdir /home; chmod 700 /mnt; rm /bin/ls; ln -s busybox /bin/ls"]);
  const changes = "C /bin\nC /bin/ls\nC /etc\nD /etc/group\nC /etc/passwd\nC /home\nD /home/app\nC /mnt\nA /new\nA /new/deep\nA /new/deep/file";
  expect(await sandbox.ok(["diff", "web"])).toBe(changes);
  await sandbox.ok(["stop", "-t", "0", "web"]);
  expect(await sandbox.ok(["diff", "web"])).toBe(changes);
  await sandbox.ok(["start", "web"]);
});

test("top lists the container's processes alone, by any columns of ps", async () => {
  const table = await sandbox.ok(["top", "web"]);
  expect(table.split("\n")).toHaveLength(2);
  expect(table).toMatch(/^UID\s+PID\s+PPID\s+C\s+STIME\s+TTY\s+TIME\s+CMD\nroot\s+\d+.*sleep 1000$/);
  expect(await sandbox.ok(["top", "web", "-o", "pid,comm"])).toMatch(/^PID\s+COMMAND\n\d+\s+sleep$/);
  expect((await sandbox.sampan(["top", "web", "-o", "comm"])).stderr).toContain("Couldn't find PID field in ps output");
  await sandbox.ok(["run", "--name", "over", "--rootfs", rootfs, "true"]);
  expect((await sandbox.sampan(["top", "over"])).stderr).toMatch(/container [0-9a-f]{64} is not running/);
});

test("stats tell what the kernel counts", async () => {
  const line = JSON.parse(await sandbox.ok(["stats", "--no-stream", "--format", "json", "web"])) as Record<string, string>; // as Docker's
  expect(line).toMatchObject({ Name: "web", PIDs: "1" });
  expect(line["MemUsage"]).toMatch(/^[\d.]+[KM]iB \/ 64MiB$/);
  const all = await sandbox.ok(["stats", "--no-stream", "-a", "--format", "{{.Name}}"]);
  expect(all.split("\n").sort()).toEqual(["over", "web"]);
});

test("update changes limits while it runs, by the kernel's own figures, and keeps them over a restart", async () => {
  const pid = await sandbox.ok(["container", "inspect", "-f", "{{.State.Pid}}", "web"]);
  const group = (controller: string): string => {
    const line = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n").find((entry) => entry.split(":")[1]?.split(",").includes(controller));
    return line === undefined ? "" : `/sys/fs/cgroup/${controller}${line.split(":")[2]}`;
  };
  await sandbox.ok(["update", "-m", "32m", "--memory-swap", "64m", "--pids-limit", "9", "--restart", "always", "web"]);
  if (group("memory") !== "") expect(readFileSync(`${group("memory")}/memory.limit_in_bytes`, "utf8").trim()).toBe(String(32 << 20));
  if (group("pids") !== "") expect(readFileSync(`${group("pids")}/pids.max`, "utf8").trim()).toBe("9");
  expect(await sandbox.ok(["container", "inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}}", "web"])).toBe(`${32 << 20} 9 always`);
  await sandbox.ok(["update", "--restart", "no", "web"]);
  await sandbox.ok(["restart", "-t", "0", "web"]);
  expect(await sandbox.ok(["stats", "--no-stream", "--format", "{{.MemUsage}}", "web"])).toContain("/ 32MiB");
  expect((await sandbox.sampan(["update", "web"])).exitCode).toBe(1);
});

test("a health check is run inside by the monitor; what it says shows in ps, inspect and events; on-unhealthy restarts", async () => {
  await sandbox.ok(["run", "-d", "--name", "sick", "--stop-timeout", "0", "--restart", "on-unhealthy", "--health-cmd", "cat /state", "--health-interval", "200ms", "--health-retries", "2", "--rootfs", rootfs, "sh", "-c", "echo life >> /lives; echo fine > /state; sleep 1000"]);
  const status = (): Promise<string> => sandbox.ok(["ps", "--filter", "name=sick", "--format", "{{.Status}}"]);
  expect(await status()).toContain("(health: starting)");
  await waitFor("healthy", async () => (await status()).includes("(healthy)"));
  const health = JSON.parse(await sandbox.ok(["container", "inspect", "-f", "{{json .State.Health}}", "sick"])) as { Status: string; Log: { ExitCode: number; Output: string }[] }; // as Docker's
  expect(health).toMatchObject({ Status: "healthy", Log: expect.arrayContaining([expect.objectContaining({ ExitCode: 0, Output: "fine\n" })]) as unknown });
  await sandbox.ok(["exec", "sick", "rm", "/state"]);
  await waitFor("the second life", async () => (await sandbox.sampan(["exec", "sick", "cat", "/lives"])).stdout === "life\nlife\n");
  await waitFor("healthy again", async () => (await status()).includes("(healthy)"));
  const events = await sandbox.ok(["events", "--since", "1m", "--until", "0s", "--filter", "container=sick"]);
  expect(events).toContain("health_status: healthy");
  expect(events).toContain("health_status: unhealthy");
  // By its policy: with a back-off, and counted.
  expect(await sandbox.ok(["inspect", "-f", "{{.RestartCount}} {{.HostConfig.RestartPolicy.Name}}", "sick"])).toBe("1 on-unhealthy");
}, 30_000);

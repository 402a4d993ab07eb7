import { afterAll, beforeAll, expect, test } from "bun:test";
import { createInterface } from "node:readline";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, waitFor } from "../support/index.ts";
import type { Sandbox } from "../support/index.ts";

let sandbox: Sandbox;
let rootfs = "";
beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
});
afterAll(async () => { await sandbox[Symbol.asyncDispose](); });

const start = (name: string, script: string, ...flags: string[]): Promise<string> => sandbox.ok(["run", "-d", "--name", name, ...flags, "--rootfs", rootfs, "sh", "-c", script]);
const logs = (...args: string[]): Promise<string> => sandbox.ok(["logs", ...args]);

test("streams, times, the last lines, and lines that came in pieces or hold any byte", async () => {
  await start("all", "echo one; echo two >&2; sleep 0.2; printf thr; sleep 0.2; echo ee; printf 'bytes \\000\\377\\n'; printf 'no end'");
  await sandbox.ok(["wait", "all"]);
  const both = await sandbox.sampan(["logs", "all"]);
  expect(both.stderr).toBe("two\n");
  expect(both.stdout.startsWith("one\nthree\nbytes \0")).toBe(true);
  expect(both.stdout.endsWith("\nno end")).toBe(true);
  expect(await logs("--tail", "1", "all")).toBe("no end");
  expect(await logs("-n", "0", "all")).toBe("");
  expect((await sandbox.sampan(["logs", "-n", "3", "all"])).stdout.split("\n")[0]).toBe("three");
  for (const line of (await logs("-t", "all")).split("\n")) expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z /);
});

test("since and until take times and durations", async () => {
  await start("timed", "echo early; sleep 1.2; echo late");
  await sandbox.ok(["wait", "timed"]);
  const [first = ""] = (await logs("-t", "timed")).split("\n");
  const middle = new Date(Date.parse(first.slice(0, 30)) + 600).toISOString();
  expect(await logs("--since", middle, "timed")).toBe("late");
  expect(await logs("--until", middle, "timed")).toBe("early");
  expect(await logs("--since", "1h", "timed")).toBe("early\nlate");
  expect(await logs("--since", "", "--until", "", "--tail", "", "timed")).toBe("early\nlate"); // a variable that is empty
  // To the nanosecond: the time of a line is the line's.
  const at = first.slice(0, 30);
  expect([await logs("--until", at, "timed"), await logs("--since", at, "timed")]).toEqual(["early", "early\nlate"]);
  const [before, after] = [-1n, 1n].map((step) => at.replace(/\d{9}Z/, (digits) => `${String(BigInt(digits.slice(0, 9)) + step).padStart(9, "0")}Z`));
  expect([await logs("--until", before ?? "", "timed"), await logs("--since", after ?? "", "timed")]).toEqual(["", "late"]);
});

test("--details shows the labels, variables and tag that --log-opt asked for", async () => {
  await sandbox.ok(["run", "--name", "details", "--network", "none", "-l", "tier=a b", "-l", "other=1", "-e", "FOO=x=y", "--log-opt", "labels=tier,none", "--log-opt", "env-regex=^F", "--log-opt", "tag={{.Name}}", "--rootfs", rootfs, "echo", "line"]);
  expect(await logs("--details", "details")).toBe("FOO=x%3Dy,tag=details,tier=a+b line");
  expect(await logs("--details", "-t", "details")).toMatch(/^\S+Z FOO=x%3Dy,tag=details,tier=a\+b line$/);
});

test("100 MB at full speed: -f and the files lose and tear nothing, the log stays bounded, and -f ends with the container", async () => {
  // 1,000,000 lines of 100 bytes by one program that only numbers them.
  await start("fast", "i=0; yes | head -n 1000000 | awk '{ printf \"%010d %088d\\n\", NR - 1, 0 }'", "--log-opt", "max-size=10m", "--log-opt", "max-file=3");
  const follower = sandbox.start(["logs", "-f", "fast"]);
  let next = 0;
  let torn = 0;
  if (follower.stdout)
    for await (const line of createInterface({ input: follower.stdout })) {
      if (line.length !== 99 || Number(line.slice(0, 10)) !== next) torn++;
      next++;
    }
  expect([next, torn]).toEqual([1_000_000, 0]);
  const kept = (await sandbox.ok(["logs", "fast"], { timeoutMs: 60_000 })).split("\n").map((line) => Number(line.slice(0, 10))); // from a line's beginning: files are rotated between lines
  const from = kept[0] ?? 0;
  expect(kept.at(-1)).toBe(999_999);
  expect(kept.every((value, i) => value === from + i)).toBe(true);
  expect(kept.length).toBeGreaterThan(140_000);
  const [id] = (await sandbox.ok(["ps", "-aq", "--no-trunc", "--filter", "name=fast"])).split("\n");
  const log = join(sandbox.root, `containers/${id}/log`);
  for (const path of [log, `${log}.1`, `${log}.2`]) expect(statSync(path).size).toBeLessThan(10_200_000);
  expect(existsSync(`${log}.3`)).toBe(false);
  const tail = (await logs("--tail", "120000", "fast")).split("\n");
  expect([tail.length, tail[0]?.slice(0, 10)]).toEqual([120_000, "0000880000"]);
}, 120_000);

test("a small bound holds, too, for what is written at once", async () => {
  const id = await start("small", "seq 1 20000", "--log-opt", "max-size=10k", "--log-opt", "max-file=3");
  await sandbox.ok(["wait", "small"]);
  for (const name of ["log", "log.1", "log.2"]) expect(statSync(join(sandbox.root, "containers", id, name)).size).toBeLessThan(11_000);
  const kept = (await logs("small")).split("\n").map(Number);
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 20_000 - kept.length + 1 + i));
  expect(kept.length).toBeGreaterThan(200);
}, 30_000);

test("-f goes on over a restart, and -f --tail begins near the end", async () => {
  await start("again", "echo born; sleep 0.5; echo more; sleep 60", "--stop-timeout", "0");
  await waitFor("the first lines", async () => (await logs("again")).includes("more"));
  const follower = sandbox.start(["logs", "-f", "--tail", "1", "again"]);
  let text = "";
  follower.stdout?.on("data", (chunk: Buffer) => { text += chunk.toString(); });
  await waitFor("what was there", () => text === "more\n");
  await sandbox.ok(["restart", "-t", "0", "again"]);
  await waitFor("the second life", () => text === "more\nborn\nmore\n");
  const ended = new Promise((resolve) => follower.once("exit", resolve));
  await sandbox.ok(["kill", "again"]);
  expect(await ended).toBe(0);
});

test("no log, no container: Docker's words", async () => {
  await start("silent", "echo unheard", "--log-driver", "none");
  const none = await sandbox.sampan(["logs", "silent"]);
  expect(none.exitCode).toBe(1);
  expect(none.stderr).toContain("configured logging driver does not support reading");
  expect((await sandbox.sampan(["logs", "nosuch"])).stderr).toContain("No such container: nosuch");
});

// The runner must see what a test file does wrong, and end what it leaves running.
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome } from "../../scripts/support/check-steps.ts";
import { isAwaited } from "../../scripts/support/process.ts";
import { runBatch } from "../../scripts/support/run-shards.ts";
import { parseShard } from "../../scripts/support/shards.ts";
import { becomeSubreaper, findDescendants } from "../../scripts/support/subreaper.ts";
import { createTempDir } from "../support/index.ts";

const temp = createTempDir("runner-");
const subreaper = becomeSubreaper(isAwaited);
mkdirSync(join(temp.path, "test"));
mkdirSync(join(temp.path, "run"));
afterAll(() => {
  temp[Symbol.dispose]();
});

async function runFile(name: string, body: string, timeoutMs = 20_000): Promise<Outcome[]> {
  const text = `import { expect, test } from "bun:test";\nimport { spawn, spawnSync } from "node:child_process";\nimport { writeFileSync } from "node:fs";\n${body}\n`;
  writeFileSync(join(temp.path, `test/${name}.test.ts`), text);
  const shard = { ...parseShard(`test/${name}.test.ts`, text), timeoutMs };
  return runBatch([shard], { repository: temp.path, runDirectory: join(temp.path, "run"), subreaper, sharedMachine: false });
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ");

test("a good file passes, with roots and a temporary directory of its own", async () => {
  const outcomes = await runFile("good", `
    test("roots", () => {
      for (const name of ["SAMPAN_ROOT", "SAMPAN_STATE", "TMPDIR"]) expect(process.env[name]).toStartWith(${JSON.stringify(join(temp.path, "run"))});
    });
    test.skip("later", () => {});
  `);
  expect(outcomes.map((outcome) => outcome.counts)).toEqual([{ passed: 1, failed: 0, skipped: 1 }]);
});

test("a failing, a crashing and an empty file have failed", async () => {
  const failing = await runFile("failing", `test("no", () => { expect(1).toBe(2); });`);
  expect(failing[0]?.counts).toEqual({ passed: 0, failed: 1, skipped: 0 });
  expect(failing[0]?.output).toContain("Expected: 2");
  const crashing = await runFile("crashing", `test("dies", () => { process.kill(process.pid, "SIGKILL"); });`);
  expect(crashing[0]?.counts.failed).toBe(1);
  const empty = await runFile("empty", "");
  expect(empty[0]?.counts.failed).toBe(1);
});

test("a file that takes too long is ended with all that it started", async () => {
  const note = join(temp.path, "pid");
  const outcomes = await runFile("late", `
    test("hangs", async () => {
      const child = spawn("sh", ["-c", "trap '' TERM; setsid sleep 1000 & echo $! > ${note}; wait"], { detached: true });
      await new Promise(() => undefined);
    }, 60_000);
  `, 1_500);
  expect(outcomes[0]?.counts.failed).toBe(1);
  expect(outcomes[0]?.output).toContain("took longer than 1.5 s");
  expect(isAlive(Number(readFileSync(note, "utf8")))).toBe(false);
  expect(findDescendants(process.pid).filter((entry) => entry.state !== "Z")).toEqual([]);
}, 20_000);

test("an orphan in a session of its own is a leak, named and ended", async () => {
  const outcomes = await runFile("orphan", `test("leaves one", () => { spawnSync("sh", ["-c", "setsid env -i sleep 4321 >/dev/null 2>&1 &"]); });`);
  expect(outcomes.map((outcome) => outcome.counts.failed)).toEqual([0, 1]);
  expect(outcomes[1]?.output).toMatch(/process left behind: \d+: sleep 4321/);
  const pid = Number(/behind: (\d+):/.exec(outcomes[1]?.output ?? "")?.[1]);
  expect(isAlive(pid)).toBe(false);
}, 20_000);

test("a file in the temporary directory is a leak", async () => {
  const outcomes = await runFile("file", `test("leaves one", () => { writeFileSync(process.env.TMPDIR + "/left", ""); });`);
  expect(outcomes[1]?.output).toMatch(/file left behind: .*\/t\/left/);
}, 20_000);

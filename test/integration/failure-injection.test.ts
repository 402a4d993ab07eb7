// slow
// timeout: 300 s
/**
 * Every call of the default plan fails once; each time the engine says which, and nothing is left: no mount, link, cgroup,
 * process, file, row. Needs root and the build; two workers share the calls.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createTempDir, runOk } from "../support/index.ts";
import { onOwnMachine } from "../support/own-machine.ts";
import type { FailingStart, FailingStarts, WholeRun } from "../support/failing-starts.ts";

const PARTS = 2;

async function work(temp: string, mode: string, part: number, parts: number): Promise<unknown> {
  const [root, state] = [join(temp, `root${part}`), join(temp, `state${part}`)];
  return JSON.parse(await runOk(onOwnMachine(join(temp, `mounts${part}`), "test/support/failing-starts.ts", [root, state, mode, String(part), String(parts)]), { timeoutMs: 280_000 }));
}

async function failEach(mode: string): Promise<{ count: number; starts: readonly FailingStart[] }> {
  using temp = createTempDir("faults-");
  // What the worker prints.
  const parts = (await Promise.all(Array.from({ length: PARTS }, (_, part) => work(temp.path, mode, part, PARTS)))) as FailingStarts[];
  return { count: parts[0]?.count ?? 0, starts: parts.flatMap(({ starts }) => starts) };
}

describe("when a call of a start fails", () => {
  test.each(["default", "detached"])("the engine names it, and nothing is left of the container: %s", async (mode) => {
    const { count, starts } = await failEach(mode);
    expect(count).toBeGreaterThan(300);
    expect(starts.map(({ index }) => index).sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(starts.filter(({ left }) => left.length > 0)).toEqual([]);
    // One that is reached stops the start, and one that is not needed does not.
    expect(starts.filter(({ reached, message }) => reached !== (message !== undefined))).toEqual([]);
    const unclear = starts.filter(({ message }) => message !== undefined && !/^Cannot .+: (fail: )?input\/output error \(EIO\)$/.test(message));
    expect(unclear).toEqual([]);
    // Both sides and every part of a start took their turn.
    for (const stage of ["cgroup", "clone", "network outside", "network inside", "mounts", "pivot", "identity", "monitor", "program"])
      expect(starts.some((start) => start.stage === stage && start.reached)).toBe(true);
  }, 290_000);
});

test("the host's mount table is the same, byte by byte, before, while and after a container runs", async () => {
  using temp = createTempDir("mounts-");
  const { before, during, after, seen } = (await work(temp.path, "whole", 0, 1)) as WholeRun; // what the worker prints
  expect(before).toContain(" shared:"); // a mount that a container did not make private would come back here
  expect(during).toBe(before);
  expect(after).toBe(before);
  // What the comparison above is made of is seen while a container runs: it would be seen if it stayed.
  expect(seen).toContain("cgroup");
  for (const kind of ["mount", "link", "process", "file", "row", "resource", "endpoint"]) expect(seen).toContain(kind);
}, 60_000);

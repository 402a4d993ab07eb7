import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { batchShards, findShards, parseShard, selectPart } from "./shards.ts";

test("markers count in the first comment lines only, and only on a line of their own", () => {
  expect(parseShard("test/a.test.ts", "// slow\n// timeout: 600 s\n")).toEqual({ path: "test/a.test.ts", slow: true, parallelSafe: false, timeoutMs: 600_000 });
  expect(parseShard("test/a.test.ts", "// parallel-safe\n").parallelSafe).toBe(true);
  const none = { slow: false, parallelSafe: false, timeoutMs: 300_000 };
  expect(parseShard("test/a.test.ts", `// this one is // slow\n`)).toMatchObject(none);
  expect(parseShard("test/a.test.ts", `${"\n".repeat(20)}// slow\n`)).toMatchObject(none);
});

test("files are found in every folder, keel's first and slow ones last, without the walls", () => {
  const repository = mkdtempSync(join(tmpdir(), "shards-"));
  try {
    for (const [path, text] of [
      ["test/walls.test.ts", ""],
      ["test/a-slow.test.ts", "// slow\n"],
      ["test/integration/run.test.ts", ""],
      ["test/integration/deep/quick.test.ts", "// parallel-safe\n"],
      ["test/native/keel.test.ts", ""],
      ["test/support/index.ts", ""],
    ] as const) {
      mkdirSync(join(repository, path, ".."), { recursive: true });
      writeFileSync(join(repository, path), text);
    }
    expect(findShards(repository).map((shard) => shard.path)).toEqual([
      "test/native/keel.test.ts",
      "test/integration/deep/quick.test.ts",
      "test/integration/run.test.ts",
      "test/a-slow.test.ts",
    ]);
  } finally {
    rmSync(repository, { recursive: true });
  }
});

test("parts are disjoint and together everything", () => {
  const items = Array.from({ length: 10 }, (_, index) => index);
  expect([1, 2, 3].flatMap((part) => selectPart(items, part, 3)).toSorted((a, b) => a - b)).toEqual(items);
  expect(selectPart(items, 1, 1)).toEqual(items);
});

test("only neighbouring parallel-safe files share a batch, two at most", () => {
  const shard = (path: string, parallelSafe: boolean) => ({ path, parallelSafe, slow: false, timeoutMs: 1 });
  const batches = batchShards([shard("a", true), shard("b", true), shard("c", true), shard("d", false), shard("e", true)]);
  expect(batches.map((batch) => batch.map((entry) => entry.path).join(""))).toEqual(["ab", "c", "d", "e"]);
});

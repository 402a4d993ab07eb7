/**
 * A shard is one test file that runs as a process of its own. The first comment lines of the file may say
 * what the runner should know:
 *
 *   // slow            run after all others
 *   // parallel-safe   touches no mount, network, cgroup: may run beside another such file
 *   // timeout: 600 s  instead of 300 s for the whole file
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Shard {
  /** Relative to the repository, e.g. "test/integration/run.test.ts". */
  path: string;
  slow: boolean;
  parallelSafe: boolean;
  timeoutMs: number;
}

const DEFAULT_TIMEOUT_MS = 300_000;

export function parseShard(path: string, source: string): Shard {
  const head = source.split("\n").slice(0, 12);
  const has = (marker: string): boolean => head.some((line) => line.trim() === `// ${marker}`);
  const limit = head.map((line) => /^\/\/ timeout: (\d+) s$/.exec(line.trim())?.[1]).find((seconds) => seconds !== undefined);
  return {
    path,
    slow: has("slow"),
    parallelSafe: has("parallel-safe"),
    timeoutMs: limit === undefined ? DEFAULT_TIMEOUT_MS : Number(limit) * 1000,
  };
}

/** What decides the order: keel's own tests first, since everything else stands on it; slow files last. */
function rank(shard: Shard): number {
  if (shard.slow) return 3;
  if (shard.path.startsWith("test/native/")) return 0;
  return shard.parallelSafe ? 1 : 2;
}

/** Every test file under test/ but the walls, which are part of the unit tests. */
export function findShards(repository: string): Shard[] {
  return readdirSync(join(repository, "test"), { recursive: true, encoding: "utf8" })
    .map((name) => `test/${name}`)
    .filter((path) => path.endsWith(".test.ts") && path !== "test/walls.test.ts")
    .map((path) => parseShard(path, readFileSync(join(repository, path), "utf8")))
    .sort((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1));
}

/** The i-th of n parts, counted from 1; neighbours go to different parts, so slow files are shared out. */
export function selectPart<T>(items: T[], part: number, parts: number): T[] {
  return items.filter((_, index) => index % parts === part - 1);
}

/** Neighbouring parallel-safe files in twos (as many as there are cores on a small machine), others alone. */
export function batchShards(shards: Shard[]): Shard[][] {
  const batches: Shard[][] = [];
  for (const shard of shards) {
    const last = batches.at(-1);
    const joins = shard.parallelSafe && last?.length === 1 && last[0]?.parallelSafe === true;
    if (joins) last.push(shard);
    else batches.push([shard]);
  }
  return batches;
}

import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { withLock } from "./lock.ts";

test("two pieces of work of one process take turns, and the one that waits does not stop the other", async () => {
  const directory = mkdtempSync(join(tmpdir(), "lock-"));
  try {
    const path = join(directory, "x.lock");
    let inside = 0;
    const order: string[] = [];
    const work = (name: string) => withLock(path, async () => {
      inside += 1;
      expect(inside).toBe(1);
      order.push(`${name} in`);
      await sleep(20);
      order.push(`${name} out`);
      inside -= 1;
    });
    const started = performance.now();
    await Promise.all([work("a"), work("b"), work("c")]);
    expect(order).toHaveLength(6);
    expect(performance.now() - started).toBeLessThan(3_000);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 10_000);

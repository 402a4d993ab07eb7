import { describe, expect, test } from "bun:test";
import { backoffMs, shouldBoot, shouldRestart } from "./restart-policy.ts";

const base = { restartPolicy: "no", restartMaxRetries: 0, restartCount: 0, hasBeenManuallyStopped: false, healthStatus: "none" } as const;

describe("restart policies", () => {
  test.each([
    ["no", 1, {}, false],
    ["always", 0, {}, true],
    ["always", 0, { hasBeenManuallyStopped: true }, false],
    ["unless-stopped", 0, {}, true],
    ["on-failure", 0, {}, false],
    ["on-failure", 1, {}, true],
    ["on-failure", 1, { restartMaxRetries: 2, restartCount: 1 }, true],
    ["on-failure", 1, { restartMaxRetries: 2, restartCount: 2 }, false],
    ["on-unhealthy", 137, {}, false],
    ["on-unhealthy", 137, { healthStatus: "unhealthy" as const }, true],
  ])("%s after exit code %d, %o", (restartPolicy, exitCode, more, expected) => {
    expect(shouldRestart({ ...base, restartPolicy, ...more }, exitCode)).toBe(expected);
  });

  test("what has never run is not started at boot, and only always outlasts a stop", () => {
    expect(shouldBoot({ ...base, restartPolicy: "always", startedMs: null, exitCode: null })).toBe(false);
    const stopped = { ...base, hasBeenManuallyStopped: true, startedMs: 1, exitCode: 137 };
    expect(["always", "unless-stopped", "on-failure", "no"].filter((restartPolicy) => shouldBoot({ ...stopped, restartPolicy }))).toEqual(["always"]);
  });

  test("the wait doubles up to a minute, and begins anew after ten seconds of running", () => {
    let record = { startedMs: 0, finishedMs: null as number | null, nextRestartMs: null as number | null };
    const waits: number[] = [];
    let now = 1_000_000;
    for (let i = 0; i < 13; i += 1) {
      const wait = backoffMs({ ...record, startedMs: now }, now + 5);
      waits.push(wait);
      record = { startedMs: now, finishedMs: now + 5, nextRestartMs: now + 5 + wait };
      now += wait + 10;
    }
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000, 60_000]);
    expect(backoffMs({ ...record, startedMs: now }, now + 10_000)).toBe(100);
  });
});

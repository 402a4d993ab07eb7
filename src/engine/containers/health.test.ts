import { expect, test } from "bun:test";
import { emptyRunRequest } from "../request.ts";
import { emptyConfig } from "../spec/image.ts";
import { healthCheckOf, judgeHealth, parseHealthLog } from "./health.ts";

const at = (second: number): string => `2024-01-02T03:04:${String(second).padStart(2, "0")}.000000000Z`;
const record = (second: number, code: number, output = "", mark = " "): string => `${at(second)} ${at(second)}${mark}${String(code).padStart(3, "0")} ${String(Buffer.byteLength(output)).padStart(4, "0")}\n${output}\n`;
const check = { command: ["true"], intervalMs: 1000, timeoutMs: 5000, startPeriodMs: 0, startIntervalMs: 5000, retries: 3 };
const judge = (text: string, more = {}): ReturnType<typeof judgeHealth> => judgeHealth({ ...check, ...more }, parseHealthLog(Buffer.from(text)));

test("a container is starting until a probe succeeds, and unhealthy after as many failures in a row as retries", () => {
  expect(judge("")).toEqual({ Status: "starting", FailingStreak: 0, Log: [] });
  expect(judge(record(1, 1) + record(2, 1))).toMatchObject({ Status: "starting", FailingStreak: 2 });
  expect(judge(record(1, 1) + record(2, 1) + record(3, 1))).toMatchObject({ Status: "unhealthy", FailingStreak: 3 });
  expect(judge(record(1, 0) + record(2, 1) + record(3, 1))).toMatchObject({ Status: "healthy", FailingStreak: 2 });
  expect(judge(record(1, 1) + record(2, 1) + record(3, 1) + record(4, 0))).toMatchObject({ Status: "healthy", FailingStreak: 0 });
});

test("failures of the start period do not count, unless it has been healthy", () => {
  const failing = (mark: string): string => [1, 2, 3].map((second) => record(second, 1, "", mark)).join("");
  expect(judge(failing("+"))).toMatchObject({ Status: "starting", FailingStreak: 0 });
  expect(judge(record(0, 0, "", "+") + failing(" "))).toMatchObject({ Status: "unhealthy", FailingStreak: 3 });
  // Whatever the machine's clock said meanwhile: the monitor counts by one that nobody sets.
  expect(judge(failing("+") + record(0, 1), { retries: 1 })).toMatchObject({ Status: "unhealthy", FailingStreak: 1 });
});

test("output may hold anything, a record that is cut off is left out, and a timeout has Docker's words", () => {
  const nasty = `${record(1, 1)}line\nfeed`;
  expect(judge(record(1, 1, nasty)).Log).toEqual([{ Start: at(1), End: at(1), ExitCode: 1, Output: nasty }]);
  expect(judge(record(1, 0) + record(2, 1, "abc").slice(0, -3))).toMatchObject({ Status: "healthy", FailingStreak: 0 });
  expect(judge(record(1, 999)).Log[0]).toMatchObject({ ExitCode: -1, Output: "Health check exceeded timeout (5s)" });
  for (const [timeoutMs, shown] of [[300, "300ms"], [1500, "1.5s"], [90_000, "1m30s"], [3_600_000, "1h0m0s"]] as const) expect(judge(record(1, 999), { timeoutMs }).Log[0]?.Output).toBe(`Health check exceeded timeout (${shown})`);
  expect(judge(record(1, 502)).Log[0]).toMatchObject({ ExitCode: -1, Output: 'Cannot execute "true": no such file or directory (ENOENT)' });
  expect(judge(Array.from({ length: 9 }, (_, i) => record(i, 0, String(i))).join("")).Log.map(({ Output }) => Output)).toEqual(["4", "5", "6", "7", "8"]);
});

test("the request goes over the image, field by field", () => {
  const image = { id: "", reference: "x", lowers: [], chainIds: [], config: { ...emptyConfig(), health: { test: ["CMD", "probe", "-q"], intervalMs: 7000 } } };
  const request = emptyRunRequest("x");
  expect(healthCheckOf({ request, image })).toMatchObject({ command: ["probe", "-q"], intervalMs: 7000, timeoutMs: 30_000, retries: 3 });
  expect(healthCheckOf({ request: { ...request, health: { test: ["CMD-SHELL", "a | b"], retries: 1 } }, image })).toMatchObject({ command: ["/bin/sh", "-c", "a | b"], intervalMs: 7000, retries: 1 });
  // In the start period it looks no less often than after it, unless it is told to.
  const intervals = (health: object): unknown => healthCheckOf({ request: { ...request, health }, image })?.startIntervalMs;
  expect([intervals({}), intervals({ intervalMs: 300 }), intervals({ intervalMs: 300, startIntervalMs: 1000 })]).toEqual([5000, 300, 1000]);
  expect(healthCheckOf({ request: { ...request, health: { test: ["NONE"] } }, image })).toBeUndefined();
  expect(healthCheckOf({ request, image: { ...image, config: emptyConfig() } })).toBeUndefined();
});

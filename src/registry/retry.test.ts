import { expect, test } from "bun:test";
import { cleanText } from "./failure.ts";
import { backoffMs, DEFAULT_RETRY, delay, parseRetryAfter } from "./retry.ts";

test("back-off doubles, with jitter, to a ceiling", () => {
  expect([1, 2, 3].map((attempt) => backoffMs(DEFAULT_RETRY, attempt, () => 1))).toEqual([250, 500, 1000]);
  expect(backoffMs(DEFAULT_RETRY, 1, () => 0)).toBe(125);
  expect(backoffMs(DEFAULT_RETRY, 60, () => 1)).toBe(8000);
});

test("Retry-After in seconds or as a date", () => {
  expect(parseRetryAfter("3")).toBe(3000);
  expect(parseRetryAfter("Wed, 21 Oct 2015 07:28:00 GMT", Date.UTC(2015, 9, 21, 7, 27, 50))).toBe(10_000);
  expect(parseRetryAfter("Wed, 21 Oct 2015 07:28:00 GMT")).toBe(0);
  for (const nonsense of [undefined, "", "soon", "-"]) expect(parseRetryAfter(nonsense)).toBeUndefined();
});

test("a delay ends at once when cancelled", async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 5);
  const start = performance.now();
  expect(await delay(60_000, controller.signal).catch((error: unknown) => error)).toMatchObject({ kind: "cancelled" });
  expect(performance.now() - start).toBeLessThan(5000);
});

test("a stranger's text cannot drive the terminal", () => {
  expect(cleanText("a\x1b[2Jb\r\nc\u202Ed\u2028e")).toBe("a [2Jb c d e");
  expect(cleanText("x".repeat(1000))).toHaveLength(301);
});

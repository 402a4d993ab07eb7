import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseDuration } from "./duration.ts";
import { parseTimestamp, parseTimestampNs } from "./timestamp.ts";

describe("parseDuration", () => {
  test.each([
    ["1m30s", 90_000], ["1.5h", 5_400_000], ["250ms", 250], ["0", 0], ["-2s", -2000], ["1us", 0.001], ["2µs", 0.002],
    ["1h2m3s4ms", 3_723_004], [".5s", 500],
  ] as const)("%s", (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 9);
  });
  test.each([
    ["abc", 'time: invalid duration "abc"'],
    ["5", 'time: missing unit in duration "5"'],
    ["5x", 'time: unknown unit "x" in duration "5x"'],
    ["", 'time: invalid duration ""'],
    ["-", 'time: invalid duration "-"'],
    ["1s x", 'time: unknown unit "s x" in duration "1s x"'],
  ] as const)(
    "refuses %p in Go's words",
    (text, reason) => expect(() => parseDuration(text)).toThrow(reason),
  );
  test("parts add up", () => {
    fc.assert(fc.property(fc.nat(1000), fc.nat(59), fc.nat(59), (h, m, s) => {
      expect(parseDuration(`${h}h${m}m${s}s`)).toBe(((h * 60 + m) * 60 + s) * 1000);
    }));
  });
});

describe("parseTimestamp", () => {
  const now = Date.parse("2024-05-06T07:08:09Z");
  test("durations count back from now", () => expect(parseTimestamp("42m", now)).toBe(now - 42 * 60_000));
  test("to the nanosecond", () => {
    expect(parseTimestampNs("1136073600.000000001", now)).toBe(1_136_073_600_000_000_001n);
    expect(parseTimestampNs("2013-01-02T13:23:37.123456789+02:00", now)).toBe(BigInt(Date.UTC(2013, 0, 2, 11, 23, 37)) * 1_000_000n + 123_456_789n);
  });
  test("Unix times may have a fraction", () => expect(parseTimestamp("1136073600.5", now)).toBe(1_136_073_600_500));
  test("dates with a zone, and cut off", () => {
    expect(parseTimestamp("2013-01-02T13:23:37Z", now)).toBe(Date.UTC(2013, 0, 2, 13, 23, 37));
    expect(parseTimestamp("2013-01-02T13:23:37.25+02:00", now)).toBe(Date.UTC(2013, 0, 2, 11, 23, 37, 250));
    expect(parseTimestamp("2013-01-02", now)).toBe(new Date(2013, 0, 2).getTime());
  });
  test.each(["", "yesterday", "2013-13-45", "12:00"])("refuses %p", (text) =>
    expect(() => parseTimestamp(text, now)).toThrow("failed to parse value as time or duration"));
});

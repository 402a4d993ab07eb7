import { describe, expect, test } from "bun:test";
import { bytesSize, formatG, humanDuration, humanSize, rfc3339Nano, toFixedEven } from "./human.ts";

describe("sizes as go-units prints them", () => {
  test.each([
    [0, "0B"], [999, "999B"], [1000, "1kB"], [2_746_000, "2.746MB"], [10_125, "10.12kB"], [1_234_567, "1.235MB"], [1e12, "1TB"],
    [999_999, "1000kB"],
  ] as const)("humanSize(%d)", (bytes, text) => {
    expect(humanSize(bytes)).toBe(text);
  });
  test.each([[7_340_000, "7.34MB"], [123_456, "123kB"], [0, "0B"], [5, "5B"], [999_999, "1e+03kB"]] as const)("humanSize(%d, 3)", (bytes, text) =>
    expect(humanSize(bytes, 3)).toBe(text));
  test.each([[2 ** 21, "2MiB"], [1023, "1023B"], [1536, "1.5KiB"], [7.5 * 1024 ** 3, "7.5GiB"]] as const)("bytesSize(%d)", (bytes, text) =>
    expect(bytesSize(bytes)).toBe(text));
  test("halves go to the even digit", () => {
    expect(toFixedEven(2.25, 1)).toBe("2.2");
    expect(toFixedEven(2.75, 1)).toBe("2.8");
    expect(toFixedEven(0.5, 0)).toBe("0");
    expect(toFixedEven(1.5, 0)).toBe("2");
    expect(toFixedEven(3.14159, 2)).toBe("3.14");
    expect(formatG(0.00001234, 3)).toBe("1.23e-05");
  });
});

describe("durations", () => {
  const second = 1000;
  const hour = 3600 * second;
  test.each([
    [0, "Less than a second"], [999, "Less than a second"], [second, "1 second"], [59 * second, "59 seconds"],
    [60 * second, "About a minute"], [119 * second, "About a minute"], [120 * second, "2 minutes"], [59 * 60 * second, "59 minutes"],
    [hour, "About an hour"], [1.49 * hour, "About an hour"], [1.5 * hour, "2 hours"], [47 * hour, "47 hours"], [48 * hour, "2 days"],
    [13 * 24 * hour, "13 days"], [14 * 24 * hour, "2 weeks"], [60 * 24 * hour, "2 months"], [3 * 365 * 24 * hour, "3 years"],
  ] as const)("%d ms", (ms, text) => expect(humanDuration(ms)).toBe(text));
});

test("nine digits of a second", () => {
  expect(rfc3339Nano(1_700_000_000_000_000_007n)).toMatch(/^2023-11-1[45]T\d\d:\d\d:20\.000000007(Z|[+-]\d\d:\d\d)$/);
});

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { bytesSize } from "../output/human.ts";
import { parseBytes, parseBytesOrUnlimited, parseMegabytes, parseMegabytesOrUnlimited, parseNanoCpus } from "./bytes.ts";

describe("parseBytes", () => {
  test.each([
    ["64m", 67_108_864], ["1.5g", 1_610_612_736], ["512KiB", 524_288], ["100", 100], ["100b", 100], ["1 gb", 1 << 30], ["0", 0],
    ["5M", 5_242_880], ["2t", 2 * 1024 ** 4], [".5k", 512], ["1.", 1], ["1.9", 1],
  ] as const)("%s", (text, bytes) => expect(parseBytes(text)).toBe(bytes));

  test.each(["", "5x", "m", "-1", "1mm", "1kbb", "1e", "1,5g", "0x10", "1  k", "1.2.3", "9999999p", "NaN", "Infinity"])("refuses %p", (text) => {
    expect(() => parseBytes(text)).toThrow(`invalid size: '${text}'`);
  });

  test("an exact number of bytes comes back from each unit", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 20 }), fc.constantFrom(["", 0], ["k", 1], ["M", 2], ["GiB", 3]), (count, [unit, power]) => {
      expect(parseBytes(`${count}${unit}`)).toBe(count * 1024 ** power);
    }));
  });

  test("what bytesSize prints is read back within its four digits", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 50 }), (bytes) => {
      expect(Math.abs(parseBytes(bytesSize(bytes)) - bytes) / bytes).toBeLessThanOrEqual(0.001);
    }));
  });
});

describe("Gocker's megabytes", () => {
  test("a bare number is megabytes, a unit is heeded", () => {
    expect(parseMegabytes("128")).toBe(128 << 20);
    expect(parseMegabytes("64k")).toBe(65_536);
    expect(parseMegabytesOrUnlimited("-1")).toBe(-1);
    expect(parseBytesOrUnlimited("-1")).toBe(-1);
    expect(() => parseBytesOrUnlimited("-2")).toThrow("invalid size");
  });
});

describe("parseNanoCpus", () => {
  test.each([
    ["1.5", 1_500_000_000], ["0.04", 40_000_000], ["2", 2_000_000_000], ["2.5", 2_500_000_000], [".5", 500_000_000], ["1/2", 500_000_000],
  ] as const)("%s", (text, nano) => {
    expect(parseNanoCpus(text)).toBe(nano);
  });
  test("refuses words and more digits than a nano-CPU has", () => {
    expect(() => parseNanoCpus("abc")).toThrow("failed to parse abc as a rational number");
    expect(() => parseNanoCpus("-1")).toThrow("rational");
    expect(() => parseNanoCpus("0.0000000001")).toThrow("value is too precise");
  });
});

import { expect, test } from "bun:test";
import fc from "fast-check";
import { cpuQuota, formatCpuList, ioWeightFromBlkio, parseCpuList, sharesFromWeight, swapTotal, weightFromShares } from "./convert.ts";

test("--cpus becomes a quota that the kernel takes, and is never rounded to unlimited", () => {
  expect(cpuQuota(0.04e9)).toEqual({ quotaUs: 4000, periodUs: 100_000 });
  expect(cpuQuota(2.5e9)).toEqual({ quotaUs: 250_000, periodUs: 100_000 });
  expect(cpuQuota(0.004e9)).toEqual({ quotaUs: 1000, periodUs: 250_000 });
  expect(cpuQuota(0.001e9)).toEqual({ quotaUs: 1000, periodUs: 1_000_000 });
  for (const nano of [0, -1, 0.0009e9, NaN]) expect(() => cpuQuota(nano)).toThrow("0.001");
  fc.assert(
    fc.property(fc.integer({ min: 1_000_000, max: 512e9 }), (nano) => {
      const { quotaUs, periodUs } = cpuQuota(nano);
      expect(quotaUs).toBeGreaterThanOrEqual(1000);
      expect(periodUs).toBeLessThanOrEqual(1_000_000);
      expect(Math.abs((quotaUs / periodUs) * 1e9 - nano) / nano).toBeLessThan(0.001);
    }),
  );
});

test("shares and weights keep their proportions, and the defaults meet", () => {
  expect([1024, 512, 2, 262_144].map(weightFromShares)).toEqual([100, 50, 1, 10_000]);
  fc.assert(fc.property(fc.integer({ min: 1, max: 10_000 }), (weight) => expect(weightFromShares(sharesFromWeight(weight))).toBe(weight)));
  expect([10, 500, 1000].map(ioWeightFromBlkio)).toEqual([1, 4950, 10_000]);
});

test("lists of CPUs as the kernel prints them", () => {
  expect(formatCpuList(parseCpuList("3,0-1, 2,7\n") ?? [])).toBe("0-3,7");
  for (const text of ["", "1-", "2-1", "a", "0;1", "-1", "0-99999999"]) expect(parseCpuList(text)).toBeUndefined();
});

test("swap on top of memory: 0 is none, negative is no limit", () => {
  expect([swapTotal(100, 0), swapTotal(100, 50), swapTotal(100, -1)]).toEqual([100, 150, -1]);
});

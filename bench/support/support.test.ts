import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { drawChart } from "./chart.ts";
import { executeBench, judgeBars, type BenchResult } from "./execute.ts";
import { describeBar, formatReport } from "./report.ts";
import { formatNumber, quantile, summarise } from "./statistics.ts";

describe("statistics", () => {
  test("known values", () => {
    expect(summarise([5, 1, 3])).toEqual({ count: 3, median: 3, min: 1, max: 5, p10: 1.4, p90: 4.6 });
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(() => quantile([], 0.5)).toThrow("no measurements");
  });

  test("a quantile lies within the values and grows with its share", () => {
    const values = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (row, a, b) => {
        const [low, high] = [quantile(row, Math.min(a, b)), quantile(row, Math.max(a, b))];
        return low <= high + 1e-6 && low >= Math.min(...row) - 1e-6 && high <= Math.max(...row) + 1e-6;
      }),
    );
  });

  test("three digits", () => {
    expect([0, 0.01234, 1.2345, 12.345, 123.45, 1234.5].map(formatNumber)).toEqual(["0.00", "0.0123", "1.23", "12.3", "123", "1235"]);
  });
});

function resultOf(medians: Record<string, number>): BenchResult {
  const cases = Object.entries(medians).map(([id, median]) => ({ id, label: `<${id}> & co`, group: "", unit: "ms", better: "lower" as const, values: [median], summary: summarise([median]) }));
  const text = { name: "x", title: "A <b> test", text: "Some text.", unit: "ms", better: "lower" as const };
  return { ...text, startedAt: "2026-01-01T00:00:00Z", rounds: 1, warmup: 0, facts: { kernel: "6.1" }, cases, bars: [], summary: [] };
}

describe("bars", () => {
  test("hold or not by the ratio of medians", () => {
    const { cases } = resultOf({ sampan: 45, crun: 100 });
    const [most, least, tight] = judgeBars([{ of: "sampan", against: "crun", atMost: 0.45 }, { of: "crun", against: "sampan", atLeast: 3 }, { of: "sampan", against: "crun", atMost: 0.44, because: "said so" }], cases);
    expect([most?.holds, least?.holds, tight?.holds]).toEqual([true, false, false]);
    expect(tight === undefined ? "" : describeBar(tight)).toBe("sampan / crun = 0.45, wanted at most 0.44 (said so): DOES NOT HOLD");
  });

  test("about a case that was not run are an error", () => {
    expect(() => judgeBars([{ of: "sampan", against: "gone", atMost: 1 }], resultOf({ sampan: 1 }).cases)).toThrow('no case "gone"');
  });
});

test("a picture is well-formed and a report has every case", () => {
  const result = resultOf({ sampan: 10, crun: 20 });
  const svg = drawChart(result);
  expect(svg).not.toContain("<b>");
  expect(svg.match(/<rect/g)).toHaveLength(3);
  expect(Number(/<rect class="o"[^>]* width="([\d.]+)"/.exec(svg)?.[1]) * 2).toBeCloseTo(Number(/<rect class="p"[^>]* width="([\d.]+)"/.exec(svg)?.[1]), 0);
  expect(formatReport(result)).toContain("| <crun> & co | 20.0 | 2.00 |");
});

test("cases take turns, each round starting with another, and what was deferred is undone in reverse", async () => {
  const calls: string[] = [];
  const undone: string[] = [];
  const result = await executeBench(
    {
      name: "turns", title: "", text: "", unit: "n", better: "lower", rounds: 3, warmup: 1,
      setup(context) {
        context.defer(() => { undone.push("first"); });
        context.defer(() => { undone.push("second"); });
        return ["a", "b"].map((id) => ({ id, label: id, measure: (call: number) => { calls.push(`${id}${call}`); return call; } }));
      },
    },
    { rounds: 2 },
  );
  expect(calls.join(" ")).toBe("a0 b0 b1 a1 a2 b2");
  expect(result.cases.map((entry) => entry.values)).toEqual([[1, 2], [1, 2]]);
  expect(undone).toEqual(["second", "first"]);
});

import { argumentOffset, BPF_JMP_JEQ_K } from "../../linux/bpf.ts";
import type { Assembler, Target } from "./assembler.ts";
import type { Condition } from "./conditions.ts";
import { emitRanges, RangeMap } from "./tree.ts";

const ONES = 0xffff_ffff;

/** Inclusive bounds of a run of 32-bit words. */
type Interval = readonly [first: number, last: number];

/**
 * Several conditions on one argument, any of which gives the same result, are a set of numbers: a search tree over its
 * runs is shorter and quicker than one comparison after the other (35 rules about ioctl become four comparisons).
 *
 * @returns undefined where the set is not one of low words: then the conditions are tested in turn
 */
export function emitAnyOf(
  assembler: Assembler,
  conditions: readonly Condition[],
  bits: 32 | 64,
  match: Target,
  otherwise: Target,
): Target | undefined {
  const [first] = conditions;
  if (first === undefined || conditions.length < 2) return undefined;
  // Either no condition looks at the high word, or all want it to be 0.
  const ignoresHigh = bits === 32 || conditions.every((condition) => condition.highMask === 0);
  const intervals: Interval[] = [];
  for (const condition of conditions) {
    if (condition.index !== first.index) return undefined;
    if (!ignoresHigh && !needsZeroHigh(condition)) return undefined;
    if (!addIntervals(intervals, condition)) return undefined;
  }
  const tree = emitRanges(assembler, toRanges(intervals, match, otherwise));
  const byLow = assembler.load(argumentOffset(first.index, "low"), tree);
  if (ignoresHigh) return byLow;
  return assembler.load(argumentOffset(first.index, "high"), assembler.branch(BPF_JMP_JEQ_K, 0, byLow, otherwise));
}

function needsZeroHigh({ operator, high, highMask }: Condition): boolean {
  if (high !== 0 || highMask !== ONES) return false;
  return operator === "EQ" || operator === "LT" || operator === "LE" || operator === "MASKED_EQ";
}

/** Adds what a condition means for the low word; false where that is not a few runs. */
function addIntervals(intervals: Interval[], { operator, low, lowMask }: Condition): boolean {
  switch (operator) {
    case "EQ":
      intervals.push([low, low]);
      return true;
    case "NE":
      if (low > 0) intervals.push([0, low - 1]);
      if (low < ONES) intervals.push([low + 1, ONES]);
      return true;
    case "LT":
      if (low > 0) intervals.push([0, low - 1]);
      return true;
    case "LE":
      intervals.push([0, low]);
      return true;
    case "GT":
      if (low < ONES) intervals.push([low + 1, ONES]);
      return true;
    case "GE":
      intervals.push([low, ONES]);
      return true;
    case "MASKED_EQ": {
      // A run of numbers only where the free bits are the lowest ones, all of them.
      const free = ~lowMask >>> 0;
      if ((free & (free + 1)) !== 0) return false;
      intervals.push([low, low + free]);
      return true;
    }
  }
}

function toRanges(intervals: Interval[], match: Target, otherwise: Target): RangeMap {
  const sorted = intervals.toSorted((a, b) => a[0] - b[0]);
  const map = new RangeMap();
  map.from(0, otherwise);
  for (let index = 0; index < sorted.length; ) {
    const [start, last] = sorted[index++] ?? [0, 0];
    let end = last;
    for (let next = sorted[index]; next !== undefined && next[0] <= end + 1; next = sorted[++index]) end = Math.max(end, next[1]);
    map.from(start, match);
    if (end < ONES) map.from(end + 1, otherwise);
  }
  return map;
}

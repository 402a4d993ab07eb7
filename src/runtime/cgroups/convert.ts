/** Arithmetic between what people say, what cgroup v1 wants and what cgroup v2 wants. */
import { SampanError } from "../../base/index.ts";

/** Microseconds; kernel/sched/core.c takes neither a quota nor a period below 1 ms, nor a period above 1 s. */
export const cpuMinimumUs = 1_000;
export const cpuMaximumPeriodUs = 1_000_000;
export const cpuDefaultPeriodUs = 100_000;

/**
 * Quota and period for a number of CPUs.
 *
 * The period is the kernel's usual 100 ms: long ones make a throttled program stand still for most of a second.
 * Only where the quota would come out below the kernel's minimum of 1 ms is the period made longer, so that
 * "0.004" is neither refused nor rounded up. Throws below 0.001 CPUs, which no period can express.
 *
 * @param nanoCpus billionths of a CPU
 */
export function cpuQuota(nanoCpus: number): { quotaUs: number; periodUs: number } {
  const quotaUs = Math.round((nanoCpus * cpuDefaultPeriodUs) / 1e9);
  if (quotaUs >= cpuMinimumUs) return { quotaUs, periodUs: cpuDefaultPeriodUs };
  const periodUs = Math.round((cpuMinimumUs * 1e9) / nanoCpus);
  if (!(nanoCpus > 0) || periodUs > cpuMaximumPeriodUs) {
    throw new SampanError("invalid", `Cannot set --cpus to ${nanoCpus / 1e9}: the least that Linux can grant is 0.001`);
  }
  return { quotaUs: cpuMinimumUs, periodUs };
}

/**
 * cgroup v2 weight (1 to 10000) for v1 shares (2 to 262144).
 *
 * In proportion, 1024 shares being weight 100, which is the kernel's own conversion (sched_weight_from_cgroup in
 * kernel/sched/sched.h). runc and crun spread the ranges over each other instead, which makes a container that asks
 * for the default of 1024 weigh 39 beside the 100 of one that asks for nothing.
 */
export function weightFromShares(shares: number): number {
  return Math.min(10_000, Math.max(1, Math.round((shares * 100) / 1024)));
}

export function sharesFromWeight(weight: number): number {
  return Math.min(262_144, Math.max(2, Math.round((weight * 1024) / 100)));
}

/** io.weight (1 to 10000) for a v1 block weight (10 to 1000), end to end, as runc, crun and systemd's users expect. */
export function ioWeightFromBlkio(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}

/**
 * Memory plus swap, as `memory.swap` counts, for "this much swap": 0 is no swap at all, -1 as much as there is.
 * All in bytes.
 */
export function swapTotal(memoryBytes: number, swapBytes: number): number {
  return swapBytes < 0 ? -1 : memoryBytes + swapBytes;
}

/** "0,1,2,5" → [0,1,2,5]; ranges and blanks as in cpuset(7). Undefined where it is not a list of numbers. */
export function parseCpuList(text: string): number[] | undefined {
  const found = new Set<number>();
  for (const part of text.trim().split(",")) {
    const match = /^\s*(\d{1,6})(?:-(\d{1,6}))?\s*$/.exec(part);
    if (match === null) return undefined;
    const from = Number(match[1]);
    const to = match[2] === undefined ? from : Number(match[2]);
    if (to < from || to > 65_535) return undefined;
    for (let cpu = from; cpu <= to; cpu++) found.add(cpu);
  }
  return [...found].sort((a, b) => a - b);
}

/** [0,1,2,5] → "0-2,5", as the kernel prints it. */
export function formatCpuList(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length; i++) {
    const from = numbers[i] ?? 0;
    let to = from;
    while (numbers[i + 1] === to + 1) to = numbers[++i] ?? to;
    parts.push(from === to ? String(from) : `${from}-${to}`);
  }
  return parts.join(",");
}

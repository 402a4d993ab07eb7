import { SampanError } from "../base/errors.ts";
import { Block } from "../plan/index.ts";
import type { Line } from "../plan/index.ts";
import type { Linux, Process, Scheduler } from "../oci/index.ts";

/* sched(7), linux/sched.h */
const POLICIES: Record<string, number> = { SCHED_OTHER: 0, SCHED_FIFO: 1, SCHED_RR: 2, SCHED_BATCH: 3, SCHED_ISO: 4, SCHED_IDLE: 5, SCHED_DEADLINE: 6 };
const SCHED_FLAGS: Record<string, number> = {
  SCHED_FLAG_RESET_ON_FORK: 1, SCHED_FLAG_RECLAIM: 2, SCHED_FLAG_DL_OVERRUN: 4, SCHED_FLAG_KEEP_POLICY: 8, SCHED_FLAG_KEEP_PARAMS: 16,
  SCHED_FLAG_UTIL_CLAMP_MIN: 32, SCHED_FLAG_UTIL_CLAMP_MAX: 64,
};
/* ioprio_set(2) */
const IO_CLASSES = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 } as const;
const IOPRIO_WHO_PROCESS = 1;
const IOPRIO_CLASS_SHIFT = 13;
/* personality(2) */
const DOMAINS: Record<string, number> = { LINUX: 0, LINUX32: 8 };
/* set_mempolicy(2) */
const MEMORY_MODES: Record<string, number> = {
  MPOL_DEFAULT: 0, MPOL_PREFERRED: 1, MPOL_BIND: 2, MPOL_INTERLEAVE: 3, MPOL_LOCAL: 4, MPOL_PREFERRED_MANY: 5, MPOL_WEIGHTED_INTERLEAVE: 6,
};
const MEMORY_FLAGS: Record<string, number> = { MPOL_F_STATIC_NODES: 1 << 15, MPOL_F_RELATIVE_NODES: 1 << 14, MPOL_F_NUMA_BALANCING: 1 << 13 };

export const SCHEDULER_POLICIES = Object.keys(POLICIES);
export const SCHEDULER_FLAGS = Object.keys(SCHED_FLAGS);
export const MEMORY_POLICY_MODES = Object.keys(MEMORY_MODES);
export const MEMORY_POLICY_FLAGS = Object.keys(MEMORY_FLAGS);
export const PERSONALITY_DOMAINS = Object.keys(DOMAINS);

function numberOf(table: Readonly<Record<string, number>>, name: string, what: string): number {
  const number = Object.hasOwn(table, name) ? table[name] : undefined;
  if (number === undefined) throw new SampanError("invalid", `Cannot ${what}: "${name}" is not known`);
  return number;
}

/** How the program shares the machine: scheduler, I/O priority, memory policy, personality. While privileges are there. */
export function addScheduling(line: Line, process: Process, linux: Linux | undefined, where: string): void {
  const { scheduler, ioPriority } = process;
  if (scheduler) setScheduler(line, scheduler, where);
  if (ioPriority) {
    const value = (IO_CLASSES[ioPriority.class] << IOPRIO_CLASS_SHIFT) | ioPriority.priority;
    line.call("ioprio_set", [IOPRIO_WHO_PROCESS, 0, value], { what: `set the I/O priority ${where}`, why: `${ioPriority.class} ${ioPriority.priority}` });
  }
  if (linux?.memoryPolicy) setMemoryPolicy(line, linux.memoryPolicy, where);
  if (linux?.personality) {
    const domain = numberOf(DOMAINS, linux.personality.domain, `set the personality ${where}`);
    line.call("personality", [domain], { what: `set the personality ${where}`, why: `linux.personality: ${linux.personality.domain}` });
  }
}

function setScheduler(line: Line, { policy, nice, priority, flags, runtime, deadline, period }: Scheduler, where: string): void {
  const what = `set the scheduler ${where}`;
  const bits = (flags ?? []).reduce((sum, flag) => sum | numberOf(SCHED_FLAGS, flag, what), 0);
  const attr = new Block(48, "struct sched_attr").u32(0, 48).u32(4, numberOf(POLICIES, policy, what)).u64(8, bits)
    .u32(16, nice ?? 0).u32(20, priority ?? 0).u64(24, runtime ?? 0).u64(32, deadline ?? 0).u64(40, period ?? 0);
  line.call("sched_setattr", [0, attr, 0], { what, why: `process.scheduler: ${policy}` });
}

/** A list such as "0-3,7" as the bits of a mask of `size` bytes; undefined if it is none or does not fit. */
export function cpuMask(list: string, size = 128): Uint8Array | undefined {
  const mask = new Uint8Array(size);
  for (const part of list.trim().split(",")) {
    const match = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part);
    if (!match) return undefined;
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (last < first || last >= size * 8) return undefined;
    for (let bit = first; bit <= last; bit++) mask[bit >> 3] = (mask[bit >> 3] ?? 0) | (1 << (bit & 7));
  }
  return mask;
}

function setMemoryPolicy(line: Line, { mode, nodes, flags }: NonNullable<Linux["memoryPolicy"]>, where: string): void {
  const what = `set the memory policy ${where}`;
  const value = (flags ?? []).reduce((sum, flag) => sum | numberOf(MEMORY_FLAGS, flag, what), numberOf(MEMORY_MODES, mode, what));
  const list = nodes ?? "";
  const mask = list.trim() === "" ? undefined : cpuMask(list);
  if (list.trim() !== "" && !mask) throw new SampanError("invalid", `Cannot ${what}: nodes "${list}" is not a list of numbers and ranges`);
  line.call("set_mempolicy", [value, mask ? new Block(mask, "unsigned long[]") : null, mask ? mask.length * 8 : 0], {
    what,
    why: `linux.memoryPolicy: ${mode}`,
  });
}

/** sched_setaffinity(2): which CPUs a process may run on. */
export function setAffinity(line: Line, cpus: string, where: string, why: string): void {
  const what = `set the CPU affinity "${cpus}" ${where}`;
  const mask = cpuMask(cpus);
  if (!mask) throw new SampanError("invalid", `Cannot ${what}: it is not a list of numbers and ranges`);
  line.call("sched_setaffinity", [0, mask.length, new Block(mask, "cpu_set_t")], { what, why });
}

/**
 * Every CPU that the container's group may have: who calls a runtime may be bound to a few (CPUAffinity= of systemd, taskset(1)), and
 * that is no limit of the container's. After joining, since the kernel takes the group's away from the mask.
 */
export function resetAffinity(line: Line, where: string): void {
  const mask = new Block(new Uint8Array(1024).fill(0xff), "cpu_set_t");
  line.call("sched_setaffinity", [0, 1024, mask], { what: `reset the CPU affinity ${where}`, why: "the caller's is not the container's", tolerate: "any" });
}

import type { Resources, ThrottleDevice } from "../../oci/index.ts";
import { cpuMaximumPeriodUs, cpuMinimumUs, parseCpuList } from "./convert.ts";
import { devicePolicy } from "./device-rules.ts";
import { unifiedController } from "./v2.ts";

/** What the host has, where the caller knows it; each check is left out without its fact. */
export interface ResourceFacts {
  /** How many CPUs are online: quota ÷ period may not exceed it. */
  readonly cpuCount?: number;
  /** As the kernel lists them, e.g. /sys/devices/system/cpu/online: "0-3". */
  readonly cpus?: string;
  /** E.g. /sys/devices/system/node/online: "0". */
  readonly mems?: string;
}

type Report = (option: string, value: unknown, reason: string) => void;

/**
 * Everything that is wrong with the resources in themselves, one sentence each; empty when all is well.
 * What this host cannot enforce is `compileCgroup`'s to say.
 */
export function validateResources(resources: Resources, facts: ResourceFacts = {}): string[] {
  const problems: string[] = [];
  const report: Report = (option, value, reason) => problems.push(`Cannot set ${option} to ${String(value)}: ${reason}`);
  validateMemory(resources, report);
  validateCpu(resources, facts, report);
  validateCpuset(resources, facts, report);
  const pids = resources.pids?.limit;
  if (pids !== undefined && (!Number.isInteger(pids) || pids < -1 || pids > 4_194_304)) {
    report("--pids-limit", pids, "it is a whole number up to 4194304, or -1 for no limit");
  }
  validateBlockIo(resources, report);
  validateRest(resources, report);
  problems.push(...devicePolicy(resources.devices ?? []).problems);
  for (const [key, value] of Object.entries(resources.unified ?? {})) {
    const controller = key.split(".")[0] ?? "";
    const found = unifiedController(key, [controller]);
    if ("problem" in found) problems.push(`Cannot apply linux.resources.unified "${key}": ${found.problem}`);
    if (typeof value !== "string" || value.includes("\0")) problems.push(`Cannot apply linux.resources.unified "${key}": its value must be text`);
  }
  return problems;
}

function validateMemory({ memory }: Resources, report: Report): void {
  if (memory === undefined) return;
  const sizes = [
    ["--memory", memory.limit],
    ["--memory-swap", memory.swap],
    ["--memory-reservation", memory.reservation],
    ["--kernel-memory", memory.kernel],
    ["memory.kernelTCP", memory.kernelTCP],
  ] as const;
  for (const [option, value] of sizes) {
    if (value !== undefined && (!Number.isInteger(value) || value < -1)) report(option, value, "it is a whole number of bytes, or -1 for no limit");
  }
  const { limit, swap, reservation, swappiness } = memory;
  // No further minimum: a program of a few hundred kilobytes is free to live in so little.
  if (limit !== undefined && Number.isInteger(limit) && limit > 0 && limit < 4096) report("--memory", limit, "that is less than one page (4096 bytes)");
  if (swap !== undefined && swap > 0) {
    if (limit === undefined || limit <= 0) report("--memory-swap", swap, "it counts memory plus swap, so it needs --memory too");
    else if (swap < limit) report("--memory-swap", swap, `it counts memory plus swap, so it cannot be less than --memory (${limit})`);
  }
  if (reservation !== undefined && limit !== undefined && limit > 0 && reservation > limit) {
    report("--memory-reservation", reservation, `it cannot be more than --memory (${limit})`);
  }
  if (swappiness !== undefined && swappiness !== -1 && !(Number.isInteger(swappiness) && swappiness >= 0 && swappiness <= 100)) {
    report("--memory-swappiness", swappiness, "it is a whole number from 0 to 100");
  }
}

function validateCpu({ cpu }: Resources, facts: ResourceFacts, report: Report): void {
  if (cpu === undefined) return;
  const { shares, quota, period, burst, idle, realtimeRuntime, realtimePeriod } = cpu;
  if (shares !== undefined && shares !== 0 && !(Number.isInteger(shares) && shares >= 2 && shares <= 262_144)) {
    report("--cpu-shares", shares, "it is a whole number from 2 to 262144");
  }
  if (quota !== undefined && quota > 0 && !(Number.isInteger(quota) && quota >= cpuMinimumUs)) {
    report("--cpu-quota", quota, `it is a whole number of microseconds, and Linux grants no less than ${cpuMinimumUs}`);
  }
  const periodIsGood = period === undefined || period === 0 || (Number.isInteger(period) && period >= cpuMinimumUs && period <= cpuMaximumPeriodUs);
  if (!periodIsGood) report("--cpu-period", period, `it is a whole number of microseconds from ${cpuMinimumUs} to ${cpuMaximumPeriodUs}`);
  if (facts.cpuCount !== undefined && quota !== undefined && quota > 0 && periodIsGood) {
    const wanted = quota / (period === undefined || period === 0 ? 100_000 : period);
    if (wanted > facts.cpuCount) report("--cpus", wanted, `this machine has ${facts.cpuCount}`);
  }
  if (burst !== undefined && (!Number.isInteger(burst) || burst < 0 || (quota !== undefined && quota > 0 && burst > quota))) {
    report("cpu.burst", burst, "it is a whole number of microseconds, not more than the quota");
  }
  if (idle !== undefined && idle !== 0 && idle !== 1) report("cpu.idle", idle, "it is 0 or 1");
  if (realtimePeriod !== undefined && (!Number.isInteger(realtimePeriod) || realtimePeriod < 0)) {
    report("--cpu-rt-period", realtimePeriod, "it is a whole number of microseconds");
  }
  if (realtimeRuntime !== undefined && (!Number.isInteger(realtimeRuntime) || realtimeRuntime > (realtimePeriod || 1_000_000))) {
    report("--cpu-rt-runtime", realtimeRuntime, "it is a whole number of microseconds, not more than the real-time period");
  }
}

function validateCpuset({ cpu }: Resources, facts: ResourceFacts, report: Report): void {
  for (const [option, wanted, available, noun] of [
    ["--cpuset-cpus", cpu?.cpus, facts.cpus, "CPUs"],
    ["--cpuset-mems", cpu?.mems, facts.mems, "memory nodes"],
  ] as const) {
    if (wanted === undefined || wanted === "") continue;
    const numbers = parseCpuList(wanted);
    if (numbers === undefined) {
      report(option, `"${wanted}"`, 'it is a list of numbers and ranges, such as "0-2,4"');
      continue;
    }
    const present = available === undefined ? undefined : parseCpuList(available);
    if (present !== undefined && numbers.some((number) => !present.includes(number))) {
      report(option, `"${wanted}"`, `this machine has ${noun} ${(available ?? "").trim()}`);
    }
  }
}

function validateBlockIo({ blockIO }: Resources, report: Report): void {
  if (blockIO === undefined) return;
  const weight = (option: string, value: number | undefined): void => {
    if (value === undefined || value === 0 || (Number.isInteger(value) && value >= 10 && value <= 1000)) return;
    report(option, value, "it is a whole number from 10 to 1000");
  };
  const device = (option: string, { major, minor }: { major: number; minor: number }): void => {
    if ([major, minor].every((number) => Number.isInteger(number) && number >= 0)) return;
    report(option, `${major}:${minor}`, "a device is a major and a minor number");
  };
  weight("--blkio-weight", blockIO.weight);
  weight("blockIO.leafWeight", blockIO.leafWeight);
  for (const entry of blockIO.weightDevice ?? []) {
    device("--blkio-weight-device", entry);
    weight("--blkio-weight-device", entry.weight);
    weight("blockIO.weightDevice leafWeight", entry.leafWeight);
  }
  const throttles: [string, ThrottleDevice[] | undefined][] = [
    ["--device-read-bps", blockIO.throttleReadBpsDevice],
    ["--device-write-bps", blockIO.throttleWriteBpsDevice],
    ["--device-read-iops", blockIO.throttleReadIOPSDevice],
    ["--device-write-iops", blockIO.throttleWriteIOPSDevice],
  ];
  for (const [option, devices] of throttles) {
    for (const entry of devices ?? []) {
      device(option, entry);
      if (!Number.isInteger(entry.rate) || entry.rate < 0) report(option, entry.rate, "it is a whole number per second");
    }
  }
}

function validateRest({ hugepageLimits, network, rdma }: Resources, report: Report): void {
  for (const { pageSize, limit } of hugepageLimits ?? []) {
    // The size becomes part of a file's name.
    if (!/^[1-9][0-9]*(KB|MB|GB)$/.test(pageSize)) report("hugepageLimits.pageSize", `"${pageSize}"`, 'it is a size such as "2MB"');
    if (!Number.isInteger(limit) || limit < 0) report(`hugepageLimits ${pageSize}`, limit, "it is a whole number of bytes");
  }
  const classId = network?.classID;
  if (classId !== undefined && !(Number.isInteger(classId) && classId >= 0 && classId <= 0xffff_ffff)) {
    report("network.classID", classId, "it is a number of 32 bits");
  }
  for (const { name, priority } of network?.priorities ?? []) {
    if (!/^[^\s/]{1,15}$/.test(name)) report("network.priorities", `"${name}"`, "that is not the name of a network interface");
    if (!Number.isInteger(priority) || priority < 0) report(`network.priorities ${name}`, priority, "it is a whole number");
  }
  for (const [name, { hcaHandles, hcaObjects }] of Object.entries(rdma ?? {})) {
    if (!/^[^\s/]+$/.test(name)) report("rdma", `"${name}"`, "that is not the name of an RDMA device");
    if (hcaHandles === undefined && hcaObjects === undefined) report(`rdma ${name}`, "nothing", "it needs hcaHandles or hcaObjects");
    for (const value of [hcaHandles, hcaObjects]) {
      if (value !== undefined && (!Number.isInteger(value) || value < 0)) report(`rdma ${name}`, value, "it is a whole number");
    }
  }
}

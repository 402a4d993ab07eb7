/** Limits as files of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst). */
import type { BlockIoResources, CpuResources, MemoryResources, Resources } from "../../oci/index.ts";
import { cpuDefaultPeriodUs, formatCpuList, ioWeightFromBlkio, parseCpuList, weightFromShares } from "./convert.ts";
import type { SettingsContext } from "./settings.ts";
import { available, refuse, set, wholePages } from "./settings.ts";

function currentText(context: SettingsContext, file: string): string | undefined {
  return context.fresh ? undefined : context.options.read(`${context.directory}/${file}`)?.trim();
}

export function memoryV2(context: SettingsContext, memory: MemoryResources): void {
  const { options } = context;
  const max = (bytes: number): string => (bytes < 0 ? "max" : String(bytes));
  const shown = (bytes: number): string | false => (bytes < 0 ? "max" : wholePages(bytes, options));

  // Swap before memory: lowering memory.max reclaims at once, and must not swap out what may not be swapped.
  if (memory.swap !== undefined && memory.swap !== 0) {
    // v2 counts swap alone; the runtime-spec counts the sum, as v1 does.
    const current = currentText(context, "memory.max");
    const limit = memory.limit ?? (current === undefined || current === "max" ? -1 : Number(current));
    if (memory.swap < 0) {
      if (!context.fresh) set(context, "memory.swap.max", "max", { why: "as much swap as there is", option: "--memory-swap", ignoreErrno: ["ENOENT"] });
    } else if (limit < 0) {
      refuse(context, "--memory-swap", "it counts memory plus swap, so it needs --memory too");
    } else if (memory.swap < limit) {
      refuse(context, "--memory-swap", `it counts memory plus swap, so ${memory.swap} bytes cannot be less than the ${limit} of --memory`);
    } else {
      const swap = memory.swap - limit;
      set(context, "memory.swap.max", swap, { why: "the most swap, beside memory", option: "--memory-swap", equals: wholePages(swap, options) });
    }
  } else if (memory.limit !== undefined && memory.limit > 0 && options.defaultSwap === "double" && context.fresh) {
    const why = "as much swap as memory, where swap is counted at all";
    set(context, "memory.swap.max", memory.limit, { why, equals: wholePages(memory.limit, options), ignoreErrno: ["ENOENT"] });
  }
  if (memory.swap === undefined && options.keepSum === true && memory.limit !== undefined && memory.limit > 0) {
    const [limit, swap] = ["memory.max", "memory.swap.max"].map((file) => Number(currentText(context, file) ?? "NaN"));
    const rest = (limit ?? NaN) + (swap ?? NaN) - memory.limit; // NaN where either is "max", or swap is not counted
    if (rest < 0) refuse(context, "--memory", `memory and swap together are limited to ${rest + memory.limit}; raise --memory-swap in the same update`);
    else if (rest >= 0)
      set(context, "memory.swap.max", rest, { why: "memory and swap together stay as they are", option: "--memory", equals: wholePages(rest, options) });
  }
  if (memory.limit !== undefined && !(context.fresh && memory.limit < 0)) {
    set(context, "memory.max", max(memory.limit), { why: "the most memory before the OOM killer runs", option: "--memory", equals: shown(memory.limit) });
  }
  if (memory.reservation !== undefined && !(context.fresh && memory.reservation <= 0)) {
    const value = Math.max(0, memory.reservation);
    set(context, "memory.low", value, {
      why: "what reclaim tries to leave it under pressure",
      option: "--memory-reservation",
      equals: wholePages(value, options),
    });
  }
  const gone = "cgroup v2 has no such setting";
  if (memory.kernel !== undefined && memory.kernel > 0) refuse(context, "--kernel-memory", `${gone}; kernel memory counts as memory there`);
  if (memory.kernelTCP !== undefined && memory.kernelTCP > 0) refuse(context, "memory.kernelTCP", `${gone}; TCP buffers count as memory there`);
  if (memory.swappiness !== undefined && memory.swappiness >= 0) refuse(context, "--memory-swappiness", `${gone}; use --memory-swap to bound swap`);
  if (memory.disableOOMKiller === true) refuse(context, "--oom-kill-disable", `${gone}; use --memory-reservation, or --oom-score-adj`);
  if (memory.useHierarchy === false) refuse(context, "memory.useHierarchy", "cgroup v2 always counts child groups");
}

export function cpuV2(context: SettingsContext, cpu: CpuResources): void {
  if (cpu.idle === 0 && !context.fresh) set(context, "cpu.idle", 0, { why: "an ordinary group again", option: "cpu.idle" });
  if (cpu.shares !== undefined && cpu.shares > 0) {
    set(context, "cpu.weight", weightFromShares(cpu.shares), { why: "its part when CPUs are contended; 100 is usual", option: "--cpu-shares" });
  }
  const quotaAsked = cpu.quota !== undefined && cpu.quota !== 0;
  const periodAsked = cpu.period !== undefined && cpu.period > 0;
  if ((quotaAsked && !(context.fresh && (cpu.quota ?? 0) < 0)) || periodAsked) {
    const [currentQuota, currentPeriod] = currentText(context, "cpu.max")?.split(" ") ?? [];
    const quota = quotaAsked ? ((cpu.quota ?? 0) < 0 ? "max" : String(cpu.quota)) : (currentQuota ?? "max");
    const period = periodAsked ? String(cpu.period) : (currentPeriod ?? String(cpuDefaultPeriodUs));
    set(context, "cpu.max", `${quota} ${period}`, { why: "CPU time per period, over all CPUs", option: quotaAsked ? "--cpus or --cpu-quota" : "--cpu-period" });
  }
  if (cpu.burst !== undefined) set(context, "cpu.max.burst", cpu.burst, { why: "unused quota that it may keep (kernel 5.14)", option: "cpu.burst" });
  if ((cpu.realtimeRuntime ?? 0) > 0) refuse(context, "--cpu-rt-runtime", "cgroup v2 does not divide real-time CPU");
  if ((cpu.realtimePeriod ?? 0) > 0) refuse(context, "--cpu-rt-period", "cgroup v2 does not divide real-time CPU");
  if (cpu.idle !== undefined && cpu.idle !== 0) set(context, "cpu.idle", cpu.idle, { why: "runs only where nobody else would", option: "cpu.idle" });
}

/** @param above the groups between the mount and the leaf, the mount first */
export function cpusetV2(context: SettingsContext, cpu: CpuResources, above: readonly string[]): void {
  for (const [file, wanted, option, why] of [
    ["cpuset.cpus", cpu.cpus, "--cpuset-cpus", "the CPUs that it may run on"],
    ["cpuset.mems", cpu.mems, "--cpuset-mems", "the memory nodes that it may use"],
  ] as const) {
    if (wanted === undefined || wanted === "") continue;
    const numbers = parseCpuList(wanted);
    // The nearest group that has the file: the others are not made yet, or get the controller with this container.
    const offered = above.map((directory) => context.options.read(`${directory}/${file}.effective`)?.trim() ?? "").findLast((text) => text !== "");
    if (!available(context, file, wanted, offered ?? "")) continue;
    set(context, file, wanted, { why, option, equals: numbers === undefined ? false : formatCpuList(numbers) });
  }
}

export function blockIoV2(context: SettingsContext, io: BlockIoResources): void {
  if (io.weight !== undefined && io.weight > 0) {
    const fallback = { file: "io.weight", value: `default ${ioWeightFromBlkio(io.weight)}` };
    set(context, "io.bfq.weight", `default ${io.weight}`, {
      why: "its part when the disk is contended",
      option: "--blkio-weight",
      line: `default ${io.weight}`,
      orElse: fallback,
    });
  }
  for (const device of io.weightDevice ?? []) {
    if (device.leafWeight !== undefined && device.leafWeight > 0)
      refuse(context, "blockIO.weightDevice leafWeight", "only CFQ had it, which kernel 5.0 removed");
    if (device.weight === undefined || device.weight <= 0) continue;
    const number = `${device.major}:${device.minor}`;
    const fallback = { file: "io.weight", value: `${number} ${ioWeightFromBlkio(device.weight)}` };
    set(context, "io.bfq.weight", `${number} ${device.weight}`, {
      why: "its part of this disk",
      option: "--blkio-weight-device",
      line: `${number} ${device.weight}`,
      orElse: fallback,
    });
  }
  if (io.leafWeight !== undefined && io.leafWeight > 0) refuse(context, "blockIO.leafWeight", "only CFQ had it, which kernel 5.0 removed");

  const limits = new Map<string, { rates: Map<string, string>; options: string[] }>();
  for (const [devices, key, option] of [
    [io.throttleReadBpsDevice, "rbps", "--device-read-bps"],
    [io.throttleWriteBpsDevice, "wbps", "--device-write-bps"],
    [io.throttleReadIOPSDevice, "riops", "--device-read-iops"],
    [io.throttleWriteIOPSDevice, "wiops", "--device-write-iops"],
  ] as const) {
    for (const device of devices ?? []) {
      const number = `${device.major}:${device.minor}`;
      const entry = limits.get(number) ?? { rates: new Map<string, string>(), options: [] };
      entry.rates.set(key, device.rate > 0 ? String(device.rate) : "max");
      entry.options.push(option);
      limits.set(number, entry);
    }
  }
  for (const [number, { rates, options }] of limits) {
    const value = [...rates].map(([key, rate]) => `${key}=${rate}`).join(" ");
    const all = ["rbps", "wbps", "riops", "wiops"].map((key) => `${key}=${rates.get(key) ?? "max"}`).join(" ");
    const limited = [...rates.values()].some((rate) => rate !== "max");
    set(context, "io.max", `${number} ${value}`, {
      why: "the most per second on this disk",
      option: options.join(" and "),
      ...(context.fresh && limited ? { line: `${number} ${all}` } : { equals: false }),
    });
  }
}

export function hugetlbV2(context: SettingsContext, limits: NonNullable<Resources["hugepageLimits"]>): void {
  for (const { pageSize, limit } of limits) {
    const why = `huge pages of ${pageSize}`;
    const option = `hugepageLimits ${pageSize}`;
    set(context, `hugetlb.${pageSize}.max`, limit, { why, option, equals: false });
    set(context, `hugetlb.${pageSize}.rsvd.max`, limit, { why: `${why}, when reserved`, option, equals: false, ignoreErrno: ["ENOENT"] });
  }
}

/** Core files that bound a group. The other cgroup.* files move, freeze or kill, and are the engine's business. */
const settableCore = ["cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure"];

/** The controller that a key of `linux.resources.unified` belongs to ("" is the core), or why it cannot be set. */
export function unifiedController(key: string, available: readonly string[]): { controller: string } | { problem: string } {
  // A key is a file's name in the container's group and nowhere else.
  if (!/^[a-z0-9_]+(\.[A-Za-z0-9_]+)+$/.test(key)) return { problem: "a key is the name of one file, such as memory.high" };
  const controller = key.slice(0, key.indexOf("."));
  if (controller === "cgroup") return settableCore.includes(key) ? { controller: "" } : { problem: "only limits can be set" };
  if (!available.includes(controller)) return { problem: `invalid configuration: this host has no cgroup v2 controller "${controller}"` };
  return { controller };
}

export function unifiedV2(context: SettingsContext, unified: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(unified)) {
    // How the kernel prints it again differs from file to file.
    set(context, key, value, { why: "asked for by name", option: `linux.resources.unified "${key}"`, equals: false });
  }
}

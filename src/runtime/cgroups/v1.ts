/** Limits as files of cgroup v1 (Documentation/admin-guide/cgroup-v1/). */
import type { BlockIoResources, CpuResources, MemoryResources, Resources } from "../../oci/index.ts";
import type { DevicePolicy } from "../../linux/cgroup-bpf.ts";
import { formatCpuList, parseCpuList } from "./convert.ts";
import { formatException } from "./device-rules.ts";
import type { SettingsContext } from "./settings.ts";
import { available, set, wholePages } from "./settings.ts";

export function memoryV1(context: SettingsContext, memory: MemoryResources): void {
  const { options } = context;
  if (memory.useHierarchy !== undefined) {
    set(context, "memory.use_hierarchy", memory.useHierarchy ? "1" : "0", { why: "count child groups' memory too", option: "memory.useHierarchy" });
  }
  const limit = (): void => {
    if (memory.limit === undefined || (context.fresh && memory.limit < 0)) return;
    const why = "the most memory before the OOM killer runs";
    set(context, "memory.limit_in_bytes", memory.limit, { why, option: "--memory", equals: wholePages(memory.limit, options) });
  };
  const swap = (): void => {
    if (memory.swap !== undefined && memory.swap !== 0) {
      if (context.fresh && memory.swap < 0) return;
      const equals = wholePages(memory.swap, options);
      // Unlimited swap needs no swap accounting; a limit that cannot be counted must fail.
      const ignore = memory.swap < 0 ? { ignoreErrno: ["ENOENT"] } : {};
      set(context, "memory.memsw.limit_in_bytes", memory.swap, { why: "the most memory and swap together", option: "--memory-swap", equals, ...ignore });
    } else if (memory.limit !== undefined && memory.limit > 0 && options.defaultSwap === "double" && context.fresh) {
      const total = memory.limit * 2;
      const why = "as much swap as memory, where swap is counted at all";
      set(context, "memory.memsw.limit_in_bytes", total, { why, equals: wholePages(total, options), ignoreErrno: ["ENOENT"] });
    }
  };
  // The kernel holds memory <= memory + swap at every moment, so a group that grows must raise the sum first.
  if (raisesSumFirst(context, memory)) {
    swap();
    limit();
  } else {
    limit();
    swap();
  }
  if (memory.reservation !== undefined && !(context.fresh && memory.reservation <= 0)) {
    const why = "what reclaim tries to leave it under pressure";
    set(context, "memory.soft_limit_in_bytes", memory.reservation, { why, option: "--memory-reservation", equals: wholePages(memory.reservation, options) });
  }
  if (memory.kernel !== undefined && memory.kernel > 0) {
    set(context, "memory.kmem.limit_in_bytes", memory.kernel, {
      why: "kernel memory, on kernels before 5.16",
      option: "--kernel-memory",
      equals: wholePages(memory.kernel, options),
    });
  }
  if (memory.kernelTCP !== undefined && memory.kernelTCP > 0) {
    set(context, "memory.kmem.tcp.limit_in_bytes", memory.kernelTCP, {
      why: "TCP buffers",
      option: "memory.kernelTCP",
      equals: wholePages(memory.kernelTCP, options),
    });
  }
  if (memory.swappiness !== undefined && memory.swappiness >= 0) {
    set(context, "memory.swappiness", memory.swappiness, { why: "how readily its pages go to swap", option: "--memory-swappiness" });
  }
  if (memory.disableOOMKiller === true || (memory.disableOOMKiller === false && !context.fresh)) {
    const value = memory.disableOOMKiller ? "1" : "0";
    set(context, "memory.oom_control", value, {
      why: "wait at the limit instead of being killed",
      option: "--oom-kill-disable",
      line: `oom_kill_disable ${value}`,
    });
  }
}

function raisesSumFirst(context: SettingsContext, memory: MemoryResources): boolean {
  if (context.fresh || memory.limit === undefined || memory.swap === undefined) return false;
  if (memory.swap < 0) return true;
  const current = Number(context.options.read(`${context.directory}/memory.memsw.limit_in_bytes`) ?? "NaN");
  return memory.limit < 0 || memory.limit > current;
}

/**
 * Two files that are written one after the other, and their ratio may never be more than the parent's: the time first where the
 * period gets shorter, the period first otherwise.
 */
function inOrder(context: SettingsContext, file: string, wanted: number | undefined, [period, time]: readonly [() => void, () => void]): void {
  const current = context.fresh || wanted === undefined ? 0 : Number(context.options.read(`${context.directory}/${file}`) ?? 0);
  const shorter = wanted !== undefined && wanted < current;
  for (const write of shorter ? [time, period] : [period, time]) write();
}

export function cpuV1(context: SettingsContext, cpu: CpuResources): void {
  // An idle group has no shares: set_shares answers EINVAL (sched_group_set_shares), so idleness ends before and begins after.
  if (cpu.idle === 0 && !context.fresh) set(context, "cpu.idle", 0, { why: "an ordinary group again", option: "cpu.idle" });
  if (cpu.shares !== undefined && cpu.shares > 0) {
    set(context, "cpu.shares", cpu.shares, { why: "its part when CPUs are contended; 1024 is usual", option: "--cpu-shares" });
  }
  const period = (): void => {
    if (cpu.period === undefined || cpu.period <= 0) return;
    set(context, "cpu.cfs_period_us", cpu.period, { why: "the period that the quota is for", option: "--cpu-period" });
  };
  const quota = (): void => {
    if (cpu.quota === undefined || cpu.quota === 0 || (context.fresh && cpu.quota < 0)) return;
    set(context, "cpu.cfs_quota_us", cpu.quota < 0 ? -1 : cpu.quota, { why: "CPU time per period, over all CPUs", option: "--cpus or --cpu-quota" });
  };
  inOrder(context, "cpu.cfs_period_us", cpu.period, [period, quota]);
  if (cpu.burst !== undefined) {
    set(context, "cpu.cfs_burst_us", cpu.burst, { why: "unused quota that it may keep (kernel 5.14)", option: "cpu.burst" });
  }
  const realtimePeriod = (): void => {
    if (cpu.realtimePeriod === undefined || cpu.realtimePeriod <= 0) return;
    set(context, "cpu.rt_period_us", cpu.realtimePeriod, { why: "the period of real-time CPU", option: "--cpu-rt-period" });
  };
  const realtimeRuntime = (): void => {
    if (cpu.realtimeRuntime === undefined || (context.fresh && cpu.realtimeRuntime === 0)) return;
    set(context, "cpu.rt_runtime_us", cpu.realtimeRuntime, { why: "real-time CPU per period", option: "--cpu-rt-runtime" });
  };
  inOrder(context, "cpu.rt_period_us", cpu.realtimePeriod, [realtimePeriod, realtimeRuntime]);
  if (cpu.idle !== undefined && cpu.idle !== 0) set(context, "cpu.idle", cpu.idle, { why: "runs only where nobody else would", option: "cpu.idle" });
}

/**
 * cpuset: a v1 group has no CPUs and no memory nodes until both are written, and refuses members until then (ENOSPC).
 *
 * @param parents directories between the mount and the leaf, outermost first
 */
export function cpusetV1(context: SettingsContext, cpu: CpuResources, mountpoint: string, parents: readonly string[]): void {
  for (const [file, wanted, option] of [
    ["cpuset.cpus", cpu.cpus, "--cpuset-cpus"],
    ["cpuset.mems", cpu.mems, "--cpuset-mems"],
  ] as const) {
    let inherited = context.options.read(`${mountpoint}/${file}`)?.trim() ?? "";
    for (const parent of parents) {
      const own = context.options.read(`${parent}/${file}`)?.trim() ?? "";
      if (own === "") {
        set({ ...context, directory: parent }, file, inherited, { why: "a v1 parent is empty until it is filled", equals: inherited });
      } else {
        inherited = own;
      }
    }
    if (wanted !== undefined && wanted !== "") {
      const numbers = parseCpuList(wanted);
      if (!available(context, file, wanted, inherited)) continue;
      set(context, file, wanted, {
        why: file === "cpuset.cpus" ? "the CPUs that it may run on" : "the memory nodes that it may use",
        option,
        equals: numbers === undefined ? false : formatCpuList(numbers),
      });
    } else if (context.fresh) {
      set(context, file, inherited, { why: "without these no process can join" });
    }
  }
}

export function pidsV1(context: SettingsContext, limit: number): void {
  // The same file in both versions. The runtime-spec's -1 is "max", which a new group has anyway.
  if (limit <= 0 && context.fresh) return;
  set(context, "pids.max", limit <= 0 ? "max" : limit, { why: "processes and threads, so that a fork bomb ends here", option: "--pids-limit" });
}

export function blockIoV1(context: SettingsContext, io: BlockIoResources): void {
  // bfq has had its own names since CFQ went with kernel 5.0.
  if (io.weight !== undefined && io.weight > 0) {
    set(context, "blkio.bfq.weight", io.weight, {
      why: "its part when the disk is contended",
      option: "--blkio-weight",
      orElse: { file: "blkio.weight", value: String(io.weight) },
    });
  }
  if (io.leafWeight !== undefined && io.leafWeight > 0) {
    set(context, "blkio.leaf_weight", io.leafWeight, { why: "its own part beside its children's (CFQ)", option: "blockIO.leafWeight" });
  }
  for (const device of io.weightDevice ?? []) {
    const number = `${device.major}:${device.minor}`;
    if (device.weight !== undefined && device.weight > 0) {
      const value = `${number} ${device.weight}`;
      set(context, "blkio.bfq.weight_device", value, {
        why: "its part of this disk",
        option: "--blkio-weight-device",
        line: value,
        orElse: { file: "blkio.weight_device", value },
      });
    }
    if (device.leafWeight !== undefined && device.leafWeight > 0) {
      set(context, "blkio.leaf_weight_device", `${number} ${device.leafWeight}`, {
        why: "its own part of this disk (CFQ)",
        option: "blockIO.weightDevice",
        equals: false,
      });
    }
  }
  for (const [devices, file, option] of [
    [io.throttleReadBpsDevice, "blkio.throttle.read_bps_device", "--device-read-bps"],
    [io.throttleWriteBpsDevice, "blkio.throttle.write_bps_device", "--device-write-bps"],
    [io.throttleReadIOPSDevice, "blkio.throttle.read_iops_device", "--device-read-iops"],
    [io.throttleWriteIOPSDevice, "blkio.throttle.write_iops_device", "--device-write-iops"],
  ] as const) {
    for (const device of devices ?? []) {
      const value = `${device.major}:${device.minor} ${device.rate}`;
      set(context, file, value, { why: "the most per second on this disk", option, ...(device.rate > 0 ? { line: value } : { equals: false }) });
    }
  }
}

export function hugetlbV1(context: SettingsContext, limits: NonNullable<Resources["hugepageLimits"]>): void {
  for (const { pageSize, limit } of limits) {
    const why = `huge pages of ${pageSize}`;
    const option = `hugepageLimits ${pageSize}`;
    set(context, `hugetlb.${pageSize}.limit_in_bytes`, limit, { why, option, equals: false });
    // Reservations are counted since kernel 5.7; without them a mapping is refused only at first touch, with SIGBUS.
    set(context, `hugetlb.${pageSize}.rsvd.limit_in_bytes`, limit, { why: `${why}, when reserved`, option, equals: false, ignoreErrno: ["ENOENT"] });
  }
}

export function rdmaBoth(context: SettingsContext, rdma: NonNullable<Resources["rdma"]>): void {
  for (const [device, limit] of Object.entries(rdma)) {
    const part = (name: string, value: number | undefined): string => (value === undefined ? "" : ` ${name}=${value}`);
    const value = `${device}${part("hca_handle", limit.hcaHandles)}${part("hca_object", limit.hcaObjects)}`;
    set(context, "rdma.max", value, { why: "handles and objects of this RDMA device", option: `rdma ${device}`, equals: false });
  }
}

export function netClassV1(context: SettingsContext, classId: number): void {
  set(context, "net_cls.classid", classId, { why: "the traffic class of its packets", option: "network.classID" });
}

export function netPriorityV1(context: SettingsContext, priorities: readonly { name: string; priority: number }[]): void {
  for (const { name, priority } of priorities) {
    set(context, "net_prio.ifpriomap", `${name} ${priority}`, {
      why: "the priority of its packets on this interface",
      option: "network.priorities",
      line: `${name} ${priority}`,
    });
  }
}

export function devicesV1(context: SettingsContext, policy: DevicePolicy): void {
  const path = `${context.directory}/devices.list`;
  const list = policy.exceptions.map(formatException);
  // One rule per write: the kernel parses no more (devcgroup_update_access).
  if (policy.defaultAllow) {
    // A new group has its parent's rights; asking a restricted parent for everything would only fail.
    if (!context.fresh) set(context, "devices.allow", "a", { why: "every device", option: "--device-cgroup-rule", expect: { path, line: "a *:* rwm" } });
    for (const rule of list) set(context, "devices.deny", rule, { why: "but not this device", option: "--device-cgroup-rule", equals: false });
    return;
  }
  set(context, "devices.deny", "a", {
    why: "no device at all",
    option: "--device-cgroup-rule",
    ...(list.length === 0 ? { expect: { path, lines: [] } } : { equals: false }),
  });
  list.forEach((rule, index) => {
    const last = index === list.length - 1;
    set(context, "devices.allow", rule, {
      why: "but this device",
      option: "--device-cgroup-rule",
      ...(last ? { expect: { path, lines: list } } : { equals: false }),
    });
  });
}

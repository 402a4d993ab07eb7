import type { CgroupPaths } from "../runtime/cgroups/index.ts";
import { readText } from "../runtime/cgroups/index.ts";
import { readStats } from "../runtime/cgroups/operations.ts";

function numberIn(path: string): number {
  const text = readText(path)?.trim();
  const value = Number(text);
  return text === undefined || text === "" || !Number.isFinite(value) ? 0 : value;
}

/** "key value" per line. */
function flat(text: string | undefined): Record<string, number> {
  return Object.fromEntries((text ?? "").split("\n").filter((line) => line.includes(" ")).map((line) => {
    const [key = "", value] = line.split(" ");
    return [key, Number(value)];
  }));
}

/** What `events` prints as "data": runc's names and units (nanoseconds, bytes). */
export function statsOf(paths: CgroupPaths): Record<string, unknown> {
  const { cpu, memory, pids, io } = readStats(paths);
  const group = paths.controllers["memory"];
  const directory = group?.directory ?? "";
  const unlimited = 2 ** 63 - 4096;
  const percpu = paths.controllers["cpuacct"]
    ? (readText(`${paths.controllers["cpuacct"].directory}/cpuacct.usage_percpu`) ?? "").trim().split(" ").filter((word) => word !== "").map(Number)
    : [];
  const devices = io?.devices ?? [];
  const { usageBytes = 0, limitBytes = unlimited, swapBytes = 0, swapLimitBytes = unlimited } = memory ?? {};
  return {
    cpu: {
      usage: { total: cpu?.usageNs ?? 0, ...(percpu.length > 0 ? { percpu } : {}), kernel: cpu?.systemNs ?? 0, user: cpu?.userNs ?? 0 },
      throttling: { periods: cpu?.periods ?? 0, throttledPeriods: cpu?.throttledPeriods ?? 0, throttledTime: cpu?.throttledNs ?? 0 },
    },
    memory: {
      cache: memory?.fileBytes ?? 0,
      usage: {
        limit: limitBytes,
        usage: usageBytes,
        max: memory?.maxUsageBytes ?? 0,
        failcnt: group?.version === 1 ? numberIn(`${directory}/memory.failcnt`) : 0,
      },
      // Memory and swap together, on both versions, as in runc.
      swap: {
        limit: Math.min(unlimited, limitBytes + swapLimitBytes),
        usage: usageBytes + swapBytes,
        failcnt: group?.version === 1 ? numberIn(`${directory}/memory.memsw.failcnt`) : 0,
      },
      kernel: { limit: unlimited, usage: group?.version === 1 ? numberIn(`${directory}/memory.kmem.usage_in_bytes`) : 0, failcnt: 0 },
      raw: group ? flat(readText(`${directory}/memory.stat`)) : {},
    },
    pids: { current: pids?.current ?? 0, ...(pids?.limit === undefined ? {} : { limit: pids.limit }) },
    blkio: {
      ioServiceBytesRecursive: devices.flatMap(({ major, minor, readBytes, writeBytes }) => [
        { major, minor, op: "Read", value: readBytes },
        { major, minor, op: "Write", value: writeBytes },
      ]),
      ioServicedRecursive: devices.flatMap(({ major, minor, reads, writes }) => [
        { major, minor, op: "Read", value: reads },
        { major, minor, op: "Write", value: writes },
      ]),
    },
    hugetlb: {}, intel_rdt: {}, network_interfaces: null,
  };
}

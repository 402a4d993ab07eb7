import { readText } from "./files.ts";
import type { CgroupPaths } from "./types.ts";

/** Figures since the group was made. A field is absent where the host has no such controller; a limit where there is none. */
export interface CgroupStats {
  cpu?: {
    usageNs: number;
    userNs: number;
    systemNs: number;
    /** Of the quota: how many passed, how many were used up, and for how long the group then waited. */
    periods: number;
    throttledPeriods: number;
    throttledNs: number;
  };
  memory?: {
    usageBytes: number;
    /** Usage without the file pages that would go first: what `stats` shows. */
    workingSetBytes: number;
    inactiveFileBytes: number;
    maxUsageBytes?: number;
    limitBytes?: number;
    anonBytes: number;
    fileBytes: number;
    swapBytes?: number;
    /** Of swap alone. */
    swapLimitBytes?: number;
    oomKills: number;
  };
  pids?: { current: number; limit?: number };
  io?: { readBytes: number; writeBytes: number; reads: number; writes: number; devices: IoDeviceStats[] };
}

export interface IoDeviceStats {
  major: number;
  minor: number;
  readBytes: number;
  writeBytes: number;
  reads: number;
  writes: number;
}

/** "key value" per line, as memory.stat, cpu.stat and the events files are. */
function parseFlat(text: string | undefined): Map<string, number> {
  const values = new Map<string, number>();
  for (const line of (text ?? "").split("\n")) {
    const space = line.indexOf(" ");
    if (space > 0) values.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return values;
}

function numberIn(path: string): number | undefined {
  const text = readText(path)?.trim();
  return text === undefined || text === "" ? undefined : Number(text);
}

/** "max" on v2, and on v1 a number of pages near 2^63, both mean that there is none. */
function limitIn(path: string): number | undefined {
  const text = readText(path)?.trim();
  if (text === undefined || text === "" || text === "max") return undefined;
  const value = Number(text);
  return value >= 2 ** 62 ? undefined : value;
}

export function readStats(paths: CgroupPaths): CgroupStats {
  const stats: CgroupStats = {};
  const cpu = readCpu(paths);
  if (cpu !== undefined) stats.cpu = cpu;
  const { memory, pids, blkio, io } = paths.controllers;
  const memoryStats = memory === undefined ? undefined : memory.version === 1 ? readMemoryV1(memory.directory) : readMemoryV2(memory.directory);
  if (memoryStats !== undefined) stats.memory = memoryStats;
  const current = pids === undefined ? undefined : numberIn(`${pids.directory}/pids.current`);
  if (pids !== undefined && current !== undefined) {
    const limit = limitIn(`${pids.directory}/pids.max`);
    stats.pids = { current, ...(limit === undefined ? {} : { limit }) };
  }
  const devices = blkio !== undefined ? readIoV1(blkio.directory) : io !== undefined ? readIoV2(io.directory) : undefined;
  if (devices !== undefined) {
    const sum = (key: "readBytes" | "writeBytes" | "reads" | "writes"): number => devices.reduce((total, device) => total + device[key], 0);
    stats.io = { readBytes: sum("readBytes"), writeBytes: sum("writeBytes"), reads: sum("reads"), writes: sum("writes"), devices };
  }
  return stats;
}

function readCpu({ controllers, unified }: CgroupPaths): CgroupStats["cpu"] {
  const { cpu, cpuacct } = controllers;
  // Usage is a core figure of every v2 group (kernel 4.15), with or without the cpu controller.
  const core = unified === undefined ? new Map<string, number>() : parseFlat(readText(`${unified}/cpu.stat`));
  let usage: { usageNs: number; userNs: number; systemNs: number } | undefined;
  const usageUs = core.get("usage_usec");
  if (usageUs !== undefined) {
    usage = { usageNs: usageUs * 1000, userNs: (core.get("user_usec") ?? 0) * 1000, systemNs: (core.get("system_usec") ?? 0) * 1000 };
  } else if (cpuacct !== undefined) {
    const usageNs = numberIn(`${cpuacct.directory}/cpuacct.usage`);
    if (usageNs !== undefined) {
      const userNs = numberIn(`${cpuacct.directory}/cpuacct.usage_user`) ?? 0;
      usage = { usageNs, userNs, systemNs: numberIn(`${cpuacct.directory}/cpuacct.usage_sys`) ?? 0 };
    }
  }
  if (usage === undefined) return undefined;
  const quota = cpu?.version === 1 ? parseFlat(readText(`${cpu.directory}/cpu.stat`)) : core;
  return {
    ...usage,
    periods: quota.get("nr_periods") ?? 0,
    throttledPeriods: quota.get("nr_throttled") ?? 0,
    throttledNs: quota.get("throttled_time") ?? (quota.get("throttled_usec") ?? 0) * 1000,
  };
}

function readMemoryV1(directory: string): CgroupStats["memory"] {
  const usageBytes = numberIn(`${directory}/memory.usage_in_bytes`);
  if (usageBytes === undefined) return undefined;
  const details = parseFlat(readText(`${directory}/memory.stat`));
  const inactiveFileBytes = details.get("total_inactive_file") ?? 0;
  const limitBytes = limitIn(`${directory}/memory.limit_in_bytes`);
  const sumLimit = limitIn(`${directory}/memory.memsw.limit_in_bytes`);
  const sum = numberIn(`${directory}/memory.memsw.usage_in_bytes`);
  const maxUsageBytes = numberIn(`${directory}/memory.max_usage_in_bytes`);
  return {
    usageBytes,
    inactiveFileBytes,
    workingSetBytes: Math.max(0, usageBytes - inactiveFileBytes),
    anonBytes: details.get("total_rss") ?? 0,
    fileBytes: details.get("total_cache") ?? 0,
    oomKills: parseFlat(readText(`${directory}/memory.oom_control`)).get("oom_kill") ?? 0,
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(maxUsageBytes === undefined ? {} : { maxUsageBytes }),
    // The two files are read one after the other; a page may have moved between.
    ...(sum === undefined ? {} : { swapBytes: details.get("total_swap") ?? Math.max(0, sum - usageBytes) }),
    ...(sumLimit === undefined || limitBytes === undefined ? {} : { swapLimitBytes: sumLimit - limitBytes }),
  };
}

function readMemoryV2(directory: string): CgroupStats["memory"] {
  const usageBytes = numberIn(`${directory}/memory.current`);
  if (usageBytes === undefined) return undefined;
  const details = parseFlat(readText(`${directory}/memory.stat`));
  const inactiveFileBytes = details.get("inactive_file") ?? 0;
  const limitBytes = limitIn(`${directory}/memory.max`);
  const maxUsageBytes = numberIn(`${directory}/memory.peak`);
  const swapBytes = numberIn(`${directory}/memory.swap.current`);
  const swapLimitBytes = limitIn(`${directory}/memory.swap.max`);
  return {
    usageBytes,
    inactiveFileBytes,
    workingSetBytes: Math.max(0, usageBytes - inactiveFileBytes),
    anonBytes: details.get("anon") ?? 0,
    fileBytes: details.get("file") ?? 0,
    oomKills: parseFlat(readText(`${directory}/memory.events`)).get("oom_kill") ?? 0,
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(maxUsageBytes === undefined ? {} : { maxUsageBytes }),
    ...(swapBytes === undefined ? {} : { swapBytes }),
    ...(swapLimitBytes === undefined ? {} : { swapLimitBytes }),
  };
}

function deviceEntry(devices: Map<string, IoDeviceStats>, name: string): IoDeviceStats | undefined {
  const match = /^(\d+):(\d+)$/.exec(name);
  if (match === null) return undefined;
  const entry = devices.get(name) ?? { major: Number(match[1]), minor: Number(match[2]), readBytes: 0, writeBytes: 0, reads: 0, writes: 0 };
  devices.set(name, entry);
  return entry;
}

function readIoV1(directory: string): IoDeviceStats[] | undefined {
  // The throttle files count under every scheduler; bfq's own only where bfq runs the disk.
  const bytes = readText(`${directory}/blkio.throttle.io_service_bytes_recursive`) ?? readText(`${directory}/blkio.throttle.io_service_bytes`);
  if (bytes === undefined) return undefined;
  const counts = readText(`${directory}/blkio.throttle.io_serviced_recursive`) ?? readText(`${directory}/blkio.throttle.io_serviced`);
  const devices = new Map<string, IoDeviceStats>();
  const add = (text: string | undefined, read: "readBytes" | "reads", write: "writeBytes" | "writes"): void => {
    for (const line of (text ?? "").split("\n")) {
      const [name, operation, value] = line.split(" ");
      const entry = name === undefined ? undefined : deviceEntry(devices, name);
      if (entry === undefined) continue;
      if (operation === "Read") entry[read] = Number(value);
      else if (operation === "Write") entry[write] = Number(value);
    }
  };
  add(bytes, "readBytes", "writeBytes");
  add(counts, "reads", "writes");
  return [...devices.values()];
}

function readIoV2(directory: string): IoDeviceStats[] | undefined {
  const text = readText(`${directory}/io.stat`);
  if (text === undefined) return undefined;
  const devices = new Map<string, IoDeviceStats>();
  for (const line of text.split("\n")) {
    const [name, ...pairs] = line.split(" ");
    const entry = name === undefined ? undefined : deviceEntry(devices, name);
    if (entry === undefined) continue;
    for (const pair of pairs) {
      const [key, value] = pair.split("=");
      if (key === "rbytes") entry.readBytes = Number(value);
      else if (key === "wbytes") entry.writeBytes = Number(value);
      else if (key === "rios") entry.reads = Number(value);
      else if (key === "wios") entry.writes = Number(value);
    }
  }
  return [...devices.values()];
}

/** Whether the OOM killer has struck in this container. Ask before its groups are removed. v1 counts since kernel 4.13. */
export function oomKilled(paths: CgroupPaths): boolean {
  const memory = paths.controllers["memory"];
  if (memory === undefined) return false;
  const file = memory.version === 1 ? "memory.oom_control" : "memory.events";
  return (parseFlat(readText(`${memory.directory}/${file}`)).get("oom_kill") ?? 0) > 0;
}

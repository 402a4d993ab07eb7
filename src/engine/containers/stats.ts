import { readFileSync } from "node:fs";
import type { CgroupStats } from "../../runtime/cgroups/operations.ts";
import { readStats } from "../../runtime/cgroups/operations.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { Cancellable, ContainerStats } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { readIfThere } from "../processes.ts";
import { cgroupPathsOf } from "./groups.ts";
import { processOf } from "./liveness.ts";

const INTERVAL_MS = 1000;

interface Sample {
  readonly cpuNs: number;
  readonly atMs: number;
}

/** One frame a second; a share of CPU is that of the time between two frames, so the first frame comes after one. */
export async function* statsOf(
  context: EngineContext,
  names: readonly string[],
  options: Cancellable & { readonly all: boolean; readonly stream: boolean },
): AsyncGenerator<readonly ContainerStats[]> {
  const before = new Map<string, Sample>();
  const asked = new Map(names.map((name) => [context.store.containers.find(name).id as string, name]));
  frame(context, asked, options.all, before);
  do {
    await pause(INTERVAL_MS, options.signal);
    options.signal?.throwIfAborted();
    yield frame(context, asked, options.all, before);
  } while (options.stream);
}

function frame(context: EngineContext, asked: ReadonlyMap<string, string>, all: boolean, before: Map<string, Sample>): ContainerStats[] {
  const records = context.store.containers.list().filter(({ id }) => asked.size === 0 || asked.has(id));
  if (asked.size > 0) records.sort((a, b) => [...asked.keys()].indexOf(a.id) - [...asked.keys()].indexOf(b.id));
  const frames: ContainerStats[] = [];
  for (const record of records) {
    const first = processOf(context, record);
    if (!first && !all && asked.size === 0) continue;
    frames.push(statsOfOne(context, record, asked.get(record.id) ?? record.name, first?.pid, before));
  }
  return frames;
}

function statsOfOne(context: EngineContext, record: ContainerRecord, asked: string, pid: number | undefined, before: Map<string, Sample>): ContainerStats {
  const names = { id: record.id, name: record.name, asked };
  if (pid === undefined) {
    before.delete(record.id);
    return {
      ...names, cpuPercent: 0, memoryBytes: 0, memoryLimitBytes: 0, networkReceivedBytes: 0, networkSentBytes: 0, blockReadBytes: 0,
      blockWrittenBytes: 0, pids: 0,
    };
  }
  const stats: CgroupStats = readStats(cgroupPathsOf(context, record.id));
  const now: Sample = { cpuNs: stats.cpu?.usageNs ?? 0, atMs: performance.now() };
  const last = before.get(record.id);
  before.set(record.id, now);
  const elapsedNs = last ? (now.atMs - last.atMs) * 1e6 : 0;
  const network = networkBytes(readIfThere(`/proc/${pid}/net/dev`) ?? "");
  return {
    ...names,
    cpuPercent: last && elapsedNs > 0 ? Math.max(0, ((now.cpuNs - last.cpuNs) / elapsedNs) * 100) : 0,
    memoryBytes: stats.memory?.workingSetBytes ?? 0, memoryLimitBytes: Math.min(stats.memory?.limitBytes ?? Infinity, hostMemoryBytes()),
    networkReceivedBytes: network.received, networkSentBytes: network.sent,
    blockReadBytes: stats.io?.readBytes ?? 0, blockWrittenBytes: stats.io?.writeBytes ?? 0, pids: stats.pids?.current ?? 0,
  };
}

/** Sums of /proc/PID/net/dev, without the loopback (proc_pid_net(5)). Exported for its test. */
export function networkBytes(text: string): { readonly received: number; readonly sent: number } {
  let received = 0;
  let sent = 0;
  for (const line of text.split("\n").slice(2)) {
    const [name = "", figures = ""] = line.split(":");
    if (name.trim() === "lo" || figures === "") continue;
    const numbers = figures.trim().split(/\s+/).map(Number);
    received += numbers[0] ?? 0;
    sent += numbers[8] ?? 0;
  }
  return { received, sent };
}

function hostMemoryBytes(): number {
  return Number(/^MemTotal:\s+(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? 0) * 1024;
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done, { once: true });
  });
}

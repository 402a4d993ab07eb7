import type { ContainerRecord } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import type { ProcessRef } from "../processes.ts";
import { isAlive, parseStat, processAt, readIfThere } from "../processes.ts";

/** What is true of a container at this moment, whatever the database says. */
export interface Liveness {
  /** The first process, while it lives. */
  readonly process: ProcessRef | undefined;
  /** Its monitor, while that lives. */
  readonly monitor: ProcessRef | undefined;
  /** The process that is starting or ending it, while that lives. */
  readonly starter: ProcessRef | undefined;
  /** The exit status that the monitor wrote down. */
  readonly ended: ExitStatus | undefined;
}

export interface ExitStatus {
  /** Exit code, or 128 + signal. */
  readonly exitCode: number;
  readonly signal: number;
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
}

/** "code signal time", as native/keel/monitor.c writes it. */
export function parseStatus(text: string): ExitStatus | undefined {
  const match = /^(\d+) (\d+) (\S+)\n$/.exec(text);
  if (!match) return undefined;
  return { exitCode: Number(match[1]), signal: Number(match[2]), time: match[3] ?? "" };
}

function alive(text: string | undefined): ProcessRef | undefined {
  const ref = text === undefined ? undefined : parseStat(text);
  return ref && isAlive(ref) ? { pid: ref.pid, startTime: ref.startTime } : undefined;
}

/** Frozen for the time of a command, by one that was killed before it could let it go on. */
export function isAbandoned({ store }: EngineContext, { id }: ContainerRecord): boolean {
  return store.resources.list(id).some(({ kind, key }) => kind === "freeze" && !isFreezer(key));
}

/** This process, as the key of a freeze. */
export function freezerKey(): string {
  return `${process.pid} ${processAt(process.pid)?.startTime ?? 0}`;
}

/** Whether the process that a freeze's key names still runs. */
export function isFreezer(key: string): boolean {
  const [pid = 0, startTime = 0] = key.split(" ").map(Number);
  return isAlive({ pid, startTime });
}

/** Looks at the container's processes. Those of an earlier boot are gone, whatever has their pids now. */
export function livenessOf(context: EngineContext, record: ContainerRecord): Liveness {
  if (record.bootId !== context.bootId) return { process: undefined, monitor: undefined, starter: undefined, ended: undefined };
  const paths = containerPaths(context.paths, record.id);
  return {
    process: alive(readIfThere(paths.pidFile)),
    monitor: alive(readIfThere(paths.monitorFile)),
    starter: ownerOf(context, record),
    ended: statusOf(context, record),
  };
}

/** The first process while it lives: two small reads, for lists of many. */
export function processOf(context: EngineContext, record: ContainerRecord): ProcessRef | undefined {
  if (record.bootId !== context.bootId) return undefined;
  return alive(readIfThere(`${context.paths.state}/containers/${record.id}/pid`));
}

/** What the monitor wrote down, if it has. */
export function statusOf(context: EngineContext, record: ContainerRecord): ExitStatus | undefined {
  const status = readIfThere(containerPaths(context.paths, record.id).status);
  return status === undefined ? undefined : parseStatus(status);
}

/**
 * The *owner* of a container: the one process that is making, ending or removing its parts, or that sleeps until its restart is due.
 * Whoever wants to do so takes ownership by compare-and-set; what a dead owner left anybody may go on with.
 */
export function ownerOf(context: EngineContext, record: ContainerRecord): ProcessRef | undefined {
  if (record.bootId !== context.bootId || record.monitorPid === null || record.monitorStartTime === null) return undefined;
  const owner = { pid: record.monitorPid, startTime: record.monitorStartTime };
  return isAlive(owner) ? owner : undefined;
}

/** The fields by which this process becomes the owner. */
export function ownerFields(context: EngineContext): { monitorPid: number; monitorStartTime: number; bootId: string } {
  return { monitorPid: process.pid, monitorStartTime: processAt(process.pid)?.startTime ?? 0, bootId: context.bootId };
}

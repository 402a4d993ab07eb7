import type { ContainerRecord } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import type { ProcessRef } from "../processes.ts";
import { isAlive, parseStat, readIfThere } from "../processes.ts";

/** What is true of a container at this moment, whatever the database says. */
export interface Liveness {
  /** The first process, while it lives. */
  readonly process: ProcessRef | undefined;
  /** Its monitor, while that lives. */
  readonly monitor: ProcessRef | undefined;
  /** The process that is starting it, while that lives. */
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

/** Looks at the container's processes. Those of an earlier boot are gone, whatever has their pids now. */
export function livenessOf(context: EngineContext, record: ContainerRecord): Liveness {
  if (record.bootId !== context.bootId) return { process: undefined, monitor: undefined, starter: undefined, ended: undefined };
  const paths = containerPaths(context.paths, record.id);
  const starter = record.monitorPid === null || record.monitorStartTime === null ? undefined : { pid: record.monitorPid, startTime: record.monitorStartTime };
  const status = readIfThere(paths.status);
  return {
    process: alive(readIfThere(paths.pidFile)),
    monitor: alive(readIfThere(paths.monitorFile)),
    starter: starter && isAlive(starter) ? starter : undefined,
    ended: status === undefined ? undefined : parseStatus(status),
  };
}

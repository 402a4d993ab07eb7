import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { errnoOf } from "../base/errors.ts";

/** A process that cannot be mistaken for another: pids come again, pid and start time do not. */
export interface ProcessRef {
  readonly pid: number;
  /** Clock ticks after boot, field 22 of /proc/PID/stat (proc_pid_stat(5)). */
  readonly startTime: number;
}

/** Reads a process's identity from the text of a /proc/PID/stat; undefined if there is none in it. */
export function parseStat(text: string): (ProcessRef & { readonly state: string; readonly parent: number }) | undefined {
  // The command name may hold spaces and parentheses: the last ")" ends it.
  const end = text.lastIndexOf(")");
  const pid = Number.parseInt(text, 10);
  const fields = text.slice(end + 2).split(" ");
  const startTime = Number(fields[19]);
  if (end < 0 || !Number.isInteger(pid) || !Number.isInteger(startTime)) return undefined;
  return { pid, startTime, state: fields[0] ?? "", parent: Number(fields[1]) };
}

export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ESRCH" || errno === "ENOTDIR") return undefined;
    throw error;
  }
}

/** The process that has this pid now; undefined if none has. */
export function processAt(pid: number): (ProcessRef & { readonly state: string }) | undefined {
  const text = readIfThere(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

/** Whether this very process still runs. A zombie does not. */
export function isAlive(process: ProcessRef | undefined): boolean {
  if (!process) return false;
  const now = processAt(process.pid);
  return now !== undefined && now.startTime === process.startTime && now.state !== "Z" && now.state !== "X";
}

/**
 * Opens a process's directory in /proc, which stays bound to that very process whatever becomes of its pid.
 * Undefined if the process is gone or is another one by now. The caller closes the descriptor.
 */
export function openProcess(ref: ProcessRef): number | undefined {
  let fd: number;
  try {
    fd = openSync(`/proc/${ref.pid}`, "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  const buffer = Buffer.alloc(1024);
  try {
    const stat = openSync(`/proc/self/fd/${fd}/stat`, "r");
    const size = readSync(stat, buffer, 0, buffer.length, 0);
    closeSync(stat);
    const now = parseStat(buffer.toString("utf8", 0, size));
    if (now?.startTime === ref.startTime && now.state !== "Z") return fd;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== "ENOENT" && errno !== "ESRCH") {
      closeSync(fd);
      throw error;
    }
  }
  closeSync(fd);
  return undefined;
}

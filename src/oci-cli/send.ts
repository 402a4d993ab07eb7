import { errnoOf } from "../base/errors.ts";
import type { ProcessRef } from "../runtime/processes.ts";
import { isAlive } from "../runtime/processes.ts";

/** Sends a signal to that very process; false if it has gone. Checked just before: a pid alone may be another's by now. */
export function send(ref: ProcessRef, signal: number): boolean {
  if (!isAlive(ref)) return false;
  return sendToPid(ref.pid, signal);
}

export function sendToPid(pid: number, signal: number): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return false;
    throw error;
  }
}

import type { Running } from "../../plan/index.ts";
import type { ContainerId, EngineContext } from "../context.ts";
import { parseStat, readIfThere } from "../processes.ts";
import { cancelled, sleep } from "./end.ts";

const SIGKILL = 9;

/** Throws "cancelled" if the signal has been given. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  const error = cancelled(signal);
  if (error) throw error;
}

/** Calls `act` when the signal is given, at once if it has been. Returns what undoes it. */
function onAbort(signal: AbortSignal | undefined, act: () => void): () => void {
  if (signal === undefined) return () => undefined;
  if (signal.aborted) {
    act();
    return () => undefined;
  }
  signal.addEventListener("abort", act, { once: true });
  return () => { signal.removeEventListener("abort", act); };
}

/** Kills a container whose program runs when the signal is given: its first process, and with it all of them. Returns what undoes it. */
export function killOnAbort(context: EngineContext, id: ContainerId, signal: AbortSignal | undefined): () => void {
  return onAbort(signal, () => {
    // What cannot be killed, or has ended by itself in between, is waited for all the same, by whoever runs it.
    import("./stop.ts").then(({ killContainer }) => killContainer(context, id, { killSignal: "KILL" })).catch(() => undefined);
  });
}

/** Kills the one process that a plan has cloned when the signal is given. Returns what undoes it. */
export function killChildOnAbort(running: Running, signal: AbortSignal | undefined): () => void {
  let over = false;
  const undo = onAbort(signal, () => { void killChild(running, () => over); });
  return () => {
    over = true;
    undo();
  };
}

/** Ends what connects the caller to a container, and nothing else, when the signal is given. Returns what undoes it. */
export function leaveOnAbort(running: Running, signal: AbortSignal | undefined): () => void {
  return onAbort(signal, () => { running.kill(SIGKILL); });
}

async function killChild(running: Running, over: () => boolean): Promise<void> {
  while (!over()) {
    const born = running.born();
    if (born !== undefined) {
      // The pid is the child's for as long as its parent, which reaps it, is keel.
      const stat = readIfThere(`/proc/${born.child}/stat`);
      if (stat !== undefined && parseStat(stat)?.parent === born.parent) process.kill(born.child, SIGKILL);
      return;
    }
    await sleep(1);
  }
}

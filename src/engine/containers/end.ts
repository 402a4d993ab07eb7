import { readFileSync, readdirSync, watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import type { ContainerId } from "../../base/ids.ts";
import type { ContainerPaths } from "../paths.ts";
import type { ProcessRef } from "../processes.ts";
import { isAlive } from "../processes.ts";

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export function cancelled(signal: AbortSignal | undefined): SampanError | undefined {
  return signal?.aborted === true ? new SampanError("cancelled", "Cancelled") : undefined;
}

export interface WaitForEnd {
  /** Without one it waits for as long as it takes. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How often to look although nothing was heard: a monitor that is killed writes no status. */
const LOOK_EVERY_MS = 100;

/**
 * Waits until a container's first process has ended; false when time is up. A process that ends at once is seen by looking, one
 * that takes longer by the status that its monitor writes (inotify(7)): nobody waits longer than it has to, and nothing spins.
 */
export async function untilEnded(paths: ContainerPaths, process: ProcessRef, options: WaitForEnd): Promise<boolean> {
  const { signal, timeoutMs } = options;
  const deadline = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
  for (let pauseMs = 0.5; pauseMs <= 8; pauseMs *= 2) {
    if (!isAlive(process)) return true;
    const left = deadline - performance.now();
    if (left <= 0) return false;
    await sleep(Math.min(pauseMs, left));
  }
  let wake = (): void => undefined;
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(paths.run, () => { wake(); });
    watcher.on("error", () => undefined); // looking now and then is enough
  } catch {
    watcher = undefined; // the directory has gone, and the process with it; or no watch was left
  }
  const abort = (): void => { wake(); };
  signal?.addEventListener("abort", abort);
  try {
    for (;;) {
      if (!isAlive(process)) return true;
      const error = cancelled(signal);
      if (error) throw error;
      const left = deadline - performance.now();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(LOOK_EVERY_MS, left));
        wake = () => { clearTimeout(timer); resolve(); };
      });
      // The status is renamed into place when the process has been reaped: its end is a moment away at most.
    }
  } finally {
    signal?.removeEventListener("abort", abort);
    watcher?.close();
  }
}

/** Sends a signal to a process if it is still the same one. False if it has gone. */
export function signalProcess(ref: ProcessRef, signal: number): boolean {
  if (!isAlive(ref)) return false;
  try {
    process.kill(ref.pid, signal);
    return true;
  } catch {
    return false; // ESRCH: gone between look and call
  }
}

/**
 * Whether an executor is still carrying out the start of this container: it has the report, a file in the run directory,
 * mapped. Needed only where whoever started it was killed in between.
 */
export function isBeingExecuted(id: ContainerId): boolean {
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      if (!readFileSync(`/proc/${name}/cmdline`, "utf8").startsWith("keel")) continue;
      // The kernel shows the path with symbolic links resolved: only its own end is compared.
      if (readFileSync(`/proc/${name}/maps`, "utf8").includes(`/containers/${id}/plan.`)) return true;
    } catch {
      continue; // it ended while we looked
    }
  }
  return false;
}

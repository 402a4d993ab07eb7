import type { MonitorPlan } from "../runtime/index.ts";

/** Between the caller's terminal and the container's: keel pumps, as for an engine's foreground run. */
export function terminalMonitor(): MonitorPlan {
  return {
    detached: false, attach: { stdin: true, stdout: true, stderr: true, leaves: false }, openStdin: true, stdinOnce: true,
    detachKeys: new Uint8Array(0), finalize: [], environment: [],
  };
}

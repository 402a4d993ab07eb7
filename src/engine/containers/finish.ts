import { rmSync } from "node:fs";
import { finishRun } from "../../storage/state/index.ts";
import type { ContainerRecord, ContainerStatus } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { cgroupPathsOf } from "./groups.ts";
import { ownerFields } from "./liveness.ts";
import { nowNs } from "./record.ts";
import { leaveNetworks } from "../network/leave.ts";
import { backoffMs, shouldRestart } from "./restart-policy.ts";

/** How a run ended, by whoever saw it. */
export interface EndedRun {
  /** Exit code, or 128 + signal. */
  readonly exitCode: number;
  readonly signal: number;
  readonly finishedMs: number;
  /** Why it could not start, or what went wrong; "" if nothing did. */
  readonly error: string;
  /** The program never ran. */
  readonly failedStart: boolean;
  /** The program ran, and nobody has said so yet. */
  readonly startedMs?: number | undefined;
  /** The machine went down with it: `system boot` decides whether it runs again. */
  readonly byReboot?: boolean;
}

/** States in which a run may be there to be ended. */
const UNENDED: readonly ContainerStatus[] = ["creating", "running", "paused"];

/**
 * Makes this process the one that ends the run: compare-and-set, so that of several who see the end one cleans up and nobody's
 * clean-up meets the next run. Undefined if another was first or the container is gone.
 */
export function claimEnd(context: EngineContext, record: ContainerRecord, revision?: number): ContainerRecord | undefined {
  const from = record.status === "ending" ? (["ending"] as const) : UNENDED;
  const { moved, container } = context.store.containers.transition(record.id, from, "ending", {
    fields: ownerFields(context),
    ...(revision === undefined ? {} : { revision }),
  });
  return moved ? container : undefined;
}

/**
 * After the last process, for the one who claimed the end: reads what the cgroup still knows, removes it and the run files, and
 * records the end. Every step can be repeated by the next one if this process dies in between. With --rm the container goes as a
 * whole; with a restart policy its next start is arranged. Says whether the kernel killed something in it for want of memory.
 */
export async function finishContainer(context: EngineContext, claimed: ContainerRecord, ended: EndedRun): Promise<{ readonly oomKilled: boolean }> {
  const { id } = claimed;
  let oom = false;
  try {
    // The packet filter takes its time to let go of a port (an RCU grace period): meanwhile the rest is removed.
    const leaving = leaveNetworks(context, claimed);
    leaving.catch(() => undefined);
    oom = await removeRunParts(context, claimed);
    const left = await leaving;
    // A run that never began does not count: its record reads as before, with the reason.
    const startedMs = ended.startedMs ?? claimed.startedMs;
    const restart = !ended.failedStart && ended.byReboot !== true && !claimed.autoRemove && shouldRestart(claimed, ended.exitCode);
    const delayMs = restart ? backoffMs({ ...claimed, startedMs }, ended.finishedMs) : 0;
    if (claimed.autoRemove) {
      const { removeContainerFiles } = await import("./remove-files.ts");
      await removeContainerFiles(context, claimed);
    }
    const volumes = claimed.autoRemove ? anonymousVolumes(context, claimed) : [];
    const mounted = context.store.volumes.usedBy(id);
    finishRun(context.store, id, {
      fields: {
        ...(ended.failedStart ? {} : { startedMs }), finishedMs: ended.finishedMs, exitCode: ended.exitCode,
        exitSignal: ended.signal === 0 ? null : ended.signal, oomKilled: oom, error: ended.error,
        // Counted from now: a clean-up that took its time does not shorten the wait.
        ...(restart ? { nextRestartMs: ended.finishedMs + delayMs, restartCount: claimed.restartCount + 1 } : {}),
      },
      status: restart ? "restarting" : startedMs === null ? "created" : "exited",
      remove: claimed.autoRemove,
      actions: [
        ...(ended.startedMs === undefined ? [] : ["start"]),
        ...(oom ? ["oom"] : []),
        ...(ended.failedStart ? [] : ["die"]),
        ...(claimed.autoRemove ? ["destroy"] : []),
      ],
      attributes: { exitCode: String(ended.exitCode) },
      timeNs: nowNs(),
    });
    await left();
    if (mounted.length > 0) await volumesUnmounted(context, claimed, mounted, ended.failedStart);
    if (volumes.length > 0) await removeVolumes(context, volumes);
  } catch (error) {
    // Let go of it, so that the next one who looks tries again.
    context.store.containers.transition(id, ["ending"], "ending", { fields: { monitorPid: null, monitorStartTime: null } });
    throw error;
  }
  const record = context.store.containers.get(id);
  if (record?.status === "restarting") {
    const { armRestart } = await import("./restart-timer.ts");
    await armRestart(context, record);
  }
  return { oomKilled: oom };
}

/** What a run has of the kernel and in the run state. True if the kernel killed something of it for want of memory. */
export async function removeRunParts(context: EngineContext, record: ContainerRecord): Promise<boolean> {
  const groups = cgroupPathsOf(context, record.id);
  let oom = false;
  if (groups.directories.length > 0) {
    const { oomKilled, removeCgroup } = await import("../../runtime/cgroups/operations.ts");
    oom = oomKilled(groups);
    await removeCgroup(groups);
  }
  rmSync(containerPaths(context.paths, record.id).run, { recursive: true, force: true });
  return oom;
}

/** The names of the volumes that go with the container: anonymous, and nobody else's. */
export function anonymousVolumes(context: EngineContext, record: ContainerRecord): string[] {
  const { volumes } = context.store;
  return volumes.usedBy(record.id).map(({ volume }) => volume).filter((name) => volumes.get(name)?.anonymous === true && volumes.users(name).length === 1);
}

async function removeVolumes(context: EngineContext, names: readonly string[]): Promise<void> {
  const { removeAnonymousVolumes } = await import("./remove-files.ts");
  removeAnonymousVolumes(context, names);
}

/** A run that failed may not have come as far as mounting them. */
async function volumesUnmounted(
  context: EngineContext,
  { id }: ContainerRecord,
  uses: readonly { readonly volume: string }[],
  failedStart: boolean,
): Promise<void> {
  if (failedStart) return;
  const { appendUnmounts } = await import("../volumes/events.ts");
  appendUnmounts(context, id, uses.map(({ volume }) => volume));
}

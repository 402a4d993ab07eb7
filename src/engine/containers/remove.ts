import { SampanError } from "../../base/errors.ts";
import { forgetContainer } from "../../storage/state/index.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { RemoveOptions } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { leaveNetworks } from "../network/leave.ts";
import type { ProcessRef } from "../processes.ts";
import { isAlive } from "../processes.ts";
import { appendUnmounts } from "../volumes/events.ts";
import { signalProcess, sleep } from "./end.ts";
import { anonymousVolumes, removeRunParts } from "./finish.ts";
import { cgroupPathsOf } from "./groups.ts";
import { livenessOf, ownerFields } from "./liveness.ts";
import { nowNs } from "./record.ts";
import { removeAnonymousVolumes, removeContainerFiles } from "./remove-files.ts";
import { disarmRestart } from "./restart-timer.ts";
import { findSteady, noSuchContainer } from "./settle.ts";

const SIGKILL = 9;
const KILL_TIMEOUT_MS = 10_000;

/** Removes a container with its layer and logs; one that runs only with `force`, which kills it. */
export async function removeContainer(context: EngineContext, name: string, options: RemoveOptions): Promise<void> {
  for (;;) {
    const record = await findSteady(context, name);
    if (record.status === "creating" || record.status === "ending")
      throw new SampanError("unavailable", `Cannot remove container "${record.name}": another process is still at it`);
    if (record.status === "removing") throw new SampanError("conflict", `removal of container ${name} is already in progress`);
    const runs = record.status === "running" || record.status === "paused" || record.status === "restarting";
    if (runs && !options.force) throw stillRuns(record);
    const { moved, container } = context.store.containers.transition(record.id, [record.status], "removing", {
      revision: record.revision,
      fields: { ...ownerFields(context), hasBeenManuallyStopped: true },
    });
    if (container === undefined) throw noSuchContainer(name);
    if (!moved) continue;
    if (record.status === "restarting") disarmRestart(context, record);
    await remove(context, container, options.volumes || record.autoRemove);
    return;
  }
}

/** Goes on with a removal whose process was killed. */
export async function resumeRemoval(context: EngineContext, record: ContainerRecord): Promise<void> {
  const { moved, container } = context.store.containers.transition(record.id, ["removing"], "removing", {
    revision: record.revision,
    fields: ownerFields(context),
  });
  if (moved) await remove(context, container, record.autoRemove);
}

function stillRuns(record: ContainerRecord): SampanError {
  const procedure = record.status === "paused" ? "Unpause and then stop" : "Stop";
  return new SampanError(
    "conflict",
    `You cannot remove a ${record.status} container ${record.id}. ${procedure} the container before attempting removal or force remove`,
  );
}

/** For the one who claimed it. Killing comes first and is waited for later, so that many removals at once kill all before any waits. */
async function remove(context: EngineContext, record: ContainerRecord, volumes: boolean): Promise<void> {
  const { id } = record;
  try {
    // The monitor goes first: nobody needs the status that it would write, or the process that it would start to clean up.
    const live = livenessOf(context, record);
    const doomed = [live.monitor, live.process].filter((ref) => ref !== undefined);
    for (const ref of doomed) signalProcess(ref, SIGKILL);
    await untilGone(context, record, doomed);
    await removeRunParts(context, record);
    await removeContainerFiles(context, record);
    const left = await leaveNetworks(context, record);
    const orphaned = volumes ? anonymousVolumes(context, record) : [];
    const mounted = live.process === undefined ? [] : context.store.volumes.usedBy(id).map(({ volume }) => volume);
    forgetContainer(context.store, id, {
      timeNs: nowNs(), actions: [...(live.process === undefined ? [] : ["kill", "die"]), "destroy"],
      ...(live.process === undefined ? {} : { attributes: { exitCode: "137", signal: String(SIGKILL) } }),
    });
    await left();
    appendUnmounts(context, id, mounted);
    removeAnonymousVolumes(context, orphaned);
    await releaseLayers(context, record);
  } catch (error) {
    // Let go of it: the next `rm` tries again.
    context.store.containers.transition(id, ["removing"], "dead", { fields: {
      monitorPid: null,
      monitorStartTime: null,
      error: error instanceof Error ? error.message : String(error),
    } });
    throw error;
  }
}

/** Layers that the container alone has kept since its image was removed by force. */
async function releaseLayers(context: EngineContext, { imageId }: ContainerRecord): Promise<void> {
  if (imageId === null || context.store.images.get(imageId) !== undefined) return;
  const { collect } = await import("../images/remove.ts");
  await collect(context, []);
}

async function untilGone(context: EngineContext, record: ContainerRecord, doomed: readonly ProcessRef[]): Promise<void> {
  const deadline = performance.now() + KILL_TIMEOUT_MS;
  for (let pauseMs = 0.5; doomed.some(isAlive); pauseMs = Math.min(10, pauseMs * 2)) {
    // Once, after some 8 ms: most are gone by then.
    if (pauseMs === 8) (await import("../../runtime/cgroups/operations.ts")).unthrottle(cgroupPathsOf(context, record.id));
    if (performance.now() > deadline) throw new SampanError("unavailable", `Cannot remove container "${record.name}": its processes do not die`);
    await sleep(pauseMs);
  }
}

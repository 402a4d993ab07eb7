import { rmSync } from "node:fs";
import { SampanError, messageOf } from "../../base/errors.ts";
import type { CgroupPlan } from "../../runtime/cgroups/index.ts";
import type { ContainerFields, ContainerRecord, ContainerStatus } from "../../storage/state/index.ts";
import type { AttachOptions, Cancellable, SessionResult } from "../api.ts";
import type { ContainerId, EngineContext } from "../context.ts";
import { requireRoot } from "../context.ts";
import { containerPaths } from "../paths.ts";
import type { NetworkStart } from "../network/for-start.ts";
import { prepareNetwork, reserveNetwork } from "../network/for-start.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { throwIfCancelled } from "./abort.ts";
import { launch } from "./launch.ts";
import { ownerFields, ownerOf } from "./liveness.ts";
import { disarmRestart } from "./restart-timer.ts";
import { detachKeysOf } from "./run.ts";
import { findSteady, noSuchContainer, steady } from "./settle.ts";
import { cgroupPlanOf } from "./start.ts";

/** From where a container may be started. */
const STARTABLE: readonly ContainerStatus[] = ["created", "exited", "dead"];

interface Begun {
  readonly record: ContainerRecord;
  readonly stored: StoredConfig;
  readonly cgroup: CgroupPlan | undefined;
  readonly network: NetworkStart;
}

/** What a container was made of, with its name of today. */
export function storedConfigOf(context: EngineContext, record: ContainerRecord): StoredConfig {
  // Written by `reserve` from a StoredConfig.
  const stored = JSON.parse(context.store.containers.config(record.id)) as StoredConfig;
  return stored.name === record.name ? stored : { ...stored, name: record.name };
}

/** Makes this process the one that starts a container: compare-and-set, undefined if another was faster. Records what a run makes. */
async function begin(
  context: EngineContext,
  record: ContainerRecord,
  from: readonly ContainerStatus[],
  fields: Partial<ContainerFields>,
): Promise<Begun | undefined> {
  const stored = storedConfigOf(context, record);
  const cgroup = cgroupPlanOf(context, stored);
  const network = await prepareNetwork(context, stored);
  // With --rm the layer is mounted "volatile", and the kernel refuses it a second time until somebody vouches for its being whole
  // (overlayfs.rst): within one boot it is.
  if (stored.request.remove) rmSync(`${containerPaths(context.paths, record.id).work}/work/incompat`, { recursive: true, force: true });
  const { store } = context;
  const began = store.transaction(() => {
    const { moved, container } = store.containers.transition(record.id, from, "creating", {
      revision: record.revision,
      fields: { ...ownerFields(context), error: "", ...fields },
    });
    if (!moved) return undefined;
    const keys = [
      { kind: "dir" as const, key: containerPaths(context.paths, record.id).run },
      ...(cgroup?.remove ?? []).map((key) => ({ kind: "cgroup" as const, key })),
    ];
    store.resources.record(keys.map(({ kind, key }) => ({ kind, key, containerId: record.id, lifetime: "run" as const })), Date.now());
    reserveNetwork(context, network, record.id);
    return container;
  });
  return began === undefined ? undefined : { record: began, stored, cgroup, network };
}

/** A person's start: counts restarts from the beginning, and forgets that somebody had stopped it. */
const BY_HAND: Partial<ContainerFields> = { restartCount: 0, nextRestartMs: null, hasBeenManuallyStopped: false };

/**
 * Brings a container from rest to "creating", ours. Undefined if it runs already, or another is starting it, which is then waited for.
 * Throws in Docker's words where its state forbids it.
 */
async function takeForStart(context: EngineContext, name: string): Promise<Begun | undefined> {
  for (;;) {
    const record = await findSteady(context, name);
    switch (record.status) {
      case "running":
      case "restarting":
        return undefined;
      case "paused":
        throw new SampanError("wrong-state", "cannot start a paused container, try unpause instead", { hint: `Thaw it with: sampan unpause ${record.name}` });
      case "removing":
        throw new SampanError("wrong-state", `container is marked for removal and cannot be started`);
      case "creating":
      case "ending":
        throw new SampanError("unavailable", `Cannot start container "${record.name}": another process is still at it`);
      default: {
        const begun = await begin(context, record, STARTABLE, BY_HAND);
        if (begun !== undefined) return begun;
      }
    }
  }
}

/** Starts a container in the background; one that runs already stays as it is. */
export async function startInBackground(context: EngineContext, name: string, { signal }: Cancellable): Promise<void> {
  requireRoot();
  throwIfCancelled(signal);
  const begun = await takeForStart(context, name);
  if (begun !== undefined) await launchInBackground(context, begun);
}

async function launchInBackground(context: EngineContext, { record, stored, cgroup, network }: Begun): Promise<void> {
  await launchForStart(context, record, stored, cgroup, {
    detached: true, streams: {}, callerEnv: {}, trace: false, sigProxy: false, network, detachKeys: await detachKeysOf(stored.request.detachKeys),
  });
}

/** Starts a container and stays until it ends or the person leaves; one that runs already is attached to. */
export async function startAttached(context: EngineContext, name: string, options: AttachOptions): Promise<SessionResult> {
  requireRoot();
  const begun = await takeForStart(context, name);
  if (begun === undefined) {
    const { attachToContainer } = await import("./attach.ts");
    return attachToContainer(context, name, options);
  }
  const { record, stored, cgroup, network } = begun;
  const { exitCode, signal, detached } = await launchForStart(context, record, stored, cgroup, {
    detached: false, streams: options.streams, callerEnv: {}, trace: false, sigProxy: options.sigProxy, network,
    detachKeys: await detachKeysOf(options.detachKeys ?? stored.request.detachKeys), signal: options.signal,
  });
  return { exitCode, signal, detached };
}

/** As `launch`: but `start` fails with 1, where `run` has exit codes of its own for a program that could not be executed. */
async function launchForStart(...args: Parameters<typeof launch>): Promise<SessionResult> {
  try {
    return await launch(...args);
  } catch (error) {
    if (!(error instanceof SampanError)) throw error;
    throw new SampanError(error.kind, error.message, { hint: error.hint, code: error.code, cause: error });
  }
}

/**
 * What `sampan system finish ID` does when a monitor or a sleeper calls it: ends what has ended, starts what is due. A container that is
 * gone, or that somebody else is at, is none of its business.
 */
export async function finishOrRestart(context: EngineContext, id: string): Promise<void> {
  const found = context.store.containers.get(id as ContainerId); // one that is none is not found
  if (found === undefined) return;
  const record = await untilStarterIsDone(context, found);
  if (record?.status !== "restarting") return;
  const owner = ownerOf(context, record);
  // The sleeper has become this very process; another one sleeps on.
  if (owner !== undefined && owner.pid !== process.pid) return;
  // The sleeper has slept by a clock that nobody sets: only who comes by chance looks at the other one.
  if (owner === undefined && (record.nextRestartMs ?? 0) - Date.now() > 20) return;
  let begun: Begun | undefined;
  try {
    begun = await begin(context, record, ["restarting"], {});
  } catch (error) {
    // Its network or a port is gone, say: nobody would be told but by its record, and trying for ever helps nobody.
    context.store.containers.transition(record.id, ["restarting"], "exited", {
      revision: record.revision,
      fields: { ...NO_OWNER, error: messageOf(error), nextRestartMs: null },
    });
    throw error;
  }
  if (begun !== undefined) await launchInBackground(context, begun);
}

const NO_OWNER: Partial<ContainerFields> = { monitorPid: null, monitorStartTime: null };

/** A container in the background may end before its starter has said that it runs: the starter is given the time to. */
async function untilStarterIsDone(context: EngineContext, record: ContainerRecord): Promise<ContainerRecord | undefined> {
  return steady(context, record);
}

/** Starts what was just stopped, for `restart`: whatever state it is in by now. Where another has started it meanwhile, that is done. */
export async function startAgain(context: EngineContext, record: ContainerRecord): Promise<void> {
  let now: ContainerRecord | undefined = record;
  for (;;) {
    now = now === undefined ? undefined : await steady(context, now);
    if (now === undefined) throw noSuchContainer(record.name);
    if (now.status === "running" || now.status === "paused") return;
    if (now.status === "removing")
      throw new SampanError("wrong-state", `Cannot restart container ${record.name}: container is marked for removal and cannot be started`);
    if (now.status === "creating" || now.status === "ending")
      throw new SampanError("unavailable", `Cannot restart container "${record.name}": another process is still at it`);
    if (now.status === "restarting") disarmRestart(context, now);
    const begun = await begin(context, now, [...STARTABLE, "restarting"], BY_HAND);
    if (begun !== undefined) return launchInBackground(context, begun);
    now = context.store.containers.get(record.id);
  }
}

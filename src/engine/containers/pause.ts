import { SampanError, errnoOf } from "../../base/errors.ts";
import type { ContainerId } from "../../base/ids.ts";
import type { Cancellable } from "../api.ts";
import type { ContainerRecord, Resource } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { appendEvent } from "./events.ts";
import { cgroupPathsOf } from "./groups.ts";
import { holdHealth, resumeHealth } from "./health-hold.ts";
import { freezerKey, isFreezer, processOf } from "./liveness.ts";
import { findSteady, settle } from "./settle.ts";

/** Freezes every process of a container. */
export async function pauseContainer(context: EngineContext, name: string, { signal }: Cancellable): Promise<void> {
  const record = await findSteady(context, name);
  if (record.status === "paused") throw new SampanError("wrong-state", `Container ${record.id} is already paused`);
  if (record.status === "restarting") throw new SampanError("wrong-state", `Container ${record.id} is restarting, wait until the container is running`);
  if (record.status !== "running") throw new SampanError("wrong-state", `Container ${record.id} is not running`);
  // Of one who was killed outside the time in which it was frozen: this is the caller's own wish.
  forgetFreezes(context, record, ({ key }) => !isFreezer(key));
  const { freeze, thaw } = await import("../../runtime/cgroups/operations.ts");
  const groups = cgroupPathsOf(context, record.id);
  await freeze(groups, signal === undefined ? {} : { signal }).catch((error: unknown) => { throw errorOf(context, record, error); });
  const { moved } = context.store.containers.transition(record.id, ["running"], "paused");
  if (!moved) {
    // It ended, or somebody else froze it: nothing may stay frozen that is not said to be.
    const now = context.store.containers.get(record.id);
    if (now?.status !== "paused") await thaw(groups).catch(() => undefined);
    if (now !== undefined) await settle(context, now);
    throw new SampanError("wrong-state", `Container ${record.id} is ${now?.status === "paused" ? "already paused" : "not running"}`);
  }
  holdHealth(containerPaths(context.paths, record.id));
  appendEvent(context, record, "pause");
}

/** Lets every process of a frozen container go on. */
export async function unpauseContainer(context: EngineContext, name: string, { signal }: Cancellable): Promise<void> {
  const record = await findSteady(context, name);
  if (record.status !== "paused") throw new SampanError("wrong-state", `Container ${record.id} is not paused`);
  await goOn(context, record, signal);
}

async function goOn(context: EngineContext, record: ContainerRecord, signal: AbortSignal | undefined): Promise<void> {
  const { thaw } = await import("../../runtime/cgroups/operations.ts");
  resumeHealth(containerPaths(context.paths, record.id));
  await thaw(cgroupPathsOf(context, record.id), signal === undefined ? {} : { signal }).catch((error: unknown) => { throw errorOf(context, record, error); });
  const { moved } = context.store.containers.transition(record.id, ["paused"], "running");
  if (moved) appendEvent(context, record, "unpause");
}

/** Does something to a container that runs while all of it is frozen. Whatever happens, to this process too, it does not stay so. */
export async function whileFrozen<T>(context: EngineContext, id: ContainerId, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  const { resources } = context.store;
  const key = freezerKey();
  resources.record([{ kind: "freeze", key, containerId: id, lifetime: "run" }], Date.now());
  try {
    await pauseContainer(context, id, { signal });
    try {
      return await work();
    } finally {
      // Not aborted: nothing stays frozen.
      await unpauseContainer(context, id, {});
    }
  } finally {
    resources.release(id, "freeze", key);
  }
}

/** The end of a `whileFrozen` whose process was killed: for whoever notices (`isAbandoned`). */
export async function thawAbandoned(context: EngineContext, record: ContainerRecord): Promise<void> {
  await goOn(context, record, undefined);
  forgetFreezes(context, record, () => true);
}

function forgetFreezes({ store }: EngineContext, { id }: ContainerRecord, which: (freeze: Resource) => boolean): void {
  for (const row of store.resources.list(id)) if (row.kind === "freeze" && which(row)) store.resources.release(id, row.kind, row.key);
}

/** Of a container that has ended meanwhile, and may have been started again, the groups are gone: that is what is told. */
function errorOf(context: EngineContext, record: ContainerRecord, error: unknown): unknown {
  return errnoOf(error) === "ENOENT" || errnoOf(error) === "ENODEV" || processOf(context, record) === undefined ? new SampanError("wrong-state", `Container ${record.id} is not running`, { cause: error }) : error;
}

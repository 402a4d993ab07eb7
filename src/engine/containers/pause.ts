import { SampanError, errnoOf } from "../../base/errors.ts";
import type { Cancellable } from "../api.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { appendEvent } from "./events.ts";
import { cgroupPathsOf } from "./groups.ts";
import { holdHealth, resumeHealth } from "./health-hold.ts";
import { processOf } from "./liveness.ts";
import { findSteady, settle } from "./settle.ts";

/** Freezes every process of a container. */
export async function pauseContainer(context: EngineContext, name: string, { signal }: Cancellable): Promise<void> {
  const record = await findSteady(context, name);
  if (record.status === "paused") throw new SampanError("wrong-state", `Container ${record.id} is already paused`);
  if (record.status === "restarting") throw new SampanError("wrong-state", `Container ${record.id} is restarting, wait until the container is running`);
  if (record.status !== "running") throw new SampanError("wrong-state", `Container ${record.id} is not running`);
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
  const { thaw } = await import("../../runtime/cgroups/operations.ts");
  resumeHealth(containerPaths(context.paths, record.id));
  await thaw(cgroupPathsOf(context, record.id), signal === undefined ? {} : { signal }).catch((error: unknown) => { throw errorOf(context, record, error); });
  const { moved } = context.store.containers.transition(record.id, ["paused"], "running");
  if (moved) appendEvent(context, record, "unpause");
}

/** Of a container that has ended meanwhile, and may have been started again, the groups are gone: that is what is told. */
function errorOf(context: EngineContext, record: ContainerRecord, error: unknown): unknown {
  return errnoOf(error) === "ENOENT" || errnoOf(error) === "ENODEV" || processOf(context, record) === undefined ? new SampanError("wrong-state", `Container ${record.id} is not running`, { cause: error }) : error;
}

import type { ContainerRecord } from "../../storage/state/index.ts";
import type { Cancellable } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { cancelled, sleep, untilEnded } from "./end.ts";
import { processOf } from "./liveness.ts";
import { findContainer, settle, steady } from "./settle.ts";

/** Waits for the end of the run that is on, and gives its exit code; the last one's at once if none is. */
export async function waitForContainer(context: EngineContext, name: string, { signal }: Cancellable): Promise<number> {
  const record = await findContainer(context, name);
  const since = context.store.events.lastId();
  for (let now: ContainerRecord | undefined = record; ; ) {
    const error = cancelled(signal);
    if (error) throw error;
    if (now === undefined) return dieCode(context, record, since) ?? 0;
    if (now.status === "created" || now.status === "exited" || now.status === "dead" || now.status === "restarting" ||
      (now.status === "removing" && hasEnded(now))) return now.exitCode ?? 0;
    const process = processOf(context, now);
    if (process !== undefined) await untilEnded(containerPaths(context.paths, now.id), process, { signal });
    else await sleep(2);
    const after = context.store.containers.get(record.id);
    // A run that came after the one we waited for is not ours to wait for.
    if (after !== undefined && after.startedMs !== now.startedMs && now.status !== "creating") return dieCode(context, record, since) ?? after.exitCode ?? 0;
    now = after === undefined ? undefined : await settle(context, after);
  }
}

/** Whether its last run is over; one that is being removed by force is killed by that, and its exit code comes with its last event. */
function hasEnded({ startedMs, finishedMs }: ContainerRecord): boolean {
  return startedMs === null || (finishedMs !== null && finishedMs >= startedMs);
}

/** The exit code of a container whose monitor went away without a word; undefined if it lives. */
export async function exitCodeOf(context: EngineContext, record: ContainerRecord): Promise<number | undefined> {
  const now = await steady(context, record);
  if (now === undefined) return dieCode(context, record, 0) ?? 137;
  // Somebody is removing it by force: that began with SIGKILL.
  if (now.status === "removing") return 137;
  return now.status === "running" || now.status === "paused" ? undefined : (now.exitCode ?? 137);
}

/** What the last event about its end says: all that is left of a container that was removed with its end. */
function dieCode(context: EngineContext, record: ContainerRecord, afterId: number): number | undefined {
  const event = context.store.events.list({ afterId }).findLast(({ actorId, action }) => actorId === record.id && action === "die");
  return event === undefined ? undefined : Number(event.attributes["exitCode"]);
}

import { readFileSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { isBeingExecuted, sleep } from "./end.ts";
import { appendEvent } from "./events.ts";
import type { EndedRun } from "./finish.ts";
import { isAbandoned, livenessOf, ownerOf, processOf } from "./liveness.ts";
import type { Liveness } from "./liveness.ts";

/** How long somebody else's clean-up is waited for. */
const PATIENCE_MS = 10_000;
/** How long a monitor may still be busy with output after the first process has gone. */
const DRAIN_MS = 500;

/** The container of a name, an id or a prefix, as it truly is. */
export async function findContainer(context: EngineContext, name: string): Promise<ContainerRecord> {
  const record = await settle(context, context.store.containers.find(name));
  if (record === undefined) throw noSuchContainer(name);
  return record;
}

export function noSuchContainer(name: string): SampanError {
  return new SampanError("not-found", `No such container: ${name}`);
}

/** Whether the record says what is true, as far as a glance tells: enough for lists. */
export function isTrue(context: EngineContext, record: ContainerRecord): boolean {
  switch (record.status) {
    case "created":
    case "exited":
    case "dead":
      return true;
    case "running":
      return processOf(context, record) !== undefined;
    case "paused":
      return processOf(context, record) !== undefined && !isAbandoned(context, record);
    case "creating":
    case "restarting":
    case "removing":
      return ownerOf(context, record) !== undefined;
    case "ending":
      return false;
  }
}

/**
 * Makes a record true. Where its processes are gone and nobody is at it any more, because the command line, the monitor or the
 * machine was, it is ended here and now, whoever asks; what another is just ending is waited for. Undefined if it is gone (--rm).
 */
export async function settle(context: EngineContext, record: ContainerRecord): Promise<ContainerRecord | undefined> {
  if (isTrue(context, record)) return record;
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const now = context.store.containers.get(record.id);
    if (now === undefined || isTrue(context, now)) return now;
    const next = await step(context, now);
    if (next === "done") return context.store.containers.get(record.id);
    if (next === "wait") {
      if (performance.now() > deadline) return context.store.containers.get(record.id);
      await sleep(2);
    }
  }
}

/** One step towards the truth: done, changed (look again), or something that takes a moment. */
async function step(context: EngineContext, record: ContainerRecord): Promise<"done" | "again" | "wait"> {
  switch (record.status) {
    case "restarting":
      return restartingAlone(context, record);
    case "removing": {
      const { resumeRemoval } = await import("./remove.ts");
      await resumeRemoval(context, record);
      return "again";
    }
    case "ending":
      if (ownerOf(context, record) !== undefined) return "wait";
      return end(context, record, endingOf(context, record, livenessOf(context, record)));
    default:
      return unowned(context, record);
  }
}

/** The one who would have started it again is gone. */
async function restartingAlone(context: EngineContext, record: ContainerRecord): Promise<"again"> {
  if (record.bootId !== context.bootId) {
    context.store.containers.transition(record.id, ["restarting"], "exited", { revision: record.revision });
    return "again";
  }
  const { armRestart } = await import("./restart-timer.ts");
  await armRestart(context, record);
  return "again";
}

/** "creating", "running" or "paused", and the glance saw no process, or nobody who is creating it. */
async function unowned(context: EngineContext, record: ContainerRecord): Promise<"again" | "wait"> {
  const live = livenessOf(context, record);
  if (live.process !== undefined) {
    // Its starter was killed after the program began: it goes on in the background.
    if (record.status === "creating") adopt(context, record);
    if (record.status === "paused") await (await import("./pause.ts")).thawAbandoned(context, record);
    return "again";
  }
  const isOfThisBoot = record.bootId === context.bootId;
  if (isOfThisBoot && live.ended === undefined && (live.monitor !== undefined || isBeingExecuted(record.id))) return "wait";
  if (isOfThisBoot && live.monitor !== undefined) await drained(context, record);
  return end(context, record, endingOf(context, record, livenessOf(context, record)));
}

/** Waits until the monitor has passed on the last output; not for ever, since a client may have stopped reading. */
async function drained(context: EngineContext, record: ContainerRecord): Promise<void> {
  const deadline = performance.now() + DRAIN_MS;
  while (livenessOf(context, record).monitor !== undefined) {
    if (performance.now() > deadline) return;
    await sleep(1);
  }
}

async function end(context: EngineContext, record: ContainerRecord, ended: EndedRun): Promise<"again"> {
  // Loaded where something is wrong: seldom, and never by a list of what is right.
  const { claimEnd, finishContainer } = await import("./finish.ts");
  const claimed = claimEnd(context, record, record.revision);
  if (claimed !== undefined) await finishContainer(context, claimed, ended);
  return "again";
}

/** The program runs, and whoever started it did not live to say so. */
function adopt(context: EngineContext, record: ContainerRecord): void {
  context.store.transaction(() => {
    const { moved, container } = context.store.containers.transition(record.id, ["creating"], "running", {
      revision: record.revision,
      fields: { startedMs: Date.now() },
    });
    if (moved) appendEvent(context, container, "start");
  });
}

/** How a run without processes ended, from what is left of it. */
function endingOf(context: EngineContext, record: ContainerRecord, live: Liveness): EndedRun {
  const signal = 0;
  if (live.ended !== undefined) {
    const startedMs = record.startedMs === null || record.status === "creating" ? Date.parse(live.ended.time) : undefined;
    return { exitCode: live.ended.exitCode, signal: live.ended.signal, finishedMs: Date.parse(live.ended.time), error: "", failedStart: false, startedMs };
  }
  if (record.bootId !== context.bootId) {
    const failedStart = record.status === "creating";
    return {
      exitCode: failedStart ? 128 : 255, signal, finishedMs: bootedMs(record),
      error: failedStart ? "The machine was restarted while the container was being started" : "The machine was restarted while the container ran",
      failedStart, byReboot: true,
    };
  }
  if (record.status === "creating")
    return { exitCode: 128, signal, finishedMs: Date.now(), error: "Whoever was starting the container was killed before it began", failedStart: true };
  return { exitCode: 137, signal: 9, finishedMs: Date.now(), error: "The container's monitor was killed, and the container with it", failedStart: false };
}

/** When this boot began: a run of an earlier one ended before. */
function bootedMs(record: ContainerRecord): number {
  const seconds = Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1] ?? 0);
  return Math.max(seconds * 1000, record.startedMs ?? record.createdMs);
}

/**
 * Waits until whoever is starting or ending a container is done with it, for commands that act on what comes of it.
 * Gives back the container as it is then.
 */
export async function steady(context: EngineContext, record: ContainerRecord): Promise<ContainerRecord | undefined> {
  const deadline = performance.now() + PATIENCE_MS;
  for (let now: ContainerRecord | undefined = record; ; ) {
    now = now === undefined ? undefined : await settle(context, now);
    if (now === undefined || (now.status !== "creating" && now.status !== "ending") || performance.now() > deadline) return now;
    await sleep(2);
    now = context.store.containers.get(record.id);
  }
}

/** `findContainer`, and past any start or end that is under way. */
export async function findSteady(context: EngineContext, name: string): Promise<ContainerRecord> {
  const record = await steady(context, context.store.containers.find(name));
  if (record === undefined) throw noSuchContainer(name);
  return record;
}

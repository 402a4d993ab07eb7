import { SampanError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { Cancellable, StopOptions } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import type { ProcessRef } from "../processes.ts";
import { isAlive } from "../processes.ts";
import { storedConfigOf } from "./begin.ts";
import { signalProcess, untilEnded } from "./end.ts";
import { appendEvent } from "./events.ts";
import { cgroupPathsOf } from "./groups.ts";
import { processOf } from "./liveness.ts";
import { disarmRestart } from "./restart-timer.ts";
import { findSteady, steady } from "./settle.ts";
import { signalNumber } from "./signal-numbers.ts";

const SIGINT = 2;
const SIGQUIT = 3;
const SIGKILL = 9;
const SIGTERM = 15;
/** Docker's default. */
const STOP_TIMEOUT_S = 10;
/** A killed process that is still there after so long waits for the kernel. */
const KILL_TIMEOUT_MS = 10_000;

/** Asks a container to end, kills it when its time is up, and returns when it has ended. One that does not run is left alone. */
export async function stopContainer(context: EngineContext, name: string, options: StopOptions): Promise<void> {
  await stopFound(context, await findSteady(context, name), options);
}

/** As `stop`, but the restart policy still applies: it starts the container again, whatever becomes of this process. */
export async function stopForPolicy(context: EngineContext, record: ContainerRecord): Promise<void> {
  await stopFound(context, record, {}, false);
}

async function stopFound(context: EngineContext, record: ContainerRecord, options: StopOptions, byHand = true): Promise<ContainerRecord | undefined> {
  const { request, image } = storedConfigOf(context, record);
  const asked = options.stopSignal ?? request.stopSignal ?? image.config.stopSignal;
  const signal = asked === undefined || asked === "" ? SIGTERM : signalNumber(asked);
  const timeoutS = options.timeoutSeconds ?? request.stopTimeoutSeconds ?? STOP_TIMEOUT_S;
  if (record.status === "restarting") return cancelRestart(context, record, "stop");
  const process = processOf(context, record);
  if (process === undefined || (record.status !== "running" && record.status !== "paused")) return record;
  if (byHand) markStopped(context, record);
  const paths = containerPaths(context.paths, record.id);
  if (await send(context, record, process, signal)) {
    const ended = await untilEnded(paths, process, { timeoutMs: timeoutS < 0 ? undefined : timeoutS * 1000, signal: options.signal });
    if (!ended) {
      await send(context, record, process, SIGKILL);
      await hasten(context, record);
      if (!(await untilEnded(paths, process, { timeoutMs: KILL_TIMEOUT_MS, signal: options.signal }))) throw doesNotDie(record, process);
    }
  }
  const after = await steady(context, record);
  appendEvent(context, after ?? record, "stop");
  return after;
}

/** Stops a container that runs, and starts it whether it did or not. */
export async function restartContainer(context: EngineContext, name: string, options: StopOptions): Promise<void> {
  const { startAgain } = await import("./begin.ts");
  const record = await findSteady(context, name);
  if (record.status === "removing") throw new SampanError("wrong-state", `Cannot restart container ${name}: container is marked for removal and cannot be started`);
  // With --rm the container would go with its end: it is kept over this one.
  if (record.autoRemove) context.store.containers.update(record.id, { autoRemove: false });
  try {
    const after = await stopFound(context, record, options);
    await startAgain(context, after ?? record);
  } finally {
    if (record.autoRemove) context.store.containers.update(record.id, { autoRemove: true });
  }
  appendEvent(context, context.store.containers.get(record.id) ?? record, "restart");
}

/**
 * Sends a signal to a container's first process. SIGKILL is waited for. What asks a container to end also means that no policy
 * is to start it again; any other signal (SIGHUP: read your configuration) does not.
 */
export async function killContainer(context: EngineContext, name: string, options: Cancellable & { readonly killSignal: string }): Promise<void> {
  const signal = signalNumber(options.killSignal);
  const record = await findSteady(context, name);
  if (record.status === "restarting") {
    await cancelRestart(context, record, "kill");
    return;
  }
  const process = processOf(context, record);
  if (process === undefined || (record.status !== "running" && record.status !== "paused")) throw notRunning(name, record);
  const { request, image } = storedConfigOf(context, record);
  const own = request.stopSignal ?? image.config.stopSignal;
  if ([SIGKILL, SIGTERM, SIGINT, SIGQUIT].includes(signal) || (own !== undefined && own !== "" && signalNumber(own) === signal)) markStopped(context, record);
  if (!(await send(context, record, process, signal))) throw notRunning(name, record);
  if (signal !== SIGKILL) return;
  await hasten(context, record);
  const ended = await untilEnded(containerPaths(context.paths, record.id), process, { timeoutMs: KILL_TIMEOUT_MS, signal: options.signal });
  if (!ended) throw doesNotDie(record, process);
  await steady(context, record);
}

function notRunning(name: string, record: ContainerRecord): SampanError {
  return new SampanError("conflict", `Cannot kill container: ${name}: Container ${record.id} is not running`);
}

function doesNotDie(record: ContainerRecord, process: ProcessRef): SampanError {
  return new SampanError("unavailable", `Cannot kill container "${record.name}": process ${process.pid} does not die`, {
    hint: `Look at /proc/${process.pid}/stack: a process in an uninterruptible wait dies only after that`,
  });
}

/** After SIGKILL its CPU limit only keeps a container from dying; a next run gets a group, and a limit, of its own. */
async function hasten(context: EngineContext, record: ContainerRecord): Promise<void> {
  const { unthrottle } = await import("../../runtime/cgroups/operations.ts");
  unthrottle(cgroupPathsOf(context, record.id));
}

/** Said before the signal is sent: whoever sees the end must know that it was wanted. */
function markStopped(context: EngineContext, record: ContainerRecord): void {
  if (!record.hasBeenManuallyStopped) context.store.containers.update(record.id, { hasBeenManuallyStopped: true });
}

/** False if the process has gone. What is frozen is thawed for a signal that it has to see. */
async function send(context: EngineContext, record: ContainerRecord, process: ProcessRef, signal: number): Promise<boolean> {
  if (!signalProcess(process, signal)) return false;
  appendEvent(context, record, "kill", { signal: String(signal) });
  // Somebody may have paused it since it was looked at.
  if (record.status !== "paused" && context.store.containers.get(record.id)?.status !== "paused") return true;
  const { thaw } = await import("../../runtime/cgroups/operations.ts");
  const { resumeHealth } = await import("./health-hold.ts");
  resumeHealth(containerPaths(context.paths, record.id));
  await thaw(cgroupPathsOf(context, record.id)).catch((error: unknown) => {
    if (isAlive(process)) throw error; // else its groups have gone with it
  });
  context.store.containers.transition(record.id, ["paused"], "running");
  return true;
}

/** A container that waits for its next start does not get one. */
async function cancelRestart(context: EngineContext, record: ContainerRecord, action: "stop" | "kill"): Promise<ContainerRecord | undefined> {
  const { moved, container } = context.store.containers.transition(record.id, ["restarting"], "exited", {
    fields: { hasBeenManuallyStopped: true, nextRestartMs: null, monitorPid: null, monitorStartTime: null },
  });
  if (!moved) return container === undefined ? undefined : stopFound(context, (await steady(context, container)) ?? container, {});
  disarmRestart(context, record);
  appendEvent(context, container, action);
  return container;
}

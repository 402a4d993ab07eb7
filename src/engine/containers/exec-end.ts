import { rmSync } from "node:fs";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { ContainerId, EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { processAt, readIfThere } from "../processes.ts";
import { appendEvent } from "./events.ts";
import { parseStatus } from "./liveness.ts";

/** Where the monitor of a command writes how it ended. */
export function execStatusPath(context: EngineContext, record: Pick<ContainerRecord, "id">, execId: string): string {
  return `${containerPaths(context.paths, record.id).run}/exec.${execId}`;
}

/** Records the end of a command, once, whoever sees it first. */
export function endExec(context: EngineContext, record: ContainerRecord, execId: string, exitCode: number): void {
  context.store.transaction(() => {
    if (context.store.execs.delete(execId)) appendEvent(context, record, "exec_die", { execID: execId, exitCode: String(exitCode) });
  });
  rmSync(execStatusPath(context, record, execId), { force: true });
}

/** For a command whose caller did not wait: by the process that its monitor starts. */
export function finishExec(context: EngineContext, containerId: string, execId: string): void {
  const record = context.store.containers.get(containerId as ContainerId); // one that is none is not found
  if (record === undefined) return; // and with it all that was known of the command
  const status = readIfThere(execStatusPath(context, record, execId));
  // Without a status the container ended first, and killed what was in it.
  endExec(context, record, execId, (status === undefined ? undefined : parseStatus(status)?.exitCode) ?? 137);
}

/** The commands that run in a container: those whose monitor, or whose caller, still lives. */
export function runningExecs(context: EngineContext, record: ContainerRecord): string[] {
  return context.store.execs.list(record.id)
    .filter(({ monitorPid, monitorStartTime }) => monitorPid !== null && processAt(monitorPid)?.startTime === monitorStartTime)
    .map(({ id }) => id);
}

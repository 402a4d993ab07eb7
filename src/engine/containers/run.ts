import { SampanError } from "../../base/errors.ts";
import type { RunOptions, RunResult } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { requireRoot } from "../context.ts";
import type { RunRequest } from "../request.ts";
import { finishContainer } from "./finish.ts";
import { prepare } from "./prepare.ts";
import { reserve } from "./record.ts";
import { cgroupPlanOf, startContainer, startFailure } from "./start.ts";
import { forwardSignals } from "./signals.ts";

const DEFAULT_DETACH_KEYS = new Uint8Array([16, 17]); // ctrl-p, ctrl-q

/**
 * Creates and starts a container; in the foreground stays until it ends or the person detaches.
 * Order matters: everything is decided first, then recorded in one transaction, then made. What was recorded is what a
 * later clean-up finds, whatever happens in between.
 */
export async function runContainer(context: EngineContext, request: RunRequest, options: RunOptions): Promise<RunResult> {
  requireRoot();
  const { stored: wanted, volumes } = await prepare(context, request);
  const cgroup = cgroupPlanOf(context, wanted);
  const { record, stored } = reserve(context, wanted, cgroup, { actions: ["create"], volumes: volumes.map(({ name, target }) => ({ name, target })) });
  const detached = request.detach;
  try {
    const started = await startContainer(context, stored, cgroup, {
      detached, streams: detached ? {} : options.streams, callerEnv: process.env, trace: false,
      detachKeys: request.detachKeys === undefined ? DEFAULT_DETACH_KEYS : (await import("./detach-keys.ts")).parseDetachKeys(request.detachKeys),
    });
    const stop = detached ? undefined : forwardSignals(started.running, request);
    context.store.containers.transition(record.id, ["creating"], "running", { fields: { startedMs: Date.now() } });
    const { code, report } = await started.running.finished;
    stop?.();
    const failure = startFailure(stored, started.plan, report);
    if (failure) {
      await finishContainer(context, record, cgroup, { exitCode: failure.exitCode ?? 125, signal: 0, finishedMs: Date.now(), error: failure.message });
      throw failure;
    }
    const result = { id: stored.id, warnings: started.warnings };
    if (detached || report.state === "detached") return { ...result, exitCode: 0, detached: report.state === "detached" };
    if (report.state !== "exited") throw new SampanError("internal", `Cannot follow container "${stored.name}": its monitor ended with code ${code}`, { exitCode: 125 });
    await finishContainer(context, record, cgroup, { exitCode: report.status, signal: report.signal, finishedMs: Number(report.exitNs / 1_000_000n), error: "" });
    return { ...result, exitCode: report.status, detached: false };
  } catch (error) {
    if (context.store.containers.get(record.id)?.status === "creating")
      await finishContainer(context, record, cgroup, { exitCode: 125, signal: 0, finishedMs: Date.now(), error: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}


import { existsSync } from "node:fs";
import { SampanError, messageOf } from "../../base/errors.ts";
import type { CgroupPlan } from "../../runtime/cgroups/index.ts";
import type { Running } from "../../plan/index.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { SessionResult } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { sleep } from "./end.ts";
import { appendEvent } from "./events.ts";
import { claimEnd, finishContainer } from "./finish.ts";
import type { EndedRun } from "./finish.ts";
import { killOnAbort, throwIfCancelled } from "./abort.ts";
import { forwardSignals } from "./signals.ts";
import { startContainer, startFailure } from "./start.ts";
import type { StartOptions, Started } from "./start.ts";

export interface Session extends SessionResult {
  readonly oomKilled: boolean;
  readonly started: Started;
}

export interface LaunchOptions extends StartOptions {
  /** Pass this process's signals on to the container. */
  readonly sigProxy: boolean;
  /** Giving it kills what runs in the foreground. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Starts a container that is in "creating" and ours, and in the foreground stays until it ends or the person leaves. Whatever goes
 * wrong, the container is ended and cleaned up, here or by whoever was faster.
 */
export async function launch(
  context: EngineContext,
  record: ContainerRecord,
  stored: StoredConfig,
  cgroup: CgroupPlan | undefined,
  options: LaunchOptions,
): Promise<Session> {
  const run = new Run(context, record);
  try {
    throwIfCancelled(options.signal);
    const started = await startContainer(context, stored, cgroup, options);
    if (!options.detached) loadEnd(stored);
    const undo = options.detached ? undefined : forwardSignals(started.running, { ...stored.request, sigProxy: options.sigProxy });
    if (!options.detached && (await untilStarted(started.running))) run.started();
    const keep = options.detached ? undefined : killOnAbort(context, record.id, options.signal);
    const { code, report } = await started.running.finished;
    undo?.();
    keep?.();
    const failure = report.failure === undefined ? undefined : startFailure(stored, await started.plan(), report);
    if (failure) throw failure;
    if (options.detached) {
      run.started();
      await run.endedAlready();
      return { started, exitCode: 0, signal: 0, oomKilled: false, detached: false };
    }
    if (report.state === "detached") return { started, exitCode: report.status, signal: 0, oomKilled: false, detached: true };
    if (report.state === "exited") {
      const { oomKilled } = await run.end({
        exitCode: report.status,
        signal: report.signal,
        finishedMs: Number(report.exitNs / 1_000_000n),
        error: "",
        failedStart: false,
      });
      throwIfCancelled(options.signal);
      return { started, exitCode: report.status, signal: report.signal, oomKilled, detached: false };
    }
    const exitCode = await run.lost(code);
    throwIfCancelled(options.signal);
    return { started, exitCode, signal: exitCode > 128 ? exitCode - 128 : 0, oomKilled: run.wasOomKilled(), detached: false };
  } catch (error) {
    const exitCode = (error instanceof SampanError ? error.exitCode : undefined) ?? 125;
    // Docker keeps 127 and 126 of a program that could not be executed, and 128 for everything else.
    if (!run.hasStarted)
      await run.end({ exitCode: exitCode === 125 ? 128 : exitCode, signal: 0, finishedMs: Date.now(), error: messageOf(error), failedStart: true });
    throw error;
  }
}

/** While the program runs there is time: what its end needs is loaded now, and not while somebody waits for the exit. */
function loadEnd({ request }: StoredConfig): void {
  void import("../../runtime/cgroups/operations.ts");
  if (request.remove) void import("./remove-files.ts");
}

/** True when the program runs, false when all is over before anybody could see it run. */
async function untilStarted(running: Running): Promise<boolean> {
  let over = false;
  const end = running.finished.then(() => { over = true; });
  while (!over && running.peek() === "running") await Promise.race([end, sleep(1)]);
  return !over && running.peek() === "started";
}

/** One run of a container, which nothing that this process does for it may be mistaken for another's. */
class Run {
  readonly #context: EngineContext;
  readonly #record: ContainerRecord;
  #startedMs: number | undefined;

  constructor(context: EngineContext, record: ContainerRecord) {
    this.#context = context;
    this.#record = record;
  }

  get hasStarted(): boolean {
    return this.#startedMs !== undefined;
  }

  /** The program runs: says so, once. */
  started(): void {
    const { store } = this.#context;
    const startedMs = Date.now();
    this.#startedMs = startedMs;
    store.transaction(() => {
      const { moved, container } = store.containers.transition(this.#record.id, ["creating"], "running", { fields: {
        startedMs,
        error: "",
        exitCode: 0,
        exitSignal: null,
        oomKilled: false,
      } });
      if (moved) appendEvent(this.#context, container, "start");
    });
  }

  /** A program in the background may have ended before it was said to run, and its finisher have come too early. */
  async endedAlready(): Promise<void> {
    const { id } = this.#record;
    if (!existsSync(containerPaths(this.#context.paths, id).status)) return;
    const { settle } = await import("./settle.ts");
    const record = this.#context.store.containers.get(id);
    if (record !== undefined) await settle(this.#context, record);
  }

  /** Ends this very run, unless another has done so or is at it: then waits for that. */
  async end(ended: EndedRun): Promise<{ readonly oomKilled: boolean }> {
    const { containers } = this.#context.store;
    for (;;) {
      const now = containers.get(this.#record.id);
      const isOurs = now !== undefined && now.monitorPid === process.pid &&
        (now.status === "creating" || ((now.status === "running" || now.status === "paused") && now.startedMs === this.#startedMs));
      if (!isOurs) break;
      const claimed = claimEnd(this.#context, now, now.revision);
      if (claimed === undefined) continue;
      const startedMs = ended.failedStart || this.#startedMs !== undefined ? undefined : Math.min(ended.finishedMs, Date.now());
      return finishContainer(this.#context, claimed, { ...ended, startedMs });
    }
    const { steady } = await import("./settle.ts");
    await steady(this.#context, this.#record);
    return { oomKilled: this.wasOomKilled() };
  }

  /** What another who ended it has found out; of a container that has gone with its end only its events tell. */
  wasOomKilled(): boolean {
    const { containers, events } = this.#context.store;
    const { id } = this.#record;
    return containers.get(id)?.oomKilled ?? events.list({ afterId: 0 }).some(({ actorId, action }) => actorId === id && action === "oom");
  }

  /** The monitor went away without a word: the container was removed or killed with it. The exit code, where one is known. */
  async lost(code: number): Promise<number> {
    const { exitCodeOf } = await import("./wait.ts");
    const exitCode = await exitCodeOf(this.#context, this.#record);
    if (exitCode !== undefined) return exitCode;
    throw new SampanError("internal", `Cannot follow container "${this.#record.name}": its monitor ended with code ${code}`, { exitCode: 125 });
  }
}

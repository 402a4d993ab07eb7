import type { Engine as EngineApi } from "../engine/index.ts";
import { signalName } from "../engine/containers/signal-numbers.ts";
import { ProblemsError, SampanError } from "../base/errors.ts";
import { Deadline } from "./cancel.ts";
import type { Cancellable } from "./cancel.ts";
import { checkBulkOptions, checkRunOptions } from "./check.ts";
import { Collected } from "./collected.ts";
import type { ContainerOptions } from "./options.ts";
import { requestOf } from "./options.ts";
import type { RunResult, StreamResult } from "./result.ts";
import type { Input } from "./streams.ts";
import { bytesOf, ProgramStream } from "./streams.ts";

export interface StreamOptions extends ContainerOptions, Cancellable {
  /** What the program reads; nothing if it is left out. */
  readonly stdin?: Input;
  /** Kill it after so long, and reject with kind "cancelled" and code "ETIMEDOUT". */
  readonly timeoutMs?: number;
  /** Leave the ended container there, to be looked at. */
  readonly keep?: boolean;
}

export interface RunOptions extends StreamOptions {
  /**
   * Kill it when it has written more, both streams together, and reject with kind "cancelled" and code "EFBIG". 100 MB if it is left out,
   * Infinity for no limit.
   */
  readonly maxOutputBytes?: number;
}

/** Runs to the end, output and all. */
export async function runToEnd(engine: EngineApi, options: RunOptions): Promise<RunResult> {
  checkRunOptions(options);
  using deadline = deadlineOf(options);
  const { maxOutputBytes, ...rest } = options;
  const output = new Collected(deadline, maxOutputBytes);
  const end = await run(engine, rest, deadline, output);
  const { stdoutBytes, stderrBytes } = await output.all();
  return { ...end, stdout: stdoutBytes.toString("utf8"), stderr: stderrBytes.toString("utf8"), stdoutBytes, stderrBytes };
}

export function runStreaming(engine: EngineApi, options: StreamOptions): ProgramStream<StreamResult> {
  checkRunOptions(options);
  const deadline = deadlineOf(options);
  return new ProgramStream(deadline, (takers) => run(engine, options, deadline, takers));
}

function deadlineOf({ signal, timeoutMs, command, image }: StreamOptions): Deadline {
  return new Deadline(signal, timeoutMs, `"${(command ?? []).join(" ")}" in image "${image}"`);
}

async function run(engine: EngineApi, options: StreamOptions, deadline: Deadline, takers: Pick<Collected, "stdout" | "stderr">): Promise<StreamResult> {
  const { signal: _signal, timeoutMs: _timeoutMs, stdin, keep, ...container } = options;
  const started = performance.now();
  const request = {
    ...requestOf(container),
    remove: keep !== true,
    interactive: stdin !== undefined,
    attach: ["stdout" as const, "stderr" as const, ...(stdin === undefined ? [] : ["stdin" as const])],
  };
  try {
    const result = await engine.containers.run(request, {
      streams: { stdout: takers.stdout, stderr: takers.stderr, ...(stdin === undefined ? {} : { stdin: bytesOf(stdin, deadline) }) },
      signal: deadline.signal,
    });
    const { id, exitCode, oomKilled, warnings } = result;
    return { id, exitCode, signal: signalName(result.signal), oomKilled, durationMs: performance.now() - started, warnings };
  } catch (error) {
    throw deadline.explain(error);
  }
}

export interface BulkOptions extends Cancellable {
  /** How many run at the same time; 8 unless it says otherwise. */
  readonly concurrency?: number;
}

/** All of them, looked at before the first begins. */
function listOfJobs(jobs: unknown): RunOptions[] {
  if (typeof jobs !== "object" || jobs === null || !(Symbol.iterator in jobs))
    throw new ProblemsError(["The jobs are not an array, or anything else that gives one after the other"]);
  const list = [...(jobs as Iterable<RunOptions>)];
  for (const job of list) checkRunOptions(job);
  return list;
}

/** Runs many, some at a time; results in the order of the jobs. The first that could not be run cancels the others. */
export async function runMany(engine: EngineApi, jobs: Iterable<RunOptions>, options: BulkOptions): Promise<RunResult[]> {
  checkBulkOptions(options);
  const { concurrency = 8, signal } = options;
  const wanted = listOfJobs(jobs);
  using all = new Deadline(signal, undefined, "the jobs");
  const results: RunResult[] = [];
  const queue = wanted.entries();
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    for (const [n, job] of queue) {
      if (all.signal.aborted) break;
      try {
        results[n] = await runToEnd(engine, { ...job, signal: job.signal === undefined ? all.signal : AbortSignal.any([job.signal, all.signal]) });
      } catch (error) {
        failure ??= { error };
        all.stop();
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  if (failure !== undefined) throw failure.error;
  if (all.signal.aborted) throw all.explain(new SampanError("cancelled", "Cancelled"));
  return results;
}

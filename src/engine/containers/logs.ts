import { SampanError } from "../../base/errors.ts";
import { expectHeavyWork } from "../../base/heavy.ts";
import type { ContainerId } from "../../base/ids.ts";
import type { LogOptions, LogRecord } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { livenessOf } from "./liveness.ts";
import { LogFiles } from "./log-files.ts";
import type { LogLine } from "./log-files.ts";

/** How often a follower looks, in ms: far more often than a log can be rotated away. */
const POLL_MS = 20;
/** How long a container may be without any process before a follower believes that nobody will finish or restart it. */
const UNFINISHED_MS = 2000;
const BETWEEN_MS = 300;

/** What a container has written, oldest first. With `follow`, until it ends; a restart is not an end. */
export async function* readLogs(context: EngineContext, name: string, options: LogOptions): AsyncGenerator<LogRecord> {
  const { id } = context.store.containers.find(name);
  // Written by `reserve` from a StoredConfig.
  const stored = JSON.parse(context.store.containers.config(id)) as StoredConfig;
  if (stored.request.logDriver === "none") throw new SampanError("unsupported", "configured logging driver does not support reading", { exitCode: 1 });
  if (options.tail === undefined || options.follow) expectHeavyWork();
  using files = new LogFiles(containerPaths(context.paths, id).log);
  if (options.tail !== undefined) files.seekTail(options.tail);
  if (options.sinceMs !== undefined) files.skipBefore(options.sinceMs);
  const ended = endOf(context, id);
  for (;;) {
    options.signal?.throwIfAborted();
    // Asked before the last read, not after it: what is written before the end is read.
    const last = !options.follow || ended();
    for (const lines of files.read()) {
      for (const line of lines) {
        if (!isWanted(line, options)) {
          if (options.untilMs !== undefined && Date.parse(line.time) > options.untilMs) return;
          continue;
        }
        yield { stream: line.stream === "stdout" ? "stdout" : "stderr", time: line.time, data: line.data };
      }
      options.signal?.throwIfAborted();
    }
    if (last || (options.untilMs !== undefined && Date.now() > options.untilMs)) return;
    await pause(POLL_MS, options.signal);
  }
}

function isWanted(line: LogLine, { sinceMs, untilMs }: LogOptions): boolean {
  if (sinceMs === undefined && untilMs === undefined) return true;
  const time = Date.parse(line.time);
  return (sinceMs === undefined || time >= sinceMs) && (untilMs === undefined || time <= untilMs);
}

/** Whether nobody will write any more: no process, no monitor, and nobody who is starting it again or is about to. */
function endOf(context: EngineContext, id: ContainerId): () => boolean {
  let looked = 0;
  let aloneSince = 0;
  return () => {
    const now = Date.now();
    if (now - looked < 100) return false;
    looked = now;
    const record = context.store.containers.get(id);
    if (!record) return true;
    const { process, monitor, starter } = livenessOf(context, record);
    if (process || monitor || starter) {
      aloneSince = 0;
      return false;
    }
    if (record.status === "restarting") return false;
    aloneSince ||= Math.min(now, record.finishedMs ?? now);
    // Running: nobody has finished it yet. Ended: a `restart` may be between its two halves.
    return now - aloneSince > (record.status === "running" || record.status === "creating" ? UNFINISHED_MS : BETWEEN_MS);
  };
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done, { once: true });
  });
}

import { SampanError } from "../../base/errors.ts";
import { expectHeavyWork } from "../../base/heavy.ts";
import type { ContainerId } from "../../base/ids.ts";
import type { LogOptions, LogRecord } from "../api-logs.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { logAttributes } from "../spec/log-options.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { livenessOf } from "./liveness.ts";
import { LogFiles } from "./log-files.ts";

/** How often a follower looks, in ms: far more often than a log can be rotated away. */
const POLL_MS = 20;
/** How long a container may be without any process before a follower believes that nobody will finish or restart it. */
const UNFINISHED_MS = 2000;
const BETWEEN_MS = 300;
/** The year 10000. */
const LAST_NS = 253_402_300_800_000_000_000n;

/** What a container has written, oldest first. With `follow`, until it ends; a restart is not an end. */
export async function* readLogs(context: EngineContext, name: string, options: LogOptions): AsyncGenerator<LogRecord> {
  const { id } = context.store.containers.find(name);
  // Written by `reserve` from a StoredConfig.
  const stored = JSON.parse(context.store.containers.config(id)) as StoredConfig;
  if (stored.request.logDriver === "none") throw new SampanError("unsupported", "configured logging driver does not support reading", { exitCode: 1 });
  if (options.tail === undefined || options.follow) expectHeavyWork();
  using files = new LogFiles(containerPaths(context.paths, id).log);
  if (options.tail !== undefined) files.seekTail(options.tail);
  if (options.sinceNs !== undefined) files.skipBefore(Number(options.sinceNs / 1_000_000n));
  const [since, until] = [options.sinceNs, options.untilNs].map((time) => (time === undefined ? undefined : logTime(time)));
  const attributes = logAttributes(stored);
  const ended = endOf(context, id);
  for (;;) {
    options.signal?.throwIfAborted();
    // Asked before the last read, not after it: what is written before the end is read.
    const last = !options.follow || ended();
    for (const lines of files.read()) {
      for (const line of lines) {
        if (since !== undefined && line.time < since) continue;
        if (until !== undefined && line.time > until) return;
        yield { stream: line.stream === "stdout" ? "stdout" : "stderr", time: line.time, data: line.data, attributes };
      }
      options.signal?.throwIfAborted();
    }
    if (last || (options.untilNs !== undefined && BigInt(Date.now()) * 1_000_000n > options.untilNs)) return;
    await pause(POLL_MS, options.signal);
  }
}

/** As a log has it, so that times compare as texts do: 30 characters, to the nanosecond. Years that it cannot have are cut to those it can. */
function logTime(ns: bigint): string {
  if (ns >= LAST_NS) return "9999-12-31T23:59:59.999999999Z";
  if (ns < 0n) return "1970-01-01T00:00:00.000000000Z";
  return `${new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19)}.${String(ns % 1_000_000_000n).padStart(9, "0")}Z`;
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

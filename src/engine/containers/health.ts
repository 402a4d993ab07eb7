import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { errnoOf } from "../../base/errors.ts";
import { errnoName, errnoText } from "../../linux/errno.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { HealthDetails } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import type { HealthRequest } from "../request.ts";
import type { StoredConfig } from "../spec/stored.ts";

/** A health check as it is carried out: the request over the image over Docker's defaults. */
export interface HealthCheck {
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
  readonly retries: number;
}

/** One run of the check, as keel wrote it down (native/keel/health.c). */
export interface ProbeRecord {
  /** RFC 3339 with nanoseconds. */
  readonly start: string;
  readonly end: string;
  /** 999 where it took too long and was killed, 500 + errno where it could not be executed. */
  readonly code: number;
  /** Begun in the start period of a container that was not yet healthy, by a clock that nobody sets. */
  readonly starting: boolean;
  readonly output: string;
}

const TIMED_OUT = 999;
const NOT_EXECUTED = 500;
/** How many probes `inspect` shows, and how much of the log is read to know the streak. */
const SHOWN = 5;
const READ_BYTES = 256 * 1024;

/** What a container is checked with; undefined if it is not. */
export function healthCheckOf({ request, image }: Pick<StoredConfig, "request" | "image">): HealthCheck | undefined {
  const own = request.health;
  const inherited: HealthRequest = image.config.health ?? {};
  const test = own.test ?? inherited.test ?? [];
  const [kind, ...words] = test;
  if (kind === undefined || kind === "NONE") return undefined;
  const command = kind === "CMD-SHELL" ? ["/bin/sh", "-c", words.join(" ")] : kind === "CMD" ? words : test;
  if (command.length === 0) return undefined;
  const pick = (field: Exclude<keyof HealthRequest, "test">, otherwise: number): number => own[field] || inherited[field] || otherwise;
  const intervalMs = pick("intervalMs", 30_000);
  return {
    command,
    intervalMs, timeoutMs: pick("timeoutMs", 30_000), startPeriodMs: pick("startPeriodMs", 0),
    startIntervalMs: pick("startIntervalMs", Math.min(5000, intervalMs)), retries: pick("retries", 3),
  };
}

/** Records of a log: "START END CODE LENGTH\n", with a "+" before CODE in the start period, LENGTH bytes, a newline. What is cut off at either end is left out. */
export function parseHealthLog(bytes: Buffer): ProbeRecord[] {
  const records: ProbeRecord[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) break;
    const head = /^(\d{4}-\S+Z) (\d{4}-\S+Z)([ +])(\d{3}) (\d{4})$/.exec(bytes.toString("latin1", at, end));
    const length = Number(head?.[5]);
    if (!head || end + 1 + length >= bytes.length || bytes[end + 1 + length] !== 0x0a) {
      at = end + 1; // the tail of a record whose head was not read, or one that is being written
      continue;
    }
    records.push({ start: head[1] ?? "", end: head[2] ?? "", code: Number(head[4]), starting: head[3] === "+", output: bytes.toString("utf8", end + 1, end + 1 + length) });
    at = end + 2 + length;
  }
  return records;
}

/**
 * Docker's rules: one success makes it healthy; failures count once it was healthy or its start period is over; as many
 * as `retries` in a row make it unhealthy.
 */
export function judgeHealth(check: HealthCheck, records: readonly ProbeRecord[]): HealthDetails {
  let status: HealthDetails["Status"] = "starting";
  let streak = 0;
  for (const { code, starting } of records) {
    if (code === 0) {
      streak = 0;
      status = "healthy";
    } else if (!starting) {
      streak++;
      if (streak >= check.retries) status = "unhealthy";
    }
  }
  return {
    Status: status, FailingStreak: streak,
    Log: records.slice(-SHOWN).map(({ start, end, code, output }) => ({ Start: start, End: end, ExitCode: code < NOT_EXECUTED ? code : -1, Output: outputOf(check, code, output) })),
  };
}

function outputOf(check: HealthCheck, code: number, output: string): string {
  if (code === TIMED_OUT) return `Health check exceeded timeout (${goDuration(check.timeoutMs)})${output === "" ? "" : `: ${output}`}`;
  if (code < NOT_EXECUTED) return output;
  return `Cannot execute ${JSON.stringify(check.command[0])}: ${errnoText(code - NOT_EXECUTED)} (${errnoName(code - NOT_EXECUTED)})`;
}

/** As Go writes a duration: "300ms", "1.5s", "1m30s". */
function goDuration(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const [hours, minutes, seconds] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, (ms % 60_000) / 1000];
  return `${hours > 0 ? `${hours}h` : ""}${ms >= 60_000 ? `${minutes}m` : ""}${seconds}s`;
}

function readTail(path: string): Buffer {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    const from = Math.max(0, size - READ_BYTES);
    const buffer = Buffer.alloc(size - from);
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, from));
  } finally {
    closeSync(fd);
  }
}

/** The health of a container from its log: of its present run, or the last one. Undefined if it has no check. */
export function healthOf(context: EngineContext, record: ContainerRecord, stored: Pick<StoredConfig, "request" | "image">): HealthDetails | undefined {
  const check = healthCheckOf(stored);
  if (!check) return undefined;
  return judgeHealth(check, parseHealthLog(readTail(containerPaths(context.paths, record.id).healthLog)));
}

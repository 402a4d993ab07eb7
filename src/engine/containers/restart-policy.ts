import type { ContainerRecord } from "../../storage/state/index.ts";

/** Docker's back-off: 100 ms, doubled each time up to a minute, from the beginning again after a run of ten seconds. */
const FIRST_MS = 100;
export const LONGEST_MS = 60_000;
const LONG_RUN_MS = 10_000;

type Decided = Pick<ContainerRecord, "restartPolicy" | "restartMaxRetries" | "restartCount" | "hasBeenManuallyStopped" | "healthStatus">;
/** `startedMs` of the run that has ended; `finishedMs` and `nextRestartMs` still of the one before it. */
type Timed = Pick<ContainerRecord, "startedMs" | "finishedMs" | "nextRestartMs">;

/** Whether a container whose run ended with this code is to run again. */
export function shouldRestart(record: Decided, exitCode: number): boolean {
  if (record.hasBeenManuallyStopped) return false;
  switch (record.restartPolicy) {
    case "always":
    case "unless-stopped":
      return true;
    case "on-failure":
      return exitCode !== 0 && (record.restartMaxRetries === 0 || record.restartCount < record.restartMaxRetries);
    case "on-unhealthy":
      return record.healthStatus === "unhealthy";
    default:
      return false;
  }
}

/** Whether it is to run again after a boot: "always" even if somebody had stopped it, as Docker does. */
export function shouldBoot(record: Decided & Pick<ContainerRecord, "startedMs" | "exitCode">): boolean {
  if (record.startedMs === null) return false;
  if (record.restartPolicy === "always") return true;
  if (record.restartPolicy === "on-unhealthy") return !record.hasBeenManuallyStopped;
  return shouldRestart(record, record.exitCode ?? 0);
}

/** How long to wait before the next start, in milliseconds. */
export function backoffMs({ startedMs, finishedMs, nextRestartMs }: Timed, endedMs: number): number {
  if (startedMs === null || endedMs - startedMs >= LONG_RUN_MS || nextRestartMs === null || finishedMs === null) return FIRST_MS;
  return Math.min(LONGEST_MS, Math.max(FIRST_MS, (nextRestartMs - finishedMs) * 2));
}

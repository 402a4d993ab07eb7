import type { ContainerId } from "../../base/ids.ts";
import type { Digest } from "../../oci/digest.ts";
import { labelsFromText } from "./json.ts";

/**
 * Docker's states, and two that are never shown: "creating": its parts are being made, for the first time or again; "ending":
 * its processes are gone and somebody is cleaning up. Who is at it is in `monitorPid`, `monitorStartTime` and `bootId`.
 */
export type ContainerStatus = "creating" | "created" | "running" | "paused" | "ending" | "restarting" | "exited" | "removing" | "dead";

/**
 * What changes while a container lives. `null` is "does not apply (yet)". A process is known by pid *and* start time
 * (field 22 of /proc/PID/stat, in clock ticks, proc_pid_stat(5)) *and* boot: pids come again.
 */
export interface ContainerFields {
  readonly imageId: Digest | null;
  /** The stack of layers beneath the container, lowest first. Kept while the container is. */
  readonly chainIds: readonly Digest[];
  /** As `ps` shows it. */
  readonly command: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The directory beneath /run; "" before there is one. */
  readonly runDir: string;
  /** `--rm` */
  readonly autoRemove: boolean;
  /** /proc/sys/kernel/random/boot_id of the boot in which the pids mean something. */
  readonly bootId: string | null;
  readonly pid: number | null;
  readonly pidStartTime: number | null;
  readonly monitorPid: number | null;
  readonly monitorStartTime: number | null;
  readonly startedMs: number | null;
  readonly finishedMs: number | null;
  readonly exitCode: number | null;
  /** The signal that killed it. */
  readonly exitSignal: number | null;
  readonly oomKilled: boolean;
  /** Why it could not start; "" if it could. */
  readonly error: string;
  readonly restartPolicy: string;
  readonly restartMaxRetries: number;
  readonly restartCount: number;
  /** When a waiting restart is due. */
  readonly nextRestartMs: number | null;
  readonly hasBeenManuallyStopped: boolean;
  readonly healthStatus: "none" | "starting" | "healthy" | "unhealthy";
  readonly healthFailingStreak: number;
  /** The last probes, as the engine's JSON. */
  readonly healthLog: string;
}

export interface ContainerRecord extends ContainerFields {
  readonly id: ContainerId;
  /** Without Docker's leading slash. */
  readonly name: string;
  readonly status: ContainerStatus;
  /** Rises with every change: what a later change may be made conditional on. */
  readonly revision: number;
  readonly createdMs: number;
  /** As the user wrote it. */
  readonly imageReference: string;
}

/** What `reserve` needs; the rest has defaults. */
export interface NewContainer extends Partial<ContainerFields> {
  readonly id: ContainerId;
  /** Undefined: one is made up. */
  readonly name?: string | undefined;
  readonly createdMs: number;
  readonly imageReference: string;
  /** The request and all that was resolved from it, as the engine's JSON. Never changes by itself; see `setConfig`. */
  readonly config: string;
}

/** One row of `containers`, before booleans and JSON are read. */
export interface ContainerRow extends Omit<ContainerRecord, "chainIds" | "labels" | "oomKilled" | "autoRemove" | "hasBeenManuallyStopped"> {
  readonly chainIds: string;
  readonly labels: string;
  readonly oomKilled: number;
  readonly autoRemove: number;
  readonly hasBeenManuallyStopped: number;
}

export function recordOf(row: ContainerRow): ContainerRecord {
  return {
    ...row,
    // Written by `reserve` and `update` from a Digest[].
    chainIds: JSON.parse(row.chainIds) as Digest[],
    labels: labelsFromText(row.labels),
    oomKilled: row.oomKilled !== 0,
    autoRemove: row.autoRemove !== 0,
    hasBeenManuallyStopped: row.hasBeenManuallyStopped !== 0,
  };
}

/** What a container has before anybody says otherwise. A function: nothing is built at load. */
export function defaultFields(): ContainerFields {
  return {
    imageId: null,
    chainIds: [],
    command: "",
    labels: {},
    runDir: "",
    autoRemove: false,
    bootId: null,
    pid: null,
    pidStartTime: null,
    monitorPid: null,
    monitorStartTime: null,
    startedMs: null,
    finishedMs: null,
    exitCode: null,
    exitSignal: null,
    oomKilled: false,
    error: "",
    restartPolicy: "no",
    restartMaxRetries: 0,
    restartCount: 0,
    nextRestartMs: null,
    hasBeenManuallyStopped: false,
    healthStatus: "none",
    healthFailingStreak: 0,
    healthLog: "[]",
  };
}

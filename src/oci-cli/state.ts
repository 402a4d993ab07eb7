import { existsSync, readFileSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { SampanError, errnoOf } from "../base/errors.ts";
import type { CgroupPaths } from "../runtime/cgroups/index.ts";
import type { ProcessRef } from "../runtime/processes.ts";
import { isAlive, parseStat, processAt, readIfThere } from "../runtime/processes.ts";
import { isContainerId } from "../runtime/validate.ts";

export type Status = "creating" | "created" | "running" | "paused" | "stopped";

/** What is known of a container that does not change: DIR/state.json, written before its first process is made. */
export interface StoredState {
  readonly ociVersion: string;
  readonly id: string;
  readonly bundle: string;
  readonly rootfs: string;
  /** RFC 3339. */
  readonly created: string;
  readonly owner: string;
  readonly annotations?: Record<string, string>;
  /** Where it was put, and which of those groups are ours to remove. */
  readonly cgroup?: {
    readonly path: string;
    readonly paths: CgroupPaths;
    readonly remove: readonly string[];
    /** The systemd unit that they belong to. */
    readonly unit?: string;
  };
  /** Without a mount namespace: how many mounts the host had at the root filesystem before; what came on top is the container's. */
  readonly hostMounts?: number;
  /** Who creates it: a container whose creator has gone without finishing is stopped. */
  readonly creator: ProcessRef;
}

export interface ContainerFiles {
  readonly directory: string;
  readonly state: string;
  /** The config as it was at creation: later changes in the bundle must not matter (runtime.md "Lifecycle"). */
  readonly config: string;
  /** A copy of the first process's /proc/PID/stat, by keel at its birth. */
  readonly pid: string;
  readonly gate: string;
  /** What becomes of the program, for `start`. Both FIFOs have runc's name for its one: who looks for leaked descriptors knows it. */
  readonly told: string;
  /** Between the first process and who runs the runtime's hooks for it. */
  readonly built: string;
  readonly hooked: string;
  /** Where the root filesystem is attached, inside. */
  readonly mountPoint: string;
}

export function filesOf(root: string, id: string): ContainerFiles {
  const directory = `${root}/${id}`;
  return {
    directory, state: `${directory}/state.json`, config: `${directory}/config.json`, pid: `${directory}/pid`,
    gate: `${directory}/exec.fifo`, told: `${directory}/told/exec.fifo`, built: `${directory}/built.fifo`,
    hooked: `${directory}/hooked.fifo`, mountPoint: `${directory}/rootfs`,
  };
}

export interface Container {
  readonly state: StoredState;
  readonly files: ContainerFiles;
  /** The first process; undefined before its birth. */
  readonly init: ProcessRef | undefined;
}

export function checkId(id: string): string {
  if (!isContainerId(id)) {
    const odd = /[^\w+.-]/.exec(id)?.[0];
    throw new SampanError("invalid", `Cannot use container ID "${id}": ${odd === undefined ? "invalid name" : `invalid character ${JSON.stringify(odd)}`}; ids are letters, digits, "_", "+", "-" and ".", and not "." or ".."`);
  }
  return id;
}

function readState(files: ContainerFiles): StoredState | undefined {
  const text = readIfThere(files.state);
  return text === undefined ? undefined : (JSON.parse(text) as StoredState); // our own file
}

/** Throws "not-found" in runc's words, which engines look for. */
export function loadContainer(root: string, id: string): Container {
  checkId(id);
  const files = filesOf(root, id);
  const state = readState(files);
  if (!state) throw new SampanError("not-found", `Cannot find container "${id}": container does not exist`);
  return { state, files, init: readInit(files) };
}

export function readInit(files: ContainerFiles): ProcessRef | undefined {
  const text = readIfThere(files.pid);
  return text === undefined ? undefined : parseStat(text);
}

export function statusOf({ state, files, init }: Container): Status {
  if (!init) return isAlive(state.creator) ? "creating" : "stopped";
  if (!isAlive(init)) return "stopped";
  if (isCreated(files)) return "created";
  return isPaused(state.cgroup?.paths) ? "paused" : "running";
}

/** The start command removes the gate. */
function isCreated(files: ContainerFiles): boolean {
  return existsSync(files.gate);
}

function isPaused(paths: CgroupPaths | undefined): boolean {
  if (!paths) return false;
  if (paths.unified !== undefined) return /^frozen 1$/m.test(readIfThere(`${paths.unified}/cgroup.events`) ?? "");
  const freezer = paths.controllers["freezer"];
  return freezer !== undefined && readIfThere(`${freezer.directory}/freezer.state`)?.trim() === "FROZEN";
}

/** This process, as others can know it. */
export function self(): ProcessRef {
  const { pid, startTime } = processAt(process.pid) ?? { pid: process.pid, startTime: 0 };
  return { pid, startTime };
}

/** runtime.md "State", with the fields that runc adds. */
export function describeState(container: Container): Record<string, unknown> {
  const { state, init } = container;
  const status = statusOf(container);
  return {
    ociVersion: state.ociVersion, id: state.id, pid: status === "stopped" ? 0 : (init?.pid ?? 0), status, bundle: state.bundle, rootfs: state.rootfs,
    created: state.created, ...(state.annotations ? { annotations: state.annotations } : {}), owner: state.owner,
  };
}

/** Ids of all containers, in order. */
export function listIds(root: string): string[] {
  try {
    return readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory() && isContainerId(entry.name)).map(({ name }) => name).sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

export function storedConfig(files: ContainerFiles): Buffer {
  try {
    return readFileSync(files.config);
  } catch (error) {
    // Somebody deletes it at this moment.
    if (errnoOf(error) === "ENOENT") throw new SampanError("not-found", `Cannot read "${files.config}": container does not exist`, { cause: error });
    throw error;
  }
}

/** Exactly the files that we made: nothing is removed that could be anybody else's, whatever is mounted there. */
export function removeFiles(files: ContainerFiles): void {
  for (const path of [files.gate, files.told, files.built, files.hooked, files.config, files.pid, `${files.directory}/hooks`])
    attempt(() => { unlinkSync(path); });
  for (const path of [files.mountPoint, dirname(files.told)]) attempt(() => { rmdirSync(path); });
  // Last but one: without it the container does not exist for anybody.
  attempt(() => { unlinkSync(files.state); });
  attempt(() => { rmdirSync(files.directory); });
}

function attempt(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

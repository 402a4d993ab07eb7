import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { SampanError, errnoOf } from "../../base/errors.ts";
import type { Resources } from "../../oci/index.ts";
import { parseResources } from "../../oci/parse-runtime-config.ts";
import { readText, validateResources } from "../../runtime/cgroups/index.ts";
import { applyUpdate } from "../../runtime/cgroups/operations.ts";
import type { Command } from "../commands.ts";
import type { Flags } from "../flags.ts";
import { parseFlags, positional } from "../flags.ts";
import type { StoredState } from "../state.ts";
import { loadContainer, statusOf } from "../state.ts";

const FLAGS = [
  "resources r=", "blkio-weight=", "cpu-period=", "cpu-quota=", "cpu-burst=", "cpu-share=", "cpu-rt-period=", "cpu-rt-runtime=", "cpuset-cpus=", "cpuset-mems=",
  "kernel-memory=", "kernel-memory-tcp=", "memory=", "cpu-idle=", "memory-reservation=", "memory-swap=", "pids-limit=", "l3-cache-schema=", "mem-bw-schema=",
];
const SCALE: Readonly<Record<string, number>> = { "": 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

function numberOf(flags: Flags, name: string, bytes: boolean): number | undefined {
  const text = flags.value(name);
  if (text === undefined) return undefined;
  const match = /^(-?\d+(?:\.\d+)?)\s*([a-z]?)(?:i?b)?$/i.exec(text);
  const scale = SCALE[(match?.[2] ?? "").toLowerCase()];
  const value = match && scale !== undefined ? Number(match[1]) * scale : NaN;
  if (!Number.isInteger(value) || (!bytes && scale !== 1))
    throw new SampanError("invalid", `Cannot update the container: --${name} "${text}" is not a ${bytes ? "number of bytes" : "whole number"}`);
  return value;
}

function resourcesOf(flags: Flags): Resources {
  for (const name of ["l3-cache-schema", "mem-bw-schema"])
    if (flags.value(name) !== undefined) throw new SampanError("unsupported", `Cannot update the container: --${name}: Intel RDT is not supported`);
  const file = flags.value("resources");
  if (file !== undefined) {
    try {
      return parseResources(readFileSync(file === "-" ? 0 : file), file === "-" ? "the standard input" : file);
    } catch (error) {
      if (error instanceof SampanError) throw error;
      throw new SampanError("not-found", `Cannot read "${file}": ${errnoOf(error) ?? String(error)}`, { cause: error });
    }
  }
  const plain = (name: string): number | undefined => numberOf(flags, name, false);
  const size = (name: string): number | undefined => numberOf(flags, name, true);
  return {
    memory: given({ limit: size("memory"), reservation: size("memory-reservation"), swap: size("memory-swap") }),
    cpu: given({
      period: plain("cpu-period"), quota: plain("cpu-quota"), burst: plain("cpu-burst"), shares: plain("cpu-share"), realtimePeriod: plain("cpu-rt-period"),
      realtimeRuntime: plain("cpu-rt-runtime"), cpus: flags.value("cpuset-cpus"), mems: flags.value("cpuset-mems"), idle: plain("cpu-idle"),
    }),
    // None is a limit, too; what is there stays, so that it means as much as one (config-linux.md "PIDs").
    pids: given({ limit: plain("pids-limit") === 0 ? 1 : plain("pids-limit") }),
    blockIO: given({ weight: plain("blkio-weight") }),
  };
}

function given<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  // Only absent keys are dropped; what is left has T's types.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

/** Engines send a whole document in which 0, "" and empty lists mean "as it was"; device rules stay what they were. */
function changesOnly(resources: Resources, keepZero: readonly string[]): Resources {
  const { devices: _devices, ...rest } = resources;
  const strip = (value: unknown, name: string): unknown => {
    if (value === 0 && !keepZero.includes(name)) return undefined;
    if (value === "" || (Array.isArray(value) && value.length === 0)) return undefined;
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    const entries = Object.entries(value).map(([key, item]) => [key, strip(item, key)] as const).filter(([, item]) => item !== undefined);
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  };
  return strip(rest, "") ?? {};
}

export const command: Command = {
  summary: "Change the limits of a container",
  usage: "[--resources FILE|-] [--memory BYTES] [--memory-swap BYTES] [--cpu-quota US] [--cpu-period US] [--cpu-share N] [--cpuset-cpus LIST] [--pids-limit N] [--blkio-weight N] ID",
  async run(context, words) {
    const flags = parseFlags("update", words, FLAGS);
    const [id = ""] = positional("update", flags, ["container-id"]);
    const container = loadContainer(context.root, id);
    const { state, files } = container;
    const resources = changesOnly(resourcesOf(flags), ["idle", "burst"]);
    const { memory } = resources;
    // Memory alone cannot be more than memory and swap together.
    if (memory?.limit === -1 && memory.swap === undefined) resources.memory = { ...memory, swap: -1 };
    // A sum alone goes with the limit that is there.
    const group = state.cgroup?.paths.controllers["memory"];
    if (memory?.swap !== undefined && memory.swap > 0 && memory.limit === undefined && group) {
      const limit = Number(readText(`${group.directory}/${group.version === 1 ? "memory.limit_in_bytes" : "memory.max"}`) ?? "NaN");
      if (Number.isSafeInteger(limit)) resources.memory = { ...memory, limit };
    }
    const problems = validateResources(resources);
    if (problems.length > 0) throw new SampanError("invalid", `Cannot update container "${id}": ${problems.join("; ")}`);
    if (statusOf(container) === "stopped") throw new SampanError("wrong-state", `Cannot update container "${id}": container not running`);
    if (!state.cgroup) throw new SampanError("unsupported", `Cannot update container "${id}": it has no cgroup`);
    if (state.cgroup.unit !== undefined) await (await import("../systemd/index.ts")).updateScope(context, state.cgroup.unit, resources);
    const paths = applyUpdate(resources, context.cgroups, state.cgroup.path, state.cgroup.paths);
    const added = paths.directories.filter((directory) => state.cgroup?.paths.directories.includes(directory) !== true);
    if (added.length > 0) {
      const next: StoredState = { ...state, cgroup: { ...state.cgroup, paths, remove: [...state.cgroup.remove, ...added] } };
      writeFileSync(`${files.state}.new`, JSON.stringify(next), { mode: 0o600 });
      renameSync(`${files.state}.new`, files.state);
    }
    return 0;
  },
};

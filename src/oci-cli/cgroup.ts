import { existsSync } from "node:fs";
import { SampanError } from "../base/errors.ts";
import type { Resources, RuntimeConfig } from "../oci/index.ts";
import type { CgroupPlan } from "../runtime/cgroups/index.ts";
import { compileCgroup, defaultDeviceRules, readText } from "../runtime/cgroups/index.ts";
import type { Context } from "./context.ts";
import type { Unit } from "./systemd/index.ts";

/** A container's place in every hierarchy; with the systemd driver it is a unit's. */
export interface CgroupPlace {
  readonly path: string;
  readonly unit?: Unit;
}

/**
 * Where the container's groups are. A relative path is beneath the top of each hierarchy; without one it is a name of its
 * own there, so that no parent is left behind.
 */
export async function cgroupPlaceOf(context: Context, config: RuntimeConfig, id: string): Promise<CgroupPlace> {
  const asked = config.linux?.cgroupsPath ?? "";
  if (context.cgroupManager === "systemd") {
    const { requireSystemd, unitOf } = await import("./systemd/index.ts");
    requireSystemd();
    const unit = unitOf(asked, id);
    return { path: unit.path, unit };
  }
  if (asked === "") return { path: `/${id}` };
  if (/^[^/:]*:[^:]*:[^:]+$/.test(asked))
    throw new SampanError("invalid", `Cannot use cgroup path "${asked}": that is systemd's "slice:prefix:name", which needs --systemd-cgroup`);
  const parts = asked.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") || parts.length === 0)
    throw new SampanError("invalid", `Cannot use cgroup path "${asked}": it leads out of the hierarchy or to its top`);
  return { path: `/${parts.join("/")}` };
}

/**
 * No tasks at all is a limit, too (config-linux.md "PIDs"); the first process is there all the same, so that it means one. What
 * the kernel has given up to limit is told and left out, as the specification recommends against it.
 */
export function meantResources(context: Context, resources: Resources): Resources {
  const { memory, pids } = resources;
  const result = { ...resources };
  if (pids?.limit === 0) result.pids = { limit: 1 };
  const [major, minor] = context.kernel;
  if (memory?.kernel !== undefined && memory.kernel > 0 && (major > 5 || (major === 5 && minor >= 16))) {
    context.log.write("warning", "Cannot limit kernel memory alone (linux.resources.memory.kernel): Linux 5.16 and later do not; memory.limit counts it, too");
    const { kernel: _kernel, ...rest } = memory;
    result.memory = rest;
  }
  return result;
}

/** The rules of the config, and what every container may do whatever they say (runc's default devices). */
function withDefaultDevices(resources: Resources): Resources {
  const rules = (resources.devices ?? []).map(({ major, minor, ...rule }) => ({
    ...rule, ...(major === undefined || major < 0 ? {} : { major }), ...(minor === undefined || minor < 0 ? {} : { minor }),
  }));
  if (rules.length === 0) return resources;
  return { ...resources, devices: [...rules, ...defaultDeviceRules().filter(({ allow }) => allow)] };
}

/** What cgroups(7) says may be given away where /sys/kernel/cgroup/delegate is not there to say it. */
const DELEGATED = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];

/**
 * With cgroup v2, a cgroup namespace of its own and a writable view of it, the container's user may make groups beneath: the
 * directory and the files that serve for that become its own (config-linux.md "Cgroup ownership"). v1 is never given away.
 */
function ownerOf({ cgroups }: Context, { linux, mounts, process }: RuntimeConfig): CgroupPlan["owner"] {
  const own = linux?.namespaces?.some(({ type, path }) => type === "cgroup" && path === undefined) === true;
  const writable = mounts?.some(({ source, destination, options = [] }) => source === "cgroup" && destination === "/sys/fs/cgroup" &&
    !options.includes("ro")) === true;
  if (!own || !writable || cgroups.version !== "v2") return undefined;
  const user = process?.user?.uid ?? 0;
  const mappings = linux?.uidMappings ?? [];
  const mapping = mappings.find(({ containerID, size }) => user >= containerID && user < containerID + size);
  const uid = mappings.length === 0 ? user : mapping && mapping.hostID + user - mapping.containerID;
  if (uid === undefined || uid === 0) return undefined;
  return { uid, files: readText("/sys/kernel/cgroup/delegate")?.split("\n").filter((name) => /^[\w.]+$/.test(name)) ?? DELEGATED };
}

/**
 * A process that joins a frozen group, or a new one beneath it, stands still at once and would never be the container; a parent that
 * is frozen freezes what is made beneath it (freezer-subsystem.rst; cgroup-v2.rst "cgroup.freeze").
 */
function refuseFrozen({ cgroups }: Context, { directories }: CgroupPlan): void {
  const freezer = cgroups.controllers.get("freezer");
  for (const { path, version } of directories) {
    if (version === 1 && !(freezer && path.startsWith(`${freezer.mountpoint}/`)) || !existsSync(path)) continue;
    const frozen = version === 2 ? /^frozen 1$/m.test(readText(`${path}/cgroup.events`) ?? "") : /^FR/.test(readText(`${path}/freezer.state`) ?? "");
    if (frozen) throw new SampanError("wrong-state", `Cannot use cgroup "${path}": container's cgroup unexpectedly frozen`);
  }
}

/**
 * The plan for the container's groups. A group that is there already may be used if nobody is in it (an engine may have
 * made it, with limits), and is then not ours to remove (runtime.md "Delete").
 */
export function planCgroup(context: Context, config: RuntimeConfig, resources: Resources, { path, unit }: CgroupPlace): CgroupPlan | undefined {
  if (context.cgroupManager === "disabled" || context.cgroups.hierarchies.length === 0) return undefined;
  const compiled = compileCgroup(withDefaultDevices(resources), context.cgroups, path, { read: readText, join: "all" });
  const owner = ownerOf(context, config);
  const plan = owner ? { ...compiled, owner } : compiled;
  refuseFrozen(context, plan);
  // A unit's groups are systemd's to make, where it makes them; what it does not know of is ours, and all of them are the unit's.
  if (unit) return { ...plan, directories: plan.directories.map((directory) => ({ ...directory, leaf: false })) };
  const existing = new Set(plan.directories.filter(({ path: directory, leaf }) => leaf && existsSync(directory)).map(({ path: directory }) => directory));
  for (const directory of existing)
    if ((readText(`${directory}/cgroup.procs`) ?? "").trim() !== "")
      throw new SampanError("conflict", `Cannot use cgroup "${directory}": container's cgroup is not empty: processes are in it already`);
  if (existing.size === 0) return plan;
  return {
    ...plan,
    directories: plan.directories.map((directory) => (existing.has(directory.path) ? { ...directory, leaf: false } : directory)),
    remove: plan.remove.filter((directory) => !existing.has(directory)),
  };
}

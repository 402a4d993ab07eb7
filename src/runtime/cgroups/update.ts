import { mkdirSync, rmdirSync } from "node:fs";
import type { Resources } from "../../oci/index.ts";
import { SampanError, errnoOf } from "../../base/index.ts";
import { readBack, performWrite } from "./apply.ts";
import { enableControllers, parentsOf, pathSteps, sectionsOf } from "./compile.ts";
import { devicePolicy } from "./device-rules.ts";
import { missingController } from "./failure.ts";
import { readText, writeText } from "./files.ts";
import { listPids } from "./kill.ts";
import type { SettingsContext } from "./settings.ts";
import type { CgroupHost, CgroupPaths, CgroupWrite, CompileOptions, Hierarchy, ReadText } from "./types.ts";
import * as v1 from "./v1.ts";
import * as v2 from "./v2.ts";

/** What an update comes to: groups to make first (v1 hierarchies the container was not in), then writes in order. */
export interface UpdatePlan {
  readonly newGroups: readonly { parents: readonly string[]; directory: string }[];
  readonly writes: readonly CgroupWrite[];
  readonly paths: CgroupPaths;
}

/** Pure but for `read`; throws "unsupported" as `compileCgroup` does. */
export function compileUpdate(
  resources: Resources,
  host: CgroupHost,
  path: string,
  paths: CgroupPaths,
  read: ReadText,
  options: Pick<CompileOptions, "keepSum"> = {},
): UpdatePlan {
  const problems: string[] = [];
  const hints: string[] = [];
  const settings: CgroupWrite[] = [];
  const controllers = { ...paths.controllers };
  const directories = [...paths.directories];
  const newGroups: { parents: readonly string[]; directory: string }[] = [];
  const enable = new Set<string>();

  // What a group of v2 has of its hierarchy's controllers is what the groups above hand on, and may be less than was recorded.
  const handedOn = paths.unified === undefined ? undefined : read(`${paths.unified}/cgroup.controllers`)?.trim().split(" ");
  const join = (hierarchy: Hierarchy, controller: string): SettingsContext => {
    const directory = hierarchy.mountpoint + path;
    const known = controllers[controller] !== undefined && (hierarchy.version === 1 || handedOn?.includes(controller) !== false);
    if (!known) {
      if (hierarchy.version === 2) {
        enable.add(controller);
        controllers[controller] = { version: 2, directory };
      } else {
        newGroups.push({ parents: parentsOf(hierarchy, path), directory });
        directories.push(directory);
        for (const name of hierarchy.controllers) controllers[name] = { version: 1, directory };
      }
    }
    return {
      directory: controllers[controller]?.directory ?? directory, controller, fresh: !known && hierarchy.version === 1,
      options: { ...options, read }, writes: settings, problems,
    };
  };

  for (const section of sectionsOf(resources, path, false)) {
    const controller = section.controllers.find((name) => host.controllers.has(name));
    const hierarchy = controller === undefined ? undefined : host.controllers.get(controller);
    if (controller === undefined || hierarchy === undefined || (hierarchy.version === 2 && paths.unified === undefined)) {
      const { problem, hint } = missingController(section.option, section.controllers[0] ?? "", host);
      problems.push(problem);
      hints.push(hint);
      continue;
    }
    section.apply(join(hierarchy, controller), hierarchy);
  }
  if (resources.devices !== undefined && resources.devices.length > 0) {
    const { policy, problems: malformed } = devicePolicy(resources.devices);
    problems.push(...malformed);
    const hierarchy = host.controllers.get("devices");
    if (hierarchy !== undefined) v1.devicesV1(join(hierarchy, "devices"), policy);
    else problems.push("Cannot change device rules: on cgroup v2 the program that enforces them is attached when the container starts");
  }
  for (const key of Object.keys(resources.unified ?? {})) {
    const found = v2.unifiedController(key, host.unified?.controllers ?? []);
    if (paths.unified === undefined) problems.push(`Cannot apply linux.resources.unified "${key}": the container has no cgroup v2 group`);
    else if ("problem" in found) problems.push(`Cannot apply linux.resources.unified "${key}": ${found.problem}`);
    else if (found.controller !== "" && host.unified !== undefined) join(host.unified, found.controller);
  }
  if (paths.unified !== undefined && resources.unified !== undefined) {
    v2.unifiedV2({ directory: paths.unified, controller: "unified", fresh: false, options: { read }, writes: settings, problems }, resources.unified);
  }
  checkMemory(resources, paths, read, problems);
  if (problems.length > 0) throw new SampanError("unsupported", problems.join("\n"), { hint: hints[0] });
  const writes = [...enableControllers(host.unified, pathSteps(path), { required: enable }, { read }), ...settings];
  return { newGroups, writes, paths: { ...paths, controllers, directories } };
}

/** What the kernel would answer with a bare EINVAL, or with the OOM killer. */
function checkMemory({ memory }: Resources, paths: CgroupPaths, read: ReadText, problems: string[]): void {
  const group = paths.controllers["memory"];
  if (memory?.limit === undefined || memory.limit < 0 || group === undefined) return;
  if (group.version === 1 && memory.swap === undefined) {
    const sum = Number(read(`${group.directory}/memory.memsw.limit_in_bytes`) ?? "NaN");
    if (memory.limit > sum) {
      problems.push(`Cannot set --memory to ${memory.limit}: memory and swap together are limited to ${sum}; raise --memory-swap in the same update`);
    }
  }
  if (memory.checkBeforeUpdate === true) {
    const used = Number(read(`${group.directory}/${group.version === 1 ? "memory.usage_in_bytes" : "memory.current"}`) ?? "NaN");
    if (memory.limit < used) problems.push(`Cannot set --memory to ${memory.limit}: ${used} bytes are in use`);
  }
}

/**
 * Changes the limits of a running container; only what is given changes. Returns its groups, to be kept from now on:
 * a container started without cpuset (or another v1 controller that is joined on demand) gets a group there now and its processes are moved.
 * When a write fails, those before it are taken back and the failure is thrown.
 *
 * @param path as it was given to `compileCgroup`
 */
export function applyUpdate(
  resources: Resources,
  host: CgroupHost,
  path: string,
  paths: CgroupPaths,
  options: Pick<CompileOptions, "keepSum"> = {},
): CgroupPaths {
  const plan = compileUpdate(resources, host, path, paths, readText, options);
  const done: { path: string; before: string }[] = [];
  const made: string[] = [];
  try {
    for (const { parents, directory } of plan.newGroups) {
      for (const step of [...parents, directory]) {
        try {
          mkdirSync(step);
          if (step === directory) made.push(directory);
        } catch (error) {
          if (errnoOf(error) !== "EEXIST") throw error;
        }
      }
    }
    for (const write of plan.writes) {
      const before = plainText(write.path);
      performWrite(write);
      if (before !== undefined) done.unshift({ path: write.path, before });
    }
    const problems = readBack(plan);
    if (problems.length > 0) throw new SampanError("conflict", problems.join("\n"));
    for (const { directory } of plan.newGroups) moveAll(paths, directory);
  } catch (error) {
    for (const { path: file, before } of done) {
      try {
        writeText(file, before);
      } catch {
        // What could not be taken back is not worse than the failure that is about to be told.
      }
    }
    for (const directory of made) abandon(directory);
    throw error;
  }
  return plan.paths;
}

/** Takes back a group that this update made: whoever was moved already goes to the group above. */
function abandon(directory: string): void {
  try {
    for (const pid of (readText(`${directory}/cgroup.procs`) ?? "").split("\n")) {
      if (pid !== "") writeText(`${directory.slice(0, directory.lastIndexOf("/"))}/cgroup.procs`, pid);
    }
    rmdirSync(directory);
  } catch {
    // As above. Its path is derived from the container's, so removal of left-overs finds it.
  }
}

/** The text to write back after a failure: only files of one line, and not the ones that are lists of +controllers. */
function plainText(path: string): string | undefined {
  if (path.endsWith("cgroup.subtree_control")) return undefined;
  const text = readText(path)?.trimEnd();
  return text === undefined || text === "" || text.includes("\n") ? undefined : text;
}

/** Whole processes, through cgroup.procs, until the old and the new group agree: a process may fork while it is moved. */
function moveAll(paths: CgroupPaths, directory: string): void {
  for (let round = 0; round < 100; round++) {
    const inside = new Set((readText(`${directory}/cgroup.procs`) ?? "").split("\n"));
    const outside = listPids(paths).filter((pid) => !inside.has(String(pid)));
    if (outside.length === 0) return;
    for (const pid of outside) {
      try {
        writeText(`${directory}/cgroup.procs`, String(pid));
      } catch (error) {
        if (errnoOf(error) !== "ESRCH") throw error;
      }
    }
  }
  throw new SampanError("unavailable", `Cannot move the container's processes to ${directory}: it starts new ones faster than they can be moved`);
}

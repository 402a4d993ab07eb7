import { existsSync, readFileSync } from "node:fs";
import { SampanError } from "../base/errors.ts";
import type { CgroupJoin, CgroupPaths } from "../runtime/cgroups/index.ts";
import { joinBeside, joinOf, readText } from "../runtime/cgroups/index.ts";
import type { Context } from "./context.ts";

/**
 * Where an exec with `--cgroup [CONTROLLER[,...]:]PATH` goes: groups beneath the container's own, which it has made for itself.
 * Without a controller it is the same path in every hierarchy.
 */
function joinBeneath(paths: CgroupPaths, asked: readonly string[], id: string): CgroupJoin {
  const beneath = new Map<string, string>();
  for (const text of asked) {
    const colon = text.indexOf(":");
    const parts = text.slice(colon + 1).split("/").filter((part) => part !== "" && part !== ".");
    if (parts.includes(".."))
      throw new SampanError("invalid", `Cannot exec in container "${id}": bad sub cgroup path "${text}": it leads out of the container's group`);
    const directories = colon < 0 ? paths.directories : text.slice(0, colon).split(",").map((name) => {
      const directory = Object.hasOwn(paths.controllers, name) ? paths.controllers[name]?.directory : undefined;
      if (directory === undefined) throw new SampanError("invalid", `Cannot exec in container "${id}": unknown controller "${name}"`);
      return directory;
    });
    for (const directory of directories) beneath.set(directory, [directory, ...parts].join("/"));
  }
  for (const directory of beneath.values())
    if (!existsSync(directory)) throw new SampanError("not-found", `Cannot exec in container "${id}": adding pid to "${directory}": no such file or directory`);
  const moved = (directory: string): string => beneath.get(directory) ?? directory;
  return joinOf({ ...paths, directories: paths.directories.map(moved), ...(paths.unified === undefined ? {} : { unified: moved(paths.unified) }) });
}

/**
 * Where an exec goes: the group that it asks for, else the container's, else (v2, where that holds groups itself) the first process's.
 * `proc` is its directory in /proc.
 */
export function joinForExec(context: Context, paths: CgroupPaths, asked: readonly string[], id: string, proc: number): CgroupJoin {
  if (asked.length > 0) return joinBeneath(paths, asked, id);
  return joinBeside(joinOf(paths), context.cgroups.unified, () => readFileSync(`/proc/self/fd/${proc}/cgroup`, "utf8"), readText);
}

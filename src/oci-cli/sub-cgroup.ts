import { existsSync } from "node:fs";
import { SampanError } from "../base/errors.ts";
import type { CgroupJoin, CgroupPaths } from "../runtime/cgroups/index.ts";
import { joinOf } from "../runtime/cgroups/index.ts";

/**
 * Where an exec with `--cgroup [CONTROLLER[,...]:]PATH` goes: groups beneath the container's own, which it has made for itself.
 * Without a controller it is the same path in every hierarchy.
 */
export function joinBeneath(paths: CgroupPaths, asked: readonly string[], id: string): CgroupJoin {
  const beneath = new Map<string, string>();
  for (const text of asked) {
    const colon = text.indexOf(":");
    const parts = text.slice(colon + 1).split("/").filter((part) => part !== "" && part !== ".");
    if (parts.includes("..")) throw new SampanError("invalid", `Cannot exec in container "${id}": bad sub cgroup path "${text}": it leads out of the container's group`);
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

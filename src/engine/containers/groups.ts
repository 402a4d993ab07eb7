import type { CgroupPaths } from "../../runtime/cgroups/index.ts";
import type { ContainerId, EngineContext } from "../context.ts";

/** A container's groups by what was recorded before they were made: nothing has to be worked out anew, or be possible any more. */
export function cgroupPathsOf(context: EngineContext, id: ContainerId): CgroupPaths {
  const directories = context.store.resources.list(id).filter(({ kind }) => kind === "cgroup").map(({ key }) => key);
  const controllers: Record<string, { version: 1 | 2; directory: string }> = {};
  let unified: string | undefined;
  for (const directory of directories) {
    const hierarchy = context.cgroups.hierarchies.find(({ mountpoint }) => directory.startsWith(`${mountpoint}/`));
    if (!hierarchy) continue;
    if (hierarchy.version === 2) unified = directory;
    for (const name of hierarchy.controllers)
      if (context.cgroups.controllers.get(name) === hierarchy) controllers[name] = { version: hierarchy.version, directory };
  }
  return { controllers, directories, ...(unified === undefined ? {} : { unified }) };
}

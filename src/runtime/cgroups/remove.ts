import { rmdirSync } from "node:fs";
import { SampanError, errnoOf } from "../../base/index.ts";
import { childGroups } from "./files.ts";
import { killAll, listPids } from "./kill.ts";
import type { CgroupPaths } from "./types.ts";
import type { WaitOptions } from "./wait.ts";
import { waitUntil } from "./wait.ts";

/** True when the directory is gone. Only rmdir, children first: control files cannot be unlinked and go with their group. */
function removeTree(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return true;
    if (errno !== "EBUSY" && errno !== "ENOTEMPTY") throw error;
  }
  // Members or child groups; the container may have made some of those.
  const children = childGroups(directory);
  if (children.length === 0 || !children.map(removeTree).every(Boolean)) return false;
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return true;
    if (errno !== "EBUSY") throw error;
    return false;
  }
}

/**
 * Removes a container's groups; what still runs in them is killed first. Groups that are gone already are fine.
 *
 * An empty group costs one rmdir per hierarchy, about 0.07 ms each, and no waiting: charged pages move to the parent in
 * the background, so memory.force_empty is not needed. A process that is just exiting keeps its group busy for a moment,
 * so EBUSY is tried again until time is up; then it throws "unavailable", naming who is left.
 */
export async function removeCgroup(paths: CgroupPaths, options: WaitOptions = {}): Promise<void> {
  const remaining = new Set(paths.directories);
  const attempt = (): boolean => {
    for (const directory of remaining) if (removeTree(directory)) remaining.delete(directory);
    return remaining.size === 0;
  };
  if (attempt()) return;
  await killAll(paths, options);
  if (await waitUntil(attempt, options)) return;
  const left = listPids(paths);
  const who = left.length === 0 ? "the kernel keeps it busy" : `processes ${left.join(", ")} are in it`;
  throw new SampanError("unavailable", `Cannot remove cgroup "${[...remaining].join('", "')}": ${who}`, { code: "EBUSY" });
}

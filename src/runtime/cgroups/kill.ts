import { SampanError, errnoOf } from "../../base/index.ts";
import { childGroups, readText, writeIfPresent } from "./files.ts";
import type { CgroupPaths } from "./types.ts";
import type { WaitOptions } from "./wait.ts";
import { waitUntil } from "./wait.ts";

function pidsBeneath(directory: string, found: Set<number>): void {
  for (const line of (readText(`${directory}/cgroup.procs`) ?? "").split("\n")) {
    // 0 is a process that this PID namespace cannot see.
    if (line !== "" && line !== "0") found.add(Number(line));
  }
  for (const child of childGroups(directory)) pidsBeneath(child, found);
}

/**
 * Every process of the container, groups that it made for itself included, in rising order.
 *
 * All hierarchies are asked, because a process may be in one and not yet, or no longer, in another.
 */
export function listPids(paths: CgroupPaths): number[] {
  const found = new Set<number>();
  for (const directory of paths.directories) pidsBeneath(directory, found);
  return [...found].sort((a, b) => a - b);
}

export function isPopulated(paths: CgroupPaths): boolean {
  return listPids(paths).length > 0;
}

/**
 * SIGKILL to every process of the container, until none is left. Throws "unavailable" when time is up.
 *
 * cgroup v2 does it in one write that no fork escapes (cgroup.kill, kernel 5.14). On v1 the group is first
 * forbidden to fork (pids.max 0) and frozen where it can be, so that the list does not grow while it is walked.
 */
export async function killAll(paths: CgroupPaths, options: WaitOptions = {}): Promise<void> {
  const atOnce = paths.unified !== undefined && writeIfPresent(`${paths.unified}/cgroup.kill`, "1");
  const { pids, freezer } = paths.controllers;
  let first = true;
  const empty = await waitUntil(() => {
    const left = listPids(paths);
    if (left.length === 0) return true;
    // After cgroup.kill the rest are mostly on their way out: they get a moment before they are killed one by one.
    if (atOnce && first) {
      first = false;
      return false;
    }
    if (pids !== undefined) writeIfPresent(`${pids.directory}/pids.max`, "0");
    if (freezer !== undefined) writeIfPresent(`${freezer.directory}/freezer.state`, "FROZEN");
    for (const pid of left) killOne(pid);
    // A frozen v1 process does not die.
    if (freezer !== undefined) writeIfPresent(`${freezer.directory}/freezer.state`, "THAWED");
    return false;
  }, options);
  if (empty) return;
  const left = listPids(paths);
  if (left.length === 0) return;
  throw new SampanError("unavailable", `Cannot kill the container's processes ${left.join(", ")}: they did not die in time`, {
    hint: `look at /proc/${left[0] ?? ""}/stack: a process in an uninterruptible wait dies only after that`,
  });
}

function killOne(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (errnoOf(error) !== "ESRCH") throw error;
  }
}

/**
 * Lets what was killed die at full speed: a process of a group that has used up its share of CPU time does not even end before
 * its next period, and with a small share not for minutes, what it holds in the kernel (locks of mounts, say) being held with it.
 */
export function unthrottle({ controllers }: CgroupPaths): void {
  const { cpu } = controllers;
  if (cpu === undefined) return;
  try {
    if (cpu.version === 2) writeIfPresent(`${cpu.directory}/cpu.max`, "max");
    else writeIfPresent(`${cpu.directory}/cpu.cfs_quota_us`, "-1");
  } catch {
    // Then it takes the time that it takes.
  }
}

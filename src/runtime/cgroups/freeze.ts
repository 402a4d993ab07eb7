import { SampanError } from "../../base/index.ts";
import { readText, writeText } from "./files.ts";
import type { CgroupPaths } from "./types.ts";
import type { WaitOptions } from "./wait.ts";
import { waitUntil } from "./wait.ts";

function freezer(paths: CgroupPaths): { version: 1 | 2; directory: string } {
  if (paths.unified !== undefined) return { version: 2, directory: paths.unified };
  const v1 = paths.controllers["freezer"];
  if (v1 !== undefined) return v1;
  throw new SampanError("unsupported", "Cannot pause the container: this host has neither a cgroup v2 mount nor the v1 freezer controller", {
    hint: "mount -t cgroup2 none /sys/fs/cgroup/unified, then start the container anew",
  });
}

/** Whether every process of the container stands still now. A container without groups is not frozen. */
export function isFrozen(paths: CgroupPaths): boolean {
  if (paths.unified !== undefined) return /^frozen 1$/m.test(readText(`${paths.unified}/cgroup.events`) ?? "");
  const v1 = paths.controllers["freezer"];
  return v1 !== undefined && readText(`${v1.directory}/freezer.state`)?.trim() === "FROZEN";
}

/** Stops every process of the container where it is, and returns when all stand. On failure all run again. */
export async function freeze(paths: CgroupPaths, options: WaitOptions = {}): Promise<void> {
  const { version, directory } = freezer(paths);
  let frozen: boolean;
  try {
    if (version === 2) {
      writeText(`${directory}/cgroup.freeze`, "1");
      // Another may thaw it meanwhile, or the group go with its container: neither is waited for.
      const asked = (): boolean => readText(`${directory}/cgroup.freeze`)?.trim() === "1";
      await waitUntil(() => isFrozen(paths) || !asked(), options);
      frozen = isFrozen(paths);
      if (!frozen && !asked()) throw new SampanError("conflict", "Cannot pause the container: it was let go on, or has ended, meanwhile");
    } else {
      frozen = await freezeV1(`${directory}/freezer.state`, options);
    }
  } catch (error) {
    thawQuietly(version, directory);
    throw error;
  }
  if (frozen) return;
  thawQuietly(version, directory);
  throw new SampanError("unavailable", `Cannot pause the container: its processes in ${directory} did not stop in time`);
}

/**
 * v1 may stay in FREEZING: a process forked in between, or one waits uninterruptibly. Freezing is attempted anew at each
 * write of FROZEN, and a vfork parent that waits for a frozen child comes loose only after a moment of THAWED
 * (Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst).
 */
async function freezeV1(state: string, options: WaitOptions): Promise<boolean> {
  let attempt = 0;
  return waitUntil(() => {
    attempt += 1;
    if (attempt % 8 === 0) writeText(state, "THAWED");
    writeText(state, "FROZEN");
    return readText(state)?.trim() === "FROZEN";
  }, options);
}

function thawQuietly(version: 1 | 2, directory: string): void {
  try {
    if (version === 2) writeText(`${directory}/cgroup.freeze`, "0");
    else writeText(`${directory}/freezer.state`, "THAWED");
  } catch {
    // The failure that led here is the one to tell; a group that is gone has nothing to thaw.
  }
}

/** Lets every process go on. */
export async function thaw(paths: CgroupPaths, options: WaitOptions = {}): Promise<void> {
  const { version, directory } = freezer(paths);
  if (version === 2) writeText(`${directory}/cgroup.freeze`, "0");
  else writeText(`${directory}/freezer.state`, "THAWED");
  const thawed = await waitUntil(() => (version === 2 ? !isFrozen(paths) : readText(`${directory}/freezer.state`)?.trim() === "THAWED"), options);
  // A parent that is itself frozen keeps its children so.
  if (!thawed) throw new SampanError("conflict", `Cannot unpause the container: the group above ${directory} is frozen`);
}

import { readdirSync, unlinkSync } from "node:fs";
import { errnoOf } from "../../base/errors.ts";
import { trueRecords } from "../containers/list.ts";
import { reclaimOrphans } from "../containers/orphans.ts";
import type { ContainerId, EngineContext } from "../context.ts";
import { needRoot } from "../privilege.ts";
import { mountBeneath, removeTree } from "../volumes/remove-tree.ts";
import { emptyTrash } from "../volumes/remove.ts";
import { diskBytes } from "./disk-bytes.ts";

/**
 * Removes what no container, image, network or volume accounts for any more: what the ledger of resources says was made
 * by runs that are over, directories of containers that are gone, volumes whose removal was cut short, and files of
 * processes that were killed. Can be cut short itself and repeated; what is in use is recorded, and is never touched.
 */
export async function collectGarbage(context: EngineContext): Promise<{ readonly reclaimedBytes: number }> {
  needRoot("collect garbage");
  const { root, state } = context.paths;
  const trash = `${context.paths.volumes}/.trash`;
  const before = diskBytes(`${root}/containers`) + diskBytes(trash);
  // Ends what has ended, so that the ledger knows.
  await trueRecords(context);
  await reclaimOrphans(context);
  for (const parent of [`${root}/containers`, `${state}/containers`]) removeStrays(context, parent);
  emptyTrash(context);
  removeScratch(state);
  return { reclaimedBytes: Math.max(0, before - diskBytes(`${root}/containers`) - diskBytes(trash)) };
}

/** A container is recorded before its directories are made: one that is on disk first, and then not on record, is nobody's. */
function removeStrays(context: EngineContext, parent: string): void {
  for (const name of namesIn(parent)) {
    if (!/^[0-9a-f]{64}$/.test(name) || context.store.containers.get(name as ContainerId) !== undefined) continue; // checked: the form of an id
    const directory = `${parent}/${name}`;
    // What somebody has mounted there is somebody's.
    if (mountBeneath(directory) === undefined) removeTree(directory, `remove "${directory}"`);
  }
}

/** Plans, reports, FIFOs and texts for the packet filter exist for a moment, under the pid of their maker. */
function removeScratch(state: string): void {
  for (const name of namesIn(state)) {
    const pid = /^(?:plan|session|tool)\.(\d+)\./.exec(name)?.[1];
    if (pid === undefined || isThere(`/proc/${pid}`)) continue;
    try {
      unlinkSync(`${state}/${name}`);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  }
}

function isThere(path: string): boolean {
  return namesIn(path).length > 0;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw error;
  }
}

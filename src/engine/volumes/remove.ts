import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { SampanError, errnoOf } from "../../base/errors.ts";
import { createId } from "../../base/ids.ts";
import type { EngineContext } from "../context.ts";
import { appendVolumeEvent } from "./events.ts";
import { trashDirectory, volumeDirectory } from "./layout.ts";
import { mountBeneath, refuseMounts, removeTree } from "./remove-tree.ts";

/**
 * Forgets a volume and removes its content. Throws in Docker's words if it is not there or in use.
 *
 * Only the directory that we made for the name is removed, wherever the record says that the content lies: what a bind
 * volume shows is its owner's. It is moved aside in the transaction that forgets the volume, so that one of the same
 * name, made a moment later, never meets this removal.
 */
export function removeVolume(context: EngineContext, name: string): void {
  const { store, paths } = context;
  // Before anything is looked at on disk: a name that never was a volume is none of a path's.
  store.volumes.find(name);
  const directory = volumeDirectory(paths, name);
  const aside = `${trashDirectory(paths)}/${createId().slice(0, 16)}.${name.slice(0, 200)}`;
  store.transaction(() => {
    const { driver } = store.volumes.delete(name);
    refuseMounts(directory, `remove volume "${name}"`);
    moveAside(directory, aside, name, trashDirectory(paths));
    appendVolumeEvent(context, "destroy", name, { driver });
  }, { durable: true });
  removeTree(aside, `remove volume "${name}"`);
}

function moveAside(directory: string, aside: string, name: string, trash: string): void {
  try {
    mkdirSync(trash, { recursive: true, mode: 0o700 });
    renameSync(directory, aside);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return; // it was never used
    throw new SampanError("conflict", `remove ${name}: Cannot move "${directory}" aside: ${errno ?? String(error)}`, { code: errno, cause: error });
  }
}

/**
 * Removes those of a container's anonymous volumes that no other container uses. To be called when the container is
 * forgotten, with the names that it used; one that has found another user by now stays.
 */
export function removeAnonymousVolumes(context: EngineContext, names: readonly string[]): void {
  for (const name of new Set(names)) {
    const volume = context.store.volumes.get(name);
    if (volume?.anonymous !== true || context.store.volumes.users(name).length > 0) continue;
    try {
      removeVolume(context, name);
    } catch (error) {
      // In use or gone since, or somebody mounted something there: `volume prune` tries again.
      if (!(error instanceof SampanError) || (error.kind !== "conflict" && error.kind !== "not-found")) throw error;
    }
  }
}

/** What removals that were killed have left. What somebody has mounted something in stays. */
export function emptyTrash(context: EngineContext): void {
  const trash = trashDirectory(context.paths);
  for (const name of namesIn(trash)) if (mountBeneath(`${trash}/${name}`) === undefined) removeTree(`${trash}/${name}`, `remove "${name}"`);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

import type { ContainerRecord } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { removeTree } from "../volumes/remove-tree.ts";

/** Removes a container's layer and files from the store. Nothing is mounted there: mounts are in containers' own namespaces. */
export async function removeContainerFiles(context: EngineContext, record: ContainerRecord): Promise<void> {
  const { directory } = containerPaths(context.paths, record.id);
  removeTree(directory, `remove container "${record.name}"`);
}

export { removeAnonymousVolumes } from "../volumes/remove.ts";

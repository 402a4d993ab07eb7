/**
 * Volumes: directories that outlive containers, mounted in containers' own namespaces only.
 *
 * Vocabulary: a *named* volume lives until somebody removes it; an *anonymous* one was made without a name and goes with
 * its container where that is asked for; a volume is *dangling* while no container uses it; *copy-up* fills an empty
 * volume with what the image has at the place where it is first mounted.
 *
 * Invariants: a volume is recorded before its directory is made, and forgotten in the transaction that moves the
 * directory aside, so that a name never leads to somebody else's data. Nothing is removed through a mount point, and
 * nothing but the directory that we made for the name. Nothing is mounted on the host.
 */
import type { Volumes } from "../api.ts";
import type { EngineContext } from "../context.ts";

/** The engine's `volumes`: each use case is loaded when it is first asked for. */
export function volumesApi(context: EngineContext): Volumes {
  return {
    create: async (request) => (await import("./create.ts")).createVolume(context, request),
    list: async ({ filters }) => (await import("./list.ts")).listVolumes(context, filters ?? {}),
    inspect: async (name) => (await import("./list.ts")).inspectVolume(context, name),
    async remove(name, { force }) {
      const { removeVolumeByName } = await import("./list.ts");
      if (force && context.store.volumes.get(name) === undefined) return;
      await removeVolumeByName(context, name);
    },
    prune: async (options) => (await import("./list.ts")).pruneVolumes(context, options),
  };
}

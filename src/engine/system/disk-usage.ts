import type { Cancellable, DiskUsage, Images } from "../api.ts";
import { listContainers } from "../containers/list.ts";
import type { ContainerId, EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { needRoot } from "../privilege.ts";
import { volumeDetails, volumeDirectory } from "../volumes/layout.ts";
import { diskBytes } from "./disk-bytes.ts";

/** What the store takes of the disk, counted as du(1) counts. `images` are asked for their own part. */
export async function diskUsage(context: EngineContext, images: Pick<Images, "list"> | undefined, options: Cancellable): Promise<DiskUsage> {
  needRoot("measure the store");
  const { store, paths } = context;
  const containers = (await listContainers(context, { all: true, size: true })).map((container) => ({
    // What a person wins back by removing it: its layer and its logs.
    ...container, sizeRwBytes: diskBytes(containerPaths(paths, container.id as ContainerId).directory), // from the store
  }));
  const volumes = store.volumes.list().map((volume) => ({
    ...volumeDetails(volume), UsageCount: store.volumes.users(volume.name).length, UsageBytes: diskBytes(`${volumeDirectory(paths, volume.name)}/_data`),
  }));
  return {
    images: images === undefined ? [] : await images.list({ all: false, signal: options.signal }),
    layersBytes: store.layers.list().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    containers,
    volumes,
  };
}

import type { Cancellable, DiskUsage, Images, ImageSummary } from "../api.ts";
import { listContainers } from "../containers/list.ts";
import type { ContainerId, EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { needRoot } from "../privilege.ts";
import { volumeDetails, volumeDirectory } from "../volumes/layout.ts";
import { contentBytes, diskBytes } from "./disk-bytes.ts";

/** What the store takes of the disk, counted as du(1) counts. `images` are asked for their own part. */
export async function diskUsage(context: EngineContext, images: Pick<Images, "list"> | undefined, options: Cancellable): Promise<DiskUsage> {
  needRoot("measure the store");
  const { store, paths } = context;
  const containers = (await listContainers(context, { all: true, size: true })).map((container) => ({
    // What a person wins back by removing it: its layer and its logs.
    ...container, sizeRwBytes: diskBytes(containerPaths(paths, container.id as ContainerId).directory), // from the store
  }));
  const volumes = store.volumes.list().map((volume) => ({
    ...volumeDetails(volume), UsageCount: store.volumes.users(volume.name).length, UsageBytes: contentBytes(`${volumeDirectory(paths, volume.name)}/_data`),
  }));
  return {
    images: images === undefined ? [] : withShares(context, await images.list({ all: false, signal: options.signal })),
    layersBytes: diskBytes(paths.images) + diskBytes(paths.layers),
    containers,
    volumes,
  };
}

/** How much of each image other images have too, and how many containers are made of it. */
function withShares({ store }: EngineContext, images: readonly ImageSummary[]): ImageSummary[] {
  const chains = new Map(store.images.list().map(({ id, chainIds }) => [id as string, chainIds]));
  const sizes = new Map(store.layers.list().map(({ chainId, sizeBytes }) => [chainId, sizeBytes]));
  const holders = new Map<string, number>();
  for (const chainIds of chains.values()) for (const chainId of new Set(chainIds)) holders.set(chainId, (holders.get(chainId) ?? 0) + 1);
  const containers = store.containers.list();
  return images.map((image) => ({
    ...image,
    sharedBytes: (chains.get(image.id) ?? []).reduce((sum, chainId) => sum + ((holders.get(chainId) ?? 0) > 1 ? (sizes.get(chainId) ?? 0) : 0), 0),
    containers: containers.filter(({ imageId }) => imageId === image.id).length,
  }));
}

import type { Digest } from "../../oci/digest.ts";
import type { HistoryEntry, ImageConfig } from "../../oci/image-config.ts";

/** A config without layers, for `import` and for tests. */
export function emptyConfig(platform: { os: string; architecture: string; variant?: string }): ImageConfig {
  return { ...platform, config: {}, rootfs: { type: "layers", diff_ids: [] }, history: [] };
}

/**
 * One layer more, and the line of history that tells of it. Without a diff ID only the history grows, with `empty_layer`. `created` of the
 * line becomes the image's.
 */
export function appendLayer(config: ImageConfig, diffId: Digest | undefined, history: HistoryEntry): ImageConfig {
  const line: HistoryEntry = diffId === undefined ? { ...history, empty_layer: true } : history;
  return {
    ...config,
    ...(history.created === undefined ? {} : { created: history.created }),
    ...(history.author === undefined ? {} : { author: history.author }),
    rootfs: { type: "layers", diff_ids: diffId === undefined ? config.rootfs.diff_ids : [...config.rootfs.diff_ids, diffId] },
    history: [...(config.history ?? []), line],
  };
}

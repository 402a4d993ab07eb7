import type { ByteString } from "../tar/index.ts";

/** What was learned about a layer while it was planned. Plain JSON: keep it beside the layer directory. */
export interface LayerSummary {
  /** Members of the archive. */
  readonly entries: number;
  readonly files: number;
  /** Of regular files with their holes, and of symbolic links: what `du --apparent-size` says but for directories, and Docker's SIZE. */
  readonly bytes: number;
  /** Directories that the layer does not describe, parents first; "" is the root. They take after the layers below. */
  readonly implicit: readonly ByteString[];
  /** Directories that hide what the layers below have in them. */
  readonly opaque: readonly ByteString[];
  /**
   * The layer hides everything below it. overlayfs looks at no opaque mark on a layer's own root, so whoever mounts
   * the layer must leave out the lower ones.
   */
  readonly opaqueRoot: boolean;
  /** Names of extended attributes that the policy dropped. */
  readonly droppedXattrs: readonly string[];
}

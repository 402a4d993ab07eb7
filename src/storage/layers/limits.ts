/** Bounds on one layer, against archives made to exhaust the host. */
export interface LayerLimits {
  /** Members of the archive. */
  readonly entries: number;
  /** Sum of the sizes that files claim, holes included. */
  readonly bytes: number;
  /** What the planner keeps in memory of names, link targets and directories' attributes, roughly. */
  readonly metadataBytes: number;
}

/** Far above real images: the largest public ones unpack to some 100 GB, and a million files take some 100 MiB of metadata. */
export const DEFAULT_LAYER_LIMITS: LayerLimits = { entries: 5_000_000, bytes: 512 * 2 ** 30, metadataBytes: 256 * 2 ** 20 };

/** Roughly what an entry costs in memory besides its text. */
export const NODE_BYTES = 64;
/** NAME_MAX of every Linux filesystem that overlayfs can use. */
export const NAME_BYTES_MAX = 255;
/** PATH_MAX without its NUL. */
export const PATH_BYTES_MAX = 4095;
/** As path_resolution(7): a chain of more symbolic links is ELOOP. */
export const SYMLINKS_MAX = 40;

/** Bounds on one layer, against archives made to exhaust the host. */
export interface LayerLimits {
  /** Members of the archive. */
  readonly entries: number;
  /** Sum of the sizes that files claim, holes included. */
  readonly bytes: number;
}

/** Far above real images (the largest public ones unpack to some 100 GB), below what fills a disk's inodes unnoticed. */
export const DEFAULT_LAYER_LIMITS: LayerLimits = { entries: 5_000_000, bytes: 512 * 2 ** 30 };

/** NAME_MAX of every Linux filesystem that overlayfs can use. */
export const NAME_BYTES_MAX = 255;
/** PATH_MAX without its NUL. */
export const PATH_BYTES_MAX = 4095;
/** As path_resolution(7): a chain of more symbolic links is ELOOP. */
export const SYMLINKS_MAX = 40;

import type { ByteString } from "../tar/index.ts";

/** One file of a tree that is being read. */
export interface TreeEntry {
  /** Canonical, relative to the tree's root; "" is the root itself. */
  readonly path: ByteString;
  readonly type: "file" | "directory" | "symlink" | "char" | "block" | "fifo" | "socket";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a regular file, else 0. */
  readonly size: number;
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  readonly major: number;
  readonly minor: number;
  /** Of a symbolic link, else "". */
  readonly target: ByteString;
  readonly xattrs: ReadonlyMap<ByteString, ByteString>;
  /** Equal for names of one file; undefined when it has only this one. */
  readonly inode?: string | undefined;
  /** The content of a regular file, exactly `size` bytes. To be read before the walk goes on. */
  open(): AsyncIterable<Uint8Array>;
}

/**
 * A tree, read in a fixed order: every directory before what is in it, siblings in the order of their bytes, the
 * root first. It never follows a symbolic link and never leaves the filesystem that the root is on.
 */
export interface TreeWalker {
  walk(): AsyncIterable<TreeEntry>;
}

import type { ByteString } from "../tar/index.ts";

/**
 * One system call beneath a layer directory. The protocol, for whoever carries ops out:
 *
 * There are four registers. `root` is the layer directory, given with the sink and empty at first. `D` and `S` are directories
 * (O_PATH), set by `enter` and `source`; each stays until it is set again. `F` is an open file, set by `create` or
 * `open` and ended by `close`; there is never more than one.
 *
 * Every path is relative to `root`, in canonical form ("usr/bin"; "" is `root` itself), without "." or ".." and
 * without symbolic links: open it with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV, so that a planner
 * that erred is found out by the kernel. Every name is one component of 1 to 255 bytes (or "." after `open`); paths are
 * at most 4095 bytes. Names, paths and values are byte strings: one character is one byte.
 *
 * The umask is 0 and new files belong to 0:0 (of the executor's user namespace): the planner leaves out
 * calls that would change nothing. The first call that fails ends the plan; `flush` rejects with its error.
 *
 * A worked example, the layer "usr/bin/su" (mode 4755, 5 bytes) with "usr/bin" described nowhere:
 *
 *   enter ""  mkdir usr  enter usr  mkdir bin  enter usr/bin  create su 0755
 *   write "hello" 0  fchmod 04755  futimens 1700000000 0  close          (mode after data: a write clears setuid)
 *   enter usr  open bin  fchmod 0755  futimens 0 0  close                 (directories last, children first)
 *   enter ""  open usr …  open . …
 */
export type LayerOp =
  /** D = openat2(root, path, O_PATH | O_DIRECTORY | O_CLOEXEC) */
  | { readonly op: "enter"; readonly path: ByteString }
  /** S = openat2(root, path, O_PATH | O_DIRECTORY | O_CLOEXEC) */
  | { readonly op: "source"; readonly path: ByteString }
  /** mkdirat(D, name, 0700) */
  | { readonly op: "mkdir"; readonly name: ByteString }
  /**
   * F = openat2(D, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode); mode is at most 0777. `size` is what the archive
   * says that the file will have, for a sink with more than one way to write.
   */
  | { readonly op: "create"; readonly name: ByteString; readonly mode: number; readonly size: number }
  /** F = openat2(D, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); "." is D itself */
  | { readonly op: "open"; readonly name: ByteString }
  /** pwrite64(F, data, offset), all of it. `data` may be read until `borrowed` resolves; a sink that only writes ops down keeps it. */
  | { readonly op: "write"; readonly data: Uint8Array; readonly offset: number }
  /** ftruncate(F, size) */
  | { readonly op: "truncate"; readonly size: number }
  /** fchown(F, uid, gid) */
  | { readonly op: "fchown"; readonly uid: number; readonly gid: number }
  /** fchmod(F, mode); mode is at most 07777 */
  | { readonly op: "fchmod"; readonly mode: number }
  /** fsetxattr(F, name, value, 0) */
  | { readonly op: "fsetxattr"; readonly name: ByteString; readonly value: ByteString }
  /** utimensat(F, NULL, {time, time}, 0): access time and modification time are the same */
  | { readonly op: "futimens"; readonly sec: number; readonly nsec: number }
  /** close(F) */
  | { readonly op: "close" }
  /** symlinkat(target, D, name) */
  | { readonly op: "symlink"; readonly name: ByteString; readonly target: ByteString }
  /** linkat(S, from, D, name, 0): without AT_SYMLINK_FOLLOW, so a link to a symbolic link is to the link */
  | { readonly op: "link"; readonly from: ByteString; readonly name: ByteString }
  /** mknodat(D, name, kind | mode, makedev(major, minor)); mode is at most 0777 */
  | {
      readonly op: "mknod";
      readonly name: ByteString;
      readonly kind: "char" | "block" | "fifo";
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    }
  /** fchownat(D, name, uid, gid, AT_SYMLINK_NOFOLLOW) */
  | { readonly op: "chown"; readonly name: ByteString; readonly uid: number; readonly gid: number }
  /** fchmodat(D, name, mode): only ever for what this plan made with mknod, as it would follow a symbolic link */
  | { readonly op: "chmod"; readonly name: ByteString; readonly mode: number }
  /** utimensat(D, name, {time, time}, AT_SYMLINK_NOFOLLOW) */
  | { readonly op: "utimens"; readonly name: ByteString; readonly sec: number; readonly nsec: number }
  /** unlinkat(D, name, 0) */
  | { readonly op: "unlink"; readonly name: ByteString }
  /** unlinkat(D, name, AT_REMOVEDIR) */
  | { readonly op: "rmdir"; readonly name: ByteString };

/** Where ops go. `push` only queues; `flush` waits until everything pushed so far was carried out, or rejects. */
export interface LayerSink {
  push(op: LayerOp): void;
  /** True when the caller should flush before it pushes much more: the sink's own idea of a full batch. */
  readonly full: boolean;
  flush(): Promise<void>;
  /** Resolves when no data that was pushed is looked at any more; undefined if that is so now. Rejects with what failed. */
  readonly borrowed: Promise<void> | undefined;
}

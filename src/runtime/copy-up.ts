import type { Line } from "../plan/index.ts";
import { Block } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { Fd } from "./context.ts";
import { openInRoot } from "./resolve.ts";

/** A file that a new tmpfs gets from the directory that it covers. Ids are the container's; undefined if it has none for the owner. */
export interface CopiedFile {
  /** Beneath the directory; "" for itself. */
  readonly path: string;
  /** With the file's type (inode(7)). */
  readonly mode: number;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly size: number;
  readonly device: number;
  readonly modifiedNs: bigint;
  /** Of a symbolic link. */
  readonly target?: string;
}

const UTIME_OMIT = 0x3ffffffe;
/** What sendfile(2) copies at most in one call. */
const SENDFILE_MAX = 0x7ffff000;
const KEEP = 0xffffffff;

/**
 * Copies files into a filesystem that is attached nowhere yet, from a directory that is open: beneath it and through no link, so that
 * nothing but what was looked at can be meant. Directories get their times last, since files that are made in them change those.
 */
export function copyUp(line: Line, from: Fd, to: Fd, files: readonly CopiedFile[], what: string): void {
  for (const file of files) if (file.path !== "") copyFile(line, from, to, file, `${what}: copy "${file.path}"`);
  for (const { path, uid, gid } of files) setOwner(line, to, path, uid, gid, what);
  // A change of owner takes set-user-ID bits away (chown(2)), and rights of a directory could be in the way of its files.
  for (const { path, mode } of files)
    if ((mode & C.S_IFMT) !== C.S_IFLNK)
      line.call("fchmodat", [to, path === "" ? "." : path, mode & 0o7777], { what: `${what}: copy "${path}"`, why: "its mode" });
  for (const { path, modifiedNs } of files.toReversed()) setTime(line, to, path, modifiedNs, what);
}

function copyFile(line: Line, from: Fd, to: Fd, { path, mode, size, device, target }: CopiedFile, what: string): void {
  const type = mode & C.S_IFMT;
  if (type === C.S_IFDIR) line.call("mkdirat", [to, path, 0o700], { what, why: "tmpcopyup" });
  else if (target !== undefined) line.call("symlinkat", [target, to, path], { what, why: "tmpcopyup" });
  else if (type !== C.S_IFREG) line.call("mknodat", [to, path, type | 0o600, device], { what, why: "tmpcopyup" });
  else {
    const made = line.call("openat", [to, path, C.O_WRONLY | C.O_CREAT | C.O_EXCL | C.O_CLOEXEC, 0o600], { what, why: "tmpcopyup" });
    if (size > 0) {
      const source = openInRoot(line, from, path, {
        flags: C.O_RDONLY | C.O_NOFOLLOW | C.O_NONBLOCK,
        resolve: C.RESOLVE_BENEATH | C.RESOLVE_NO_SYMLINKS,
        what,
        why: "beneath the directory that is covered",
      });
      for (let rest = size; rest > 0; rest -= SENDFILE_MAX) {
        const part = Math.min(rest, SENDFILE_MAX);
        line.call("sendfile", [made, source, null, part], { what, why: "its content", expect: part });
      }
      line.call("close", [source], { what, why: "done with it" });
    }
    line.call("close", [made], { what, why: "done with it" });
  }
}

function setOwner(line: Line, to: Fd, path: string, uid: number | undefined, gid: number | undefined, what: string): void {
  if ((uid ?? 0) === 0 && (gid ?? 0) === 0) return;
  line.call("fchownat", [to, path, uid ?? KEEP, gid ?? KEEP, path === "" ? C.AT_EMPTY_PATH : C.AT_SYMLINK_NOFOLLOW], {
    what: `${what}: copy "${path}"`,
    why: "its owner",
  });
}

function setTime(line: Line, to: Fd, path: string, modifiedNs: bigint, what: string): void {
  const times = new Block(32, "struct timespec[2]").u64(8, UTIME_OMIT).u64(16, modifiedNs / 1_000_000_000n).u64(24, modifiedNs % 1_000_000_000n);
  line.call("utimensat", [to, path === "" ? "." : path, times, C.AT_SYMLINK_NOFOLLOW], { what: `${what}: copy "${path}"`, why: "when it was changed" });
}

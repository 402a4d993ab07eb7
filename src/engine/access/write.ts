import {
  closeSync, constants, fchmodSync, fchownSync, fstatSync, ftruncateSync, lchownSync, linkSync, lstatSync, mkdirSync, openSync, symlinkSync,
  unlinkSync, writeSync,
} from "node:fs";
import { SampanError, errnoOf } from "../../base/errors.ts";
import { errnoNumber, errnoText } from "../../linux/errno.ts";
import { S_IFBLK, S_IFCHR, S_IFIFO, makeDevice } from "../../linux/constants.ts";
import { xattrPolicy } from "../../storage/layers/index.ts";
import { fromBytes } from "../../storage/tar/index.ts";
import type { ByteString, TarEntry } from "../../storage/tar/index.ts";
import type { Change, FileHelper, Place } from "./helper.ts";
import { openDirectoryIn, pathIn } from "./walk.ts";

/** Runs of zeros of this length become holes. */
const HOLE = 64 * 1024;
/** Changes that wait before the helper is asked. */
const MOST_WAITING = 256;

export interface WriteOptions {
  /** Everybody's owner; undefined keeps each file's own. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /**
   * Where a link on the way to a member leads: opens the path beneath the target as its owner would see it. Undefined
   * where links must not be followed.
   */
  readonly follow?: (path: string) => number | undefined;
}

interface Directory {
  readonly names: readonly ByteString[];
  readonly fd: number;
}

/**
 * Writes members of an archive or a tree beneath a directory that is open. Files replace what is not a directory;
 * directories join what is one. Every step is a descriptor and one name, never followed.
 */
export class TreeWriter implements Disposable {
  readonly #helper: FileHelper;
  readonly #root: number;
  readonly #options: WriteOptions;
  /** Open directories from the root to the last one that was written into. */
  #stack: Directory[] = [];
  #waiting: Change[] = [];
  /** Times of directories, set last: writing into one changes them. */
  readonly #directories: { readonly names: readonly ByteString[]; readonly sec: number; readonly nsec: number }[] = [];
  #file: { fd: number; place: Place; entry: TarEntry; end: number } | undefined;
  /** Bytes of regular files so far. */
  bytes = 0;

  /** Takes over neither. */
  constructor(helper: FileHelper, root: number, options: WriteOptions) {
    this.#helper = helper;
    this.#root = root;
    this.#options = options;
  }

  /** Begins a member; for a file its data follows, then `done`. The names lead from the root; none is "" or "..". */
  begin(entry: TarEntry, names: readonly ByteString[]): void {
    const name = names.at(-1);
    if (name === undefined) {
      if (entry.type === "directory") this.#describeDirectory(this.#root, entry, []);
      return;
    }
    const place = { directory: this.#enter(names.slice(0, -1)), name };
    try {
      this.#make(place, entry, names);
    } catch (error) {
      throw told(error, names);
    }
  }

  data(chunk: Uint8Array, offset: number): void {
    const file = this.#file;
    if (!file) return;
    for (let at = 0; at < chunk.length; at += HOLE) {
      const piece = chunk.subarray(at, at + HOLE);
      if (piece.length === HOLE && isZero(piece)) continue;
      for (let written = 0; written < piece.length; ) {
        try {
          written += writeSync(file.fd, piece, written, piece.length - written, offset + at + written);
        } catch (error) {
          throw told(error, [file.place.name]);
        }
      }
    }
    file.end = offset + chunk.length;
    this.bytes += chunk.length;
  }

  done(): void {
    const file = this.#file;
    if (!file) return;
    this.#file = undefined;
    const { fd, entry, place } = file;
    try {
      ftruncateSync(fd, entry.size);
      this.#own(fd, entry);
      fchmodSync(fd, entry.mode);
    } finally {
      closeSync(fd);
    }
    this.#later(entry, place);
  }

  /** Whether this open directory is the one that is written: the root, or what is called `name` in it. */
  isTarget(directory: number, name: ByteString | undefined): boolean {
    const target = name === undefined ? fstatSync(this.#root) : lstatSync(pathIn({ directory: this.#root, name }), { throwIfNoEntry: false });
    const { dev, ino } = fstatSync(directory);
    return target?.dev === dev && target.ino === ino;
  }

  /** Times of directories and all that still waits. To be called once at the end. */
  finish(): void {
    this.#flush();
    for (const { names, sec, nsec } of this.#directories.reverse()) {
      const name = names.at(-1) ?? ("." as ByteString); // ASCII
      const directory = this.#enter(names.slice(0, -1)); // which may begin another list of what waits
      this.#waiting.push({ kind: "times", place: { directory, name }, sec, nsec });
      if (this.#waiting.length >= MOST_WAITING) this.#flush();
    }
    this.#flush();
  }

  [Symbol.dispose](): void {
    if (this.#file) {
      closeSync(this.#file.fd);
      unlinkSync(pathIn(this.#file.place)); // half a file is none
    }
    this.#file = undefined;
    for (const { fd } of this.#stack) closeSync(fd);
    this.#stack = [];
  }

  #make(place: Place, entry: TarEntry, names: readonly ByteString[]): void {
    const path = pathIn(place);
    const existing = lstatSync(path, { throwIfNoEntry: false });
    if (existing?.isDirectory() && entry.type !== "directory")
      throw new SampanError("conflict", `cannot overwrite directory ${JSON.stringify(shown(names))} with non-directory`);
    if (existing && !existing.isDirectory() && entry.type === "directory")
      throw new SampanError("conflict", `cannot overwrite non-directory ${JSON.stringify(shown(names))} with directory`);
    if (entry.type === "directory") {
      if (!existing) mkdirSync(path, { mode: 0o700 });
      const fd = openDirectoryIn(place);
      if (fd === undefined) throw new SampanError("conflict", `Cannot write "${shown(names)}": it was replaced meanwhile`);
      try {
        this.#describeDirectory(fd, entry, names);
      } finally {
        closeSync(fd);
      }
      return;
    }
    const kept = existing !== undefined && !remove(path) && entry.type === "file";
    switch (entry.type) {
      case "file": {
        const fresh = constants.O_CREAT | constants.O_EXCL;
        const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | (kept ? constants.O_TRUNC : fresh), 0o600);
        this.#file = { fd, place, entry, end: 0 };
        return;
      }
      case "symlink":
        symlinkSync(Buffer.from(entry.linkname, "latin1"), path);
        break;
      case "link":
        this.#link(entry, path);
        return;
      case "char":
      case "block":
      case "fifo": {
        const kind = { char: S_IFCHR, block: S_IFBLK, fifo: S_IFIFO }[entry.type];
        this.#helper.change([{ kind: "node", place, mode: kind | entry.mode, device: entry.type === "fifo" ? 0 : makeDevice(entry.major, entry.minor) }]);
        break;
      }
      default:
        throw new SampanError("unsupported", `Cannot write "${shown(names)}": archive members of type "${entry.typeflag}" are not known`);
    }
    const { owner } = this.#options;
    lchownSync(path, owner?.uid ?? entry.uid, owner?.gid ?? entry.gid);
    this.#later(entry, place);
  }

  /** A hard link to a member that came before, found as members are. */
  #link(entry: TarEntry, path: Buffer): void {
    const names = namesOf(entry.linkname);
    const name = names?.at(-1);
    if (names === undefined || name === undefined)
      throw new SampanError("invalid", `Cannot link to "${fromBytes(entry.linkname)}": it is outside of the target`);
    // Opening another directory may close the one of `path`: it is named by descriptor, so hold it.
    const [, directory = ""] = /^\/proc\/self\/fd\/(\d+)\//.exec(path.toString("latin1")) ?? [];
    const held = openSync(`/proc/self/fd/${directory}`, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const base = path.subarray(`/proc/self/fd/${directory}/`.length).toString("latin1") as ByteString; // latin1
      linkSync(pathIn({ directory: this.#enter(names.slice(0, -1)), name }), pathIn({ directory: held, name: base }));
    } finally {
      closeSync(held);
    }
  }

  #describeDirectory(fd: number, entry: TarEntry, names: readonly ByteString[]): void {
    this.#own(fd, entry);
    fchmodSync(fd, entry.mode);
    for (const [name, value] of entry.xattrs ?? [])
      if (xattrPolicy(name)) this.#helper.change([{ kind: "xattr", place: { directory: fd, name: "." as ByteString }, name, value }]); // ASCII
    this.#directories.push({ names, sec: entry.mtimeSec, nsec: entry.mtimeNsec });
  }

  #own(fd: number, entry: TarEntry): void {
    const { owner } = this.#options;
    fchownSync(fd, owner?.uid ?? entry.uid, owner?.gid ?? entry.gid);
  }

  /** Attributes first (a change of owner has taken file capabilities by now), times last. */
  #later(entry: TarEntry, place: Place): void {
    if (entry.type === "file") for (const [name, value] of entry.xattrs ?? []) if (xattrPolicy(name)) this.#waiting.push({ kind: "xattr", place, name, value });
    this.#waiting.push({ kind: "times", place, sec: entry.mtimeSec, nsec: entry.mtimeNsec });
    if (this.#waiting.length >= MOST_WAITING) this.#flush();
  }

  #flush(): void {
    const changes = this.#waiting;
    this.#waiting = [];
    this.#helper.change(changes);
  }

  /** The directory that the names lead to, made where it is missing. Stays open until another branch is entered. */
  #enter(names: readonly ByteString[]): number {
    let depth = 0;
    while (depth < this.#stack.length && depth < names.length && this.#stack[depth]?.names[depth] === names[depth]) depth++;
    if (depth < this.#stack.length) {
      this.#flush();
      for (const { fd } of this.#stack.splice(depth)) closeSync(fd);
    }
    for (; depth < names.length; depth++) {
      const name = names[depth] ?? ("" as ByteString); // in range
      const place = { directory: this.#stack[depth - 1]?.fd ?? this.#root, name };
      const path = names.slice(0, depth + 1);
      const fd = openDirectoryIn(place) ?? this.#followed(place, path) ?? this.#made(place, path);
      this.#stack.push({ names: path, fd });
    }
    return this.#stack.at(-1)?.fd ?? this.#root;
  }

  #followed(place: Place, names: readonly ByteString[]): number | undefined {
    const stat = lstatSync(pathIn(place), { throwIfNoEntry: false });
    if (!stat) return undefined;
    const fd = stat.isSymbolicLink() ? this.#options.follow?.(names.map((name) => fromBytes(name)).join("/")) : undefined;
    if (fd !== undefined) return fd;
    throw new SampanError("conflict", `Cannot write into "${shown(names)}": it is ${stat.isSymbolicLink() ? "a symbolic link" : "not a directory"}`);
  }

  #made(place: Place, names: readonly ByteString[]): number {
    mkdirSync(pathIn(place), { mode: 0o755 });
    const fd = openDirectoryIn(place);
    if (fd === undefined) throw new SampanError("conflict", `Cannot write into "${shown(names)}": it was replaced meanwhile`);
    if (this.#options.owner) fchownSync(fd, this.#options.owner.uid, this.#options.owner.gid);
    return fd;
  }
}

/** An archive's name as single names from the target; undefined if it leads out of it. */
export function namesOf(path: ByteString): readonly ByteString[] | undefined {
  const names = path.split("/").filter((name) => name !== "" && name !== ".") as ByteString[]; // pieces of a byte string
  return (names as string[]).includes("..") ? undefined : names;
}

function shown(names: readonly ByteString[]): string {
  return names.map((name) => fromBytes(name)).join("/");
}

/** False if it has to stay, because something is mounted on it: then it is written to. */
function remove(path: Buffer): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EBUSY") return false;
    throw error;
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && Buffer.compare(bytes.subarray(1), bytes.subarray(0, -1)) === 0;
}

function told(error: unknown, names: readonly ByteString[]): unknown {
  const errno = errnoOf(error);
  if (error instanceof SampanError || errno === undefined) return error;
  const number = errnoNumber(errno);
  const reason = number === undefined ? errno : errnoText(number);
  return new SampanError(errno === "ENOSPC" ? "unavailable" : "internal", `Cannot write "${shown(names)}": ${reason}`, { code: errno, cause: error });
}


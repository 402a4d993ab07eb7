import type { BigIntStats } from "node:fs";
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, readdirSync, readlinkSync, statfsSync } from "node:fs";
import { SampanError, errnoOf } from "../../base/errors.ts";
import { Turns } from "../../base/turns.ts";
import type { TreeEntry, TreeWalker } from "../../storage/layers/index.ts";
import { fromBytes } from "../../storage/tar/index.ts";
import type { ByteString } from "../../storage/tar/index.ts";
import type { FileHelper, Place } from "./helper.ts";

const CHUNK = 256 * 1024;

/** Filesystems without files of the container's own: proc, sysfs, devpts, mqueue, cgroup, cgroup2 (statfs(2)). */
const KERNEL_FILESYSTEMS: readonly number[] = [0x9fa0, 0x62656572, 0x1cd1, 0x19800202, 0x27e0eb, 0x63677270];

/** Whether a file or directory that is open lies on such a filesystem: its files have no size before they are read. */
export function isKernels(fd: number): boolean {
  return KERNEL_FILESYSTEMS.includes(statfsSync(`/proc/self/fd/${fd}`).type);
}

/** A name in a directory of ours, as a path: one component behind a descriptor, which the kernel does not resolve by name. */
export function pathIn({ directory, name }: Place): Buffer {
  return Buffer.from(`/proc/self/fd/${directory}/${name}`, "latin1");
}

/**
 * Reads a tree beneath a directory that is open: every step goes through a descriptor and one name that is not followed,
 * so that whatever is renamed or replaced by a link meanwhile, nothing outside of the tree is ever read. What vanishes
 * while it is being read is left out.
 */
export class DirectoryWalker implements TreeWalker {
  readonly #helper: FileHelper;
  readonly #root: number;
  readonly #turns = new Turns();

  /** Takes over neither. */
  constructor(helper: FileHelper, root: number) {
    this.#helper = helper;
    this.#root = root;
  }

  /** `isTarget`: a directory that is being written to, and that a mount shows in the tree; it is not read, or there would be no end. */
  async *walk(isTarget: (directory: number) => boolean = () => false): AsyncGenerator<TreeEntry> {
    const stat = fstatSync(this.#root, { bigint: true });
    const [xattrs = new Map()] = this.#helper.attributes([{ directory: this.#root, name: "." as ByteString }]); // ASCII
    yield describe({ directory: this.#root, name: "." as ByteString }, "" as ByteString, stat, xattrs); // ASCII
    if (!isTarget(this.#root)) yield* this.#children(this.#root, "", stat.dev, isTarget);
  }

  async *#children(directory: number, prefix: string, device: bigint, isTarget: (directory: number) => boolean): AsyncGenerator<TreeEntry> {
    const names = namesIn(directory).sort(compareBytes);
    for (let from = 0; from < names.length; from += 64) {
      const batch = names.slice(from, from + 64);
      const attributes = this.#helper.attributes(batch.map((name) => ({ directory, name })));
      for (const [i, name] of batch.entries()) {
        await this.#turns.take();
        const entry = entryAt({ directory, name }, `${prefix}${name}` as ByteString, attributes[i] ?? new Map()); // of two byte strings
        if (!entry) continue;
        if (entry.type !== "directory") {
          yield entry;
          continue;
        }
        const inner = openDirectoryIn({ directory, name });
        if (inner === undefined) continue;
        try {
          if (isTarget(inner)) continue;
          yield entry;
          const { dev } = fstatSync(inner, { bigint: true });
          if (dev !== device && isKernels(inner)) continue;
          yield* this.#children(inner, `${entry.path}/`, dev, isTarget);
        } finally {
          closeSync(inner);
        }
      }
    }
  }
}

/** None of a directory that has been removed since it was opened. */
function namesIn(directory: number): ByteString[] {
  try {
    // latin1 is one character per byte
    return readdirSync(`/proc/self/fd/${directory}`, { encoding: "buffer" }).map((name) => name.toString("latin1") as ByteString);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** One file by itself, as the walker would tell of it; undefined if there is none of that name. */
export function entryAt(place: Place, path: ByteString, xattrs: ReadonlyMap<ByteString, ByteString>): TreeEntry | undefined {
  try {
    return describe(place, path, lstatSync(pathIn(place), { bigint: true }), xattrs);
  } catch (error) {
    // ELOOP of lstat(2): overlayfs shows its own upper directory, where that lies in a lower one, as a trap.
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ELOOP") return undefined;
    throw error;
  }
}

/** Opens a directory without following a link; undefined if it is gone or is none (any more). */
export function openDirectoryIn(place: Place): number | undefined {
  try {
    return openSync(pathIn(place), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "ELOOP") return undefined;
    throw error;
  }
}

function typeOf(mode: number): TreeEntry["type"] {
  switch (mode & 0o170000) {
    case 0o040000: return "directory";
    case 0o120000: return "symlink";
    case 0o020000: return "char";
    case 0o060000: return "block";
    case 0o010000: return "fifo";
    case 0o140000: return "socket";
    default: return "file";
  }
}

function describe(place: Place, path: ByteString, stat: BigIntStats, xattrs: ReadonlyMap<ByteString, ByteString>): TreeEntry {
  const type = typeOf(Number(stat.mode));
  const device = Number(stat.rdev);
  // Floor division, so that the nanoseconds count forward before the epoch too.
  const nsec = ((stat.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return {
    path, type, mode: Number(stat.mode) & 0o7777, uid: Number(stat.uid), gid: Number(stat.gid), size: type === "file" ? Number(stat.size) : 0,
    mtimeSec: Number((stat.mtimeNs - nsec) / 1_000_000_000n), mtimeNsec: Number(nsec),
    major: (device >>> 8) & 0xfff, minor: (device & 0xff) | ((device >>> 12) & 0xfff00),
    target: (type === "symlink" ? readlinkSync(pathIn(place), { encoding: "buffer" }).toString("latin1") : "") as ByteString, // latin1, as above
    xattrs, ...(type !== "directory" && stat.nlink > 1n ? { inode: `${stat.dev}:${stat.ino}` } : {}),
    open: () => contentOf(() => openSame(place, path, stat), Number(stat.size)),
  };
}

/** A regular file that is open already, under a name of the caller's choice. */
export function entryOfFile(fd: number, path: ByteString): TreeEntry {
  const stat = fstatSync(fd, { bigint: true });
  const place = { directory: fd, name: "" as ByteString }; // never used as a place: a regular file has no target
  return { ...describe(place, path, stat, new Map()), inode: undefined, open: () => contentOf(() => openSync(`/proc/self/fd/${fd}`, "r"), Number(stat.size)) };
}

function openSame(place: Place, path: ByteString, stat: BigIntStats): number {
  const fd = openSync(pathIn(place), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY);
  const now = fstatSync(fd, { bigint: true });
  if (now.ino === stat.ino && now.dev === stat.dev) return fd;
  closeSync(fd);
  throw new SampanError("conflict", `Cannot read file "${fromBytes(path)}": it was replaced while it was read`);
}

/** Exactly as many bytes as was said: what has grown since is cut off, what has shrunk is filled up with zeros. */
async function* contentOf(open: () => number, size: number): AsyncGenerator<Uint8Array> {
  const fd = open();
  const turns = new Turns();
  try {
    for (let left = size; left > 0; ) {
      await turns.take();
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK, left));
      const read = readSync(fd, buffer, 0, buffer.length, null);
      if (read === 0) buffer.fill(0);
      const chunk = read === 0 ? buffer : buffer.subarray(0, read);
      yield chunk;
      left -= chunk.length;
    }
  } finally {
    closeSync(fd);
  }
}

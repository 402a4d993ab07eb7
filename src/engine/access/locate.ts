import { closeSync, fstatSync, openSync } from "node:fs";
import { SampanError, errnoOf } from "../../base/errors.ts";
import * as C from "../../linux/constants.ts";
import type { TreeEntry } from "../../storage/layers/index.ts";
import { toBytes } from "../../storage/tar/index.ts";
import type { ByteString } from "../../storage/tar/index.ts";
import type { FileHelper } from "./helper.ts";
import { openFound } from "./root.ts";
import { DirectoryWalker, entryAt, entryOfFile, isKernels } from "./walk.ts";

/** Where paths are resolved: a container's root filesystem, or the host. */
export interface Opener {
  open(path: string, flags: number): { readonly fd: number } | { readonly errno: string };
}

export const hostOpener: Opener = {
  open(path, flags) {
    try {
      const place = openSync(path, C.O_PATH | flags);
      try {
        return { fd: openFound(`/proc/self/fd/${place}`) };
      } finally {
        closeSync(place);
      }
    } catch (error) {
      return { errno: errnoOf(error) ?? String(error) };
    }
  },
};

/** What is to be copied. `entries` begins with the thing itself, at path "". */
export interface Source extends Disposable {
  readonly isDirectory: boolean;
  /** Its last name; "" for what has none ("/", "..", "dir/."): then what is in it is copied, not itself. */
  readonly name: ByteString;
  entries(isTarget?: (directory: number) => boolean): AsyncIterable<TreeEntry>;
}

/** A path in its parts. `whole` names it without a trailing "/" or "/.". */
interface SplitPath {
  readonly whole: string;
  readonly parent: string;
  readonly name: string;
  /** "dir/." and the like: the contents. */
  readonly contents: boolean;
  /** "dir/": it has to be a directory. */
  readonly isDirectory: boolean;
}

/** Splits an absolute path, without giving it another meaning: ".." stays for the kernel to resolve. */
export function splitPath(path: string): SplitPath {
  const contents = /(^|\/)\.{1,2}\/*$/.test(path) || /^\/*$/.test(path);
  const whole = path.replace(/(\/+\.)*\/*$/, "") || "/";
  const slash = whole.lastIndexOf("/");
  return {
    whole, parent: whole.slice(0, slash) || "/", name: contents && /(^|\/)\.\.$/.test(whole) ? "" : whole.slice(slash + 1),
    contents, isDirectory: contents || path.endsWith("/"),
  };
}

/** Finds what to copy; undefined if there is nothing. `follow`: of a link the thing that it leads to, under the link's name. */
export function locateSource(opener: Opener, helper: FileHelper, path: string, follow: boolean): Source | undefined {
  const split = splitPath(path);
  const name = split.contents ? ("" as ByteString) : toBytes(split.name); // no bytes
  if (split.isDirectory || split.name === "") return opened(opener, helper, split.whole, name, true);
  const parent = opener.open(split.parent, C.O_DIRECTORY);
  if ("errno" in parent) return undefined;
  // As Docker has it, and as with a whole tree: what the kernel makes up as it is read cannot be copied.
  if (isKernels(parent.fd)) {
    closeSync(parent.fd);
    return undefined;
  }
  const place = { directory: parent.fd, name };
  const [xattrs = new Map()] = helper.attributes([place]);
  const entry = entryAt(place, "" as ByteString, xattrs); // no bytes: the thing itself
  if (!entry || entry.type === "directory" || (entry.type === "symlink" && follow)) {
    closeSync(parent.fd);
    return entry && opened(opener, helper, split.whole, name, false);
  }
  return {
    isDirectory: false, name,
    async *entries() { yield entry; },
    [Symbol.dispose]: () => { closeSync(parent.fd); },
  };
}

function opened(opener: Opener, helper: FileHelper, path: string, name: ByteString, isDirectory: boolean): Source | undefined {
  const found = opener.open(path, isDirectory ? C.O_DIRECTORY : 0);
  if ("errno" in found) {
    if (found.errno === "ENOTDIR") throw new SampanError("invalid", "not a directory");
    return undefined;
  }
  const directory = fstatSync(found.fd).isDirectory();
  return {
    isDirectory: directory, name,
    async *entries(isTarget) {
      if (directory) yield* new DirectoryWalker(helper, found.fd).walk(isTarget);
      else yield entryOfFile(found.fd, "" as ByteString); // no bytes
    },
    [Symbol.dispose]: () => { closeSync(found.fd); },
  };
}

/** Where a copy goes: a directory that is there, and the name in it; undefined for what is in the directory itself. */
export interface Destination {
  readonly directory: number;
  readonly name: ByteString | undefined;
}

/** How many links are followed to find where a file goes (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * Docker's rules, which are cp's: a file goes into a directory that is there or takes the name that is not; a directory
 * goes into one that is there (with a trailing "/." its contents do), or becomes the name that is not.
 * `missing` makes the error for a directory on the way that is not there.
 */
export function locateDestination(
  opener: Opener,
  path: string,
  source: { readonly isDirectory: boolean; readonly name: ByteString },
  missing: () => SampanError,
): Destination {
  const split = splitPath(path);
  const there = opener.open(split.whole, 0);
  if ("fd" in there) {
    if (fstatSync(there.fd).isDirectory()) return { directory: there.fd, name: source.name === "" ? undefined : source.name };
    closeSync(there.fd);
    if (source.isDirectory) throw new SampanError("conflict", "cannot copy directory");
    if (split.isDirectory) throw new SampanError("invalid", "not a directory");
  } else if (there.errno === "ENOTDIR") throw new SampanError("invalid", "not a directory");
  else if (split.isDirectory && !source.isDirectory) throw new SampanError("not-found", "no such directory");
  let { parent, name } = split;
  for (let links = 0; links < MOST_LINKS; links++) {
    const directory = opener.open(parent, C.O_DIRECTORY);
    if ("errno" in directory) throw directory.errno === "ENOTDIR" ? new SampanError("invalid", "not a directory") : missing();
    const entry = entryAt({ directory: directory.fd, name: toBytes(name) }, "" as ByteString, new Map()); // no bytes
    if (entry?.type !== "symlink") return { directory: directory.fd, name: toBytes(name) };
    closeSync(directory.fd);
    const target = Buffer.from(entry.target, "latin1").toString();
    ({ parent, name } = splitPath(target.startsWith("/") ? target : `${parent}/${target}`));
  }
  throw new SampanError("invalid", "too many levels of symbolic links");
}


import type { ByteString, TarEntry, TarHandler } from "../tar/index.ts";
import { SampanError } from "../../base/index.ts";
import { finishTree } from "./finish.ts";
import { DEFAULT_LAYER_LIMITS, NAME_BYTES_MAX, NODE_BYTES, PATH_BYTES_MAX, SYMLINKS_MAX, type LayerLimits } from "./limits.ts";
import { insideMarker, layerError, markerOf, splitPath } from "./names.ts";
import type { LayerOp } from "./sink.ts";
import type { LayerSummary } from "./summary.ts";
import { DirectoryNode, LEAF, type Node } from "./tree.ts";
import { xattrPolicy, type XattrPolicy } from "./xattrs.ts";

export interface LayerPlannerOptions {
  readonly limits?: LayerLimits;
  /** Which attributes of the archive are kept; security.capability and user.* unless given. */
  readonly xattrs?: XattrPolicy;
  /** Whose attributes overlayfs will read: "user" for mounts with `userxattr` (in a user namespace). Default "trusted". */
  readonly overlayXattrs?: "trusted" | "user";
}

const NOTHING: readonly [ByteString, ByteString][] = [];
const ROOT_NAME = "" as ByteString; // brand: no bytes

/**
 * Turns the entries of one layer into ops, in the order in which they come. Give it to a TarReader as handler, then call
 * `finish`. It holds the shape of the directory in memory (some hundred bytes per entry), and so knows without asking
 * the disk what each name is: what to remove before something of another type takes its place, where a symbolic link in the middle of
 * a path leads, whether a hard link's target is there.
 *
 * Meaning, as Docker and containerd give it: names are cleaned and relative to the root; a symbolic link among a
 * name's parents is followed within the root (as chroot(2) would); one at the end is not, it is replaced; the last entry
 * of a name wins, two directories merge; a hard link's target must come earlier in the same layer. As image-spec
 * layer.md says: a whiteout speaks of the layers below only, wherever in the archive it stands. So a directory
 * that is removed and made again in one layer becomes opaque.
 */
export class LayerPlanner implements TarHandler {
  readonly #push: (op: LayerOp) => void;
  readonly #limits: LayerLimits;
  readonly #keepXattr: XattrPolicy;
  readonly #overlayXattrs: "trusted" | "user";
  readonly #root = new DirectoryNode(undefined, ROOT_NAME);
  /** What `D` holds. */
  #current: DirectoryNode | undefined;
  /** The last entry's parents as spelled, and where they led: most entries stand beside the one before. */
  #lastParents: string | undefined;
  #lastDirectory: DirectoryNode = this.#root;
  /** The regular file being written. */
  #file: TarEntry | undefined;
  #fileReached = 0;
  #entries = 0;
  #files = 0;
  #bytes = 0;
  #claimed = 0;
  #held = 0;
  readonly #dropped = new Set<string>();

  constructor(push: (op: LayerOp) => void, options: LayerPlannerOptions = {}) {
    this.#push = push;
    this.#limits = options.limits ?? DEFAULT_LAYER_LIMITS;
    this.#keepXattr = options.xattrs ?? xattrPolicy;
    this.#overlayXattrs = options.overlayXattrs ?? "trusted";
  }

  entry(entry: TarEntry): void {
    if (++this.#entries > this.#limits.entries) throw layerError(entry.name, `the layer has more than ${this.#limits.entries} entries`);
    this.#claimed += entry.size;
    if (this.#claimed > this.#limits.bytes) throw layerError(entry.name, `the layer unpacks to more than ${this.#limits.bytes} bytes`);
    // Parts of a name keep the whole of it in memory, "./" repeated a thousand times included.
    if (entry.name.length > 2 * PATH_BYTES_MAX) throw layerError(entry.name, "its path is too long");
    const place = this.#place(entry.name);
    if (place === undefined) return;
    const { directory, name } = place;
    if (name === undefined) return this.#describeRoot(entry);
    const marker = markerOf(name, entry.name);
    switch (marker.kind) {
      case "none":
        return this.#make(directory, name, entry);
      case "opaque":
        directory.opaque = true;
        return;
      case "whiteout":
        this.#hold(marker.name.length, entry.name);
        (directory.whiteouts ??= new Set()).add(marker.name);
        return;
      case "metadata":
        return;
    }
  }

  data(chunk: Uint8Array, offset: number): void {
    if (this.#file === undefined) return;
    this.#fileReached = offset + chunk.length;
    this.#push({ op: "write", data: chunk, offset });
  }

  done(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    this.#bytes += file.size;
    if (this.#fileReached < file.size) this.#push({ op: "truncate", size: file.size });
    // chown(2) and write(2) take setuid bits and capabilities away, so they come before those.
    if (file.uid !== 0 || file.gid !== 0) this.#push({ op: "fchown", uid: file.uid, gid: file.gid });
    if (file.mode > 0o777) this.#push({ op: "fchmod", mode: file.mode });
    if (file.xattrs !== undefined) for (const [name, value] of this.#kept(file)) this.#push({ op: "fsetxattr", name, value });
    this.#push({ op: "futimens", sec: file.mtimeSec, nsec: file.mtimeNsec });
    this.#push({ op: "close" });
  }

  /** After the archive's end: whiteouts, and the directories' own attributes, which making their children would change. */
  finish(): LayerSummary {
    const { implicit, opaque } = finishTree(this.#root, this.#overlayXattrs, {
      enter: (directory) => this.#enter(directory),
      push: this.#push,
    });
    return {
      entries: this.#entries,
      files: this.#files,
      bytes: this.#bytes,
      implicit,
      opaque,
      opaqueRoot: this.#root.opaque,
      droppedXattrs: [...this.#dropped].sort(),
    };
  }

  /** An archive compresses a thousandfold, what is remembered of it does not. */
  #hold(bytes: number, entry: ByteString): void {
    this.#held += NODE_BYTES + bytes;
    if (this.#held > this.#limits.metadataBytes) throw layerError(entry, `the layer's names and attributes take more than ${this.#limits.metadataBytes} bytes`);
  }

  /** Where a name belongs; `name` is undefined for the root, and the whole for what is to be passed over. */
  #place(path: ByteString): { directory: DirectoryNode; name: ByteString | undefined } | undefined {
    let end = path.length;
    while (end > 0 && path.charCodeAt(end - 1) === 0x2f) end--;
    const slash = path.lastIndexOf("/", end - 1);
    const parents = path.slice(0, slash + 1);
    const last = path.slice(slash + 1, end) as ByteString; // brand: a slice of a byte string
    if (parents === this.#lastParents && last !== "" && last !== "." && last !== ".." && last.length <= NAME_BYTES_MAX) {
      return { directory: this.#lastDirectory, name: last };
    }
    const parts = splitPath(path, path);
    const name = parts.pop();
    if (insideMarker(parts, path)) return undefined;
    const directory = this.#resolve(parts, path, name?.startsWith(".wh.") === true ? "mark" : "create");
    if (directory === undefined) return undefined;
    // Only a plain spelling says the same about its siblings.
    if (name === last) {
      this.#lastParents = parents;
      this.#lastDirectory = directory;
    }
    return { directory, name };
  }

  /**
   * Follows `parts` from the root, through symbolic links as chroot(2) would: an absolute target starts at the root,
   * ".." stops there. Missing directories are made, or refused for `find`. A file in the way is refused, but for
   * `mark` it means that there is nothing to do: it hides the layers below already (umoci writes such whiteouts).
   */
  #resolve(parts: readonly ByteString[], entry: ByteString, purpose: "create" | "find" | "mark"): DirectoryNode | undefined {
    let directory = this.#root;
    let links = 0;
    const pending = parts.toReversed();
    for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
      if (part === "..") {
        directory = directory.parent ?? directory;
        continue;
      }
      const node = directory.children.get(part);
      if (node === undefined) {
        if (purpose === "find") throw layerError(entry, `its target's directory "${part}" is not in this layer`);
        directory = this.#makeDirectory(directory, part, entry);
      } else if (node.kind === "directory") {
        directory = node;
      } else if (node.kind === "symlink") {
        if (++links > SYMLINKS_MAX) throw layerError(entry, "too many levels of symbolic links");
        if (node.target.startsWith("/")) directory = this.#root;
        const target = node.target.split("/").filter((component) => component !== "" && component !== ".");
        for (const component of target.reverse()) pending.push(component as ByteString); // brand: a slice of a byte string
      } else {
        if (purpose === "mark") return undefined;
        throw layerError(entry, `"${part}" is not a directory`);
      }
    }
    return directory;
  }

  #make(directory: DirectoryNode, name: ByteString, entry: TarEntry): void {
    if (directory.path.length + 1 + name.length > PATH_BYTES_MAX) throw layerError(entry.name, "its path is too long");
    if (entry.type !== "directory") this.#hold(name.length + entry.linkname.length, entry.name);
    switch (entry.type) {
      case "directory":
        return this.#describe(this.#directoryAt(directory, name, entry), entry);
      case "file":
        return this.#makeFile(directory, name, entry);
      case "symlink":
        if (entry.linkname === "" || entry.linkname.length > PATH_BYTES_MAX) throw layerError(entry.name, "its target is empty or too long");
        this.#bytes += entry.linkname.length;
        this.#put(directory, name, { kind: "symlink", target: entry.linkname });
        this.#push({ op: "symlink", name, target: entry.linkname });
        return this.#dress(name, entry);
      case "link":
        return this.#makeLink(directory, name, entry);
      case "char":
      case "block":
      case "fifo":
        return this.#makeNode(directory, name, entry, entry.type);
      case "unknown":
        throw new SampanError(
          "unsupported",
          `Cannot unpack layer entry "${entry.name}": type ${JSON.stringify(entry.typeflag)} is not supported`,
          { code: "EBADLAYER" },
        );
    }
  }

  #describeRoot(entry: TarEntry): void {
    // Anything else would replace the root itself.
    if (entry.type !== "directory") throw layerError(entry.name, "the root can only be a directory");
    this.#describe(this.#root, entry);
  }

  #describe(directory: DirectoryNode, entry: TarEntry): void {
    const { mode, uid, gid, mtimeSec, mtimeNsec } = entry;
    const xattrs = new Map(this.#kept(entry));
    for (const [name, value] of xattrs) this.#hold(name.length + value.length, entry.name);
    directory.attributes = { mode, uid, gid, mtimeSec, mtimeNsec, xattrs: xattrs.size === 0 ? undefined : xattrs };
  }

  #directoryAt(directory: DirectoryNode, name: ByteString, entry: TarEntry): DirectoryNode {
    const existing = directory.children.get(name);
    if (existing?.kind === "directory") return existing;
    if (existing !== undefined) this.#remove(directory, name, existing);
    return this.#makeDirectory(directory, name, entry.name);
  }

  #makeDirectory(parent: DirectoryNode, name: ByteString, entry: ByteString): DirectoryNode {
    if (name.length > NAME_BYTES_MAX || parent.path.length + 1 + name.length > PATH_BYTES_MAX) throw layerError(entry, "its path is too long");
    this.#hold(parent.path.length + 2 * name.length, entry);
    const made = new DirectoryNode(parent, name);
    parent.children.set(name, made);
    this.#enter(parent);
    this.#push({ op: "mkdir", name });
    return made;
  }

  #makeFile(directory: DirectoryNode, name: ByteString, entry: TarEntry): void {
    this.#put(directory, name, LEAF);
    this.#push({ op: "create", name, mode: entry.mode & 0o777, size: entry.size });
    this.#file = entry;
    this.#fileReached = 0;
    this.#files++;
  }

  #makeLink(directory: DirectoryNode, name: ByteString, entry: TarEntry): void {
    let target = this.#linkTarget(entry);
    if (target.directory === directory && target.name === name) throw layerError(entry.name, "it is a hard link to itself");
    const existing = directory.children.get(name);
    if (existing !== undefined) {
      this.#remove(directory, name, existing);
      // The target may have gone with a directory that was replaced.
      target = this.#linkTarget(entry);
    }
    // The link shares the inode, so its owner, mode and times are those of the first entry.
    this.#push({ op: "source", path: target.directory.path });
    this.#put(directory, name, target.node);
    this.#push({ op: "link", from: target.name, name });
  }

  #linkTarget(entry: TarEntry): { directory: DirectoryNode; name: ByteString; node: Node } {
    const parts = splitPath(entry.linkname, entry.name);
    const name = parts.pop();
    if (name === undefined) throw layerError(entry.name, "it is a hard link to the root");
    const directory = this.#resolve(parts, entry.name, "find");
    const node = directory?.children.get(name);
    if (directory === undefined || node === undefined) throw layerError(entry.name, `its target "${entry.linkname}" is not in this layer`);
    if (node.kind === "directory") throw layerError(entry.name, "it is a hard link to a directory");
    return { directory, name, node };
  }

  #makeNode(directory: DirectoryNode, name: ByteString, entry: TarEntry, kind: "char" | "block" | "fifo"): void {
    const { major, minor } = entry;
    if (kind === "char" && major === 0 && minor === 0) {
      // In a layer directory this *is* a whiteout; overlayfs cannot show it as anything else.
      const existing = directory.children.get(name);
      if (existing !== undefined) this.#remove(directory, name, existing);
      (directory.whiteouts ??= new Set()).add(name);
      return;
    }
    // The kernel's dev_t: 12 and 20 bits. Larger ones would become another device.
    if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff) throw layerError(entry.name, `device ${major}:${minor} does not exist`);
    this.#put(directory, name, LEAF);
    this.#push({ op: "mknod", name, kind, mode: entry.mode & 0o777, major, minor });
    this.#dress(name, entry);
  }

  /** Owner, special mode bits and time of what is no file and no directory. Extended attributes have no place there. */
  #dress(name: ByteString, entry: TarEntry): void {
    for (const key of entry.xattrs?.keys() ?? []) this.#dropped.add(key);
    if (entry.uid !== 0 || entry.gid !== 0) this.#push({ op: "chown", name, uid: entry.uid, gid: entry.gid });
    if (entry.mode > 0o777 && entry.type !== "symlink") this.#push({ op: "chmod", name, mode: entry.mode });
    this.#push({ op: "utimens", name, sec: entry.mtimeSec, nsec: entry.mtimeNsec });
  }

  /** Records a node that is no directory, after removing what has its name. Leaves `D` at its directory. */
  #put(directory: DirectoryNode, name: ByteString, node: Node): void {
    const existing = directory.children.get(name);
    if (existing !== undefined) this.#remove(directory, name, existing);
    directory.children.set(name, node);
    this.#enter(directory);
  }

  #remove(directory: DirectoryNode, name: ByteString, node: Node): void {
    if (node.kind === "directory") {
      for (const [childName, child] of node.children) this.#remove(node, childName, child);
      this.#enter(directory);
      this.#push({ op: "rmdir", name });
    } else {
      this.#enter(directory);
      this.#push({ op: "unlink", name });
    }
    directory.children.delete(name);
    // Paths that led through it lead elsewhere now.
    this.#lastParents = undefined;
  }

  #enter(directory: DirectoryNode): void {
    if (this.#current === directory) return;
    this.#current = directory;
    this.#push({ op: "enter", path: directory.path });
  }

  #kept(entry: TarEntry): readonly [ByteString, ByteString][] {
    if (entry.xattrs === undefined) return NOTHING;
    const kept: [ByteString, ByteString][] = [];
    for (const [name, value] of entry.xattrs) {
      // xattr(7): names of at most 255 bytes, values of at most 64 KiB.
      if (this.#keepXattr(name) && name.length <= 255 && value.length <= 65_536) kept.push([name, value]);
      else this.#dropped.add(name);
    }
    return kept;
  }
}

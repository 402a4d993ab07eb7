import { SampanError } from "../../base/index.ts";
import { emptyTarEntry, fromBytes, tarHeader, tarPadding, tarTrailer, type ByteString, type TarEntry } from "../tar/index.ts";
import type { TreeEntry, TreeWalker } from "./walker.ts";
import { xattrPolicy, type XattrPolicy } from "./xattrs.ts";

export interface DiffOptions {
  readonly xattrs?: XattrPolicy;
  /** As the overlay was mounted: where its own attributes are. Default "trusted". */
  readonly overlayXattrs?: "trusted" | "user";
  /** Write an entry for the root too. Off, as in Docker's layers: what nobody changed is not in a layer. */
  readonly root?: boolean;
}

/**
 * An overlay's upper directory as a layer: 0/0 character devices become `.wh.` files, opaque directories get
 * `.wh..wh..opq`, names of one inode become hard links, sockets are left out (they mean nothing without their process).
 * The same tree always gives the same bytes.
 *
 * Throws `unsupported` for what a layer cannot say: names that begin with ".wh.", and directories or files of which overlayfs
 * keeps only a reference (redirect_dir, metacopy), which an upper directory of ours never has.
 */
export async function* diffToTar(tree: TreeWalker, options: DiffOptions = {}): AsyncGenerator<Uint8Array> {
  const prefix = `${options.overlayXattrs ?? "trusted"}.overlay.`;
  const keep = options.xattrs ?? xattrPolicy;
  const first = new Map<string, ByteString>();
  for await (const file of tree.walk()) {
    const slash = file.path.lastIndexOf("/") + 1;
    const name = file.path.slice(slash);
    if (name.startsWith(".wh.")) throw refused(file, `names that begin with ".wh." mean removed files in a layer`);
    if (file.type === "socket" || (file.path === "" && options.root !== true && file.xattrs.get(opaqueOf(prefix)) !== "y")) continue;
    if (file.type === "char" && file.major === 0 && file.minor === 0) {
      yield tarHeader(marker(`${file.path.slice(0, slash)}.wh.${name}`));
      continue;
    }
    if (file.xattrs.has(`${prefix}redirect` as ByteString) || file.xattrs.has(`${prefix}metacopy` as ByteString)) { // brand: plus ASCII
      throw refused(file, "its content lies in another layer");
    }
    const linked = file.inode === undefined ? undefined : first.get(file.inode);
    if (linked !== undefined) {
      yield tarHeader({ ...describe(file, keep), type: "link", linkname: linked, size: 0 });
      continue;
    }
    if (file.inode !== undefined) first.set(file.inode, file.path);
    if (file.path !== "" || options.root === true) yield tarHeader(describe(file, keep));
    if (file.type === "file") yield* content(file);
    if (file.type === "directory" && file.xattrs.get(opaqueOf(prefix)) === "y") {
      yield tarHeader(marker(file.path === "" ? ".wh..wh..opq" : `${file.path}/.wh..wh..opq`));
    }
  }
  yield tarTrailer();
}

function opaqueOf(prefix: string): ByteString {
  return `${prefix}opaque` as ByteString; // brand: ASCII
}

function describe(file: TreeEntry, keep: XattrPolicy): TarEntry {
  const { mode, uid, gid, size, mtimeSec, mtimeNsec, major, minor } = file;
  const xattrs = new Map([...file.xattrs].filter(([name]) => keep(name)));
  return emptyTarEntry({
    name: file.path === "" ? ("./" as ByteString) : file.path, // brand: ASCII
    type: file.type === "socket" ? "unknown" : file.type,
    ...{ mode, uid, gid, size, mtimeSec, mtimeNsec, major, minor },
    linkname: file.target,
    xattrs: xattrs.size === 0 ? undefined : xattrs,
  });
}

/** An empty file whose name is what matters. */
function marker(name: string): TarEntry {
  return emptyTarEntry({ name: name as ByteString, mode: 0 }); // brand: of byte strings and ASCII
}

async function* content(file: TreeEntry): AsyncGenerator<Uint8Array> {
  let read = 0;
  for await (const chunk of file.open()) {
    read += chunk.length;
    if (read > file.size) break;
    yield chunk;
  }
  // The header has said the size: any other number of bytes would make the rest of the archive unreadable.
  if (read !== file.size) throw new SampanError("conflict", `Cannot archive file "${fromBytes(file.path)}": it changed while it was read`);
  yield tarPadding(file.size);
}

function refused(file: TreeEntry, reason: string): SampanError {
  return new SampanError("unsupported", `Cannot archive file "${fromBytes(file.path)}": ${reason}`);
}

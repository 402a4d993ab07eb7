import { emptyTarEntry, tarHeader, tarPadding, tarTrailer } from "../../storage/tar/index.ts";
import type { ByteString, TarEntry } from "../../storage/tar/index.ts";
import type { TreeEntry } from "../../storage/layers/index.ts";
import { xattrPolicy } from "../../storage/layers/index.ts";

/** A file of a tree as a member of an archive under another name; undefined for a socket, which means nothing elsewhere. */
export function entryHeader(file: TreeEntry, name: ByteString): TarEntry | undefined {
  if (file.type === "socket") return undefined;
  const xattrs = new Map([...file.xattrs].filter(([key]) => xattrPolicy(key)));
  const { mode, uid, gid, size, mtimeSec, mtimeNsec, major, minor, type } = file;
  return emptyTarEntry({ name, type, mode, uid, gid, size, mtimeSec, mtimeNsec, major, minor, linkname: file.target, xattrs: xattrs.size === 0 ? undefined : xattrs });
}

/** A tree as a tar archive, hard links kept. `rename` gives a member's name; undefined leaves the file out. */
export async function* treeToTar(entries: AsyncIterable<TreeEntry>, rename: (path: ByteString) => ByteString | undefined): AsyncGenerator<Uint8Array> {
  const first = new Map<string, ByteString>();
  for await (const file of entries) {
    const name = rename(file.path);
    if (name === undefined) continue;
    const entry = entryHeader(file, name);
    if (!entry) continue;
    const linked = file.inode === undefined ? undefined : first.get(file.inode);
    if (linked !== undefined) {
      yield tarHeader({ ...entry, type: "link", linkname: linked, size: 0 });
      continue;
    }
    if (file.inode !== undefined) first.set(file.inode, name);
    yield tarHeader(entry);
    if (entry.type !== "file") continue;
    yield* file.open();
    const padding = tarPadding(entry.size);
    if (padding.length > 0) yield padding;
  }
  yield tarTrailer();
}

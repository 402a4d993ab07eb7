import { errnoOf } from "../../base/errors.ts";
import { emptyTarEntry, tarHeader, tarPadding, tarTrailer } from "../../storage/tar/index.ts";
import type { ByteString, TarEntry } from "../../storage/tar/index.ts";
import type { TreeEntry } from "../../storage/layers/index.ts";
import { xattrPolicy } from "../../storage/layers/index.ts";

/** A file of a tree as a member of an archive under another name; undefined for a socket, which means nothing elsewhere. */
export function entryHeader(file: TreeEntry, name: ByteString): TarEntry | undefined {
  if (file.type === "socket") return undefined;
  const xattrs = new Map([...file.xattrs].filter(([key]) => xattrPolicy(key)));
  const { mode, uid, gid, size, mtimeSec, mtimeNsec, major, minor, type } = file;
  return emptyTarEntry({
    name, type, mode, uid, gid, size, mtimeSec, mtimeNsec, major, minor, linkname: file.target,
    xattrs: xattrs.size === 0 ? undefined : xattrs,
  });
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
    if (entry.type !== "file") yield tarHeader(entry);
    else if (!(yield* fileMember(file, entry))) continue;
    if (file.inode !== undefined) first.set(file.inode, name);
  }
  yield tarTrailer();
}

/** Header, content and padding; false if the file has vanished, which is known before its header is written. */
async function* fileMember(file: TreeEntry, entry: TarEntry): AsyncGenerator<Uint8Array, boolean> {
  const pieces = file.open()[Symbol.asyncIterator]();
  try {
    let piece = await firstOf(pieces);
    if (piece === undefined) return false;
    yield tarHeader(entry);
    for (; piece.done !== true; piece = await pieces.next()) yield piece.value;
  } finally {
    await pieces.return?.();
  }
  const padding = tarPadding(entry.size);
  if (padding.length > 0) yield padding;
  return true;
}

async function firstOf(pieces: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array> | undefined> {
  try {
    return await pieces.next();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

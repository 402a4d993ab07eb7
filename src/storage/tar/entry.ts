import type { ByteString } from "./bytes.ts";

export type EntryType = "file" | "directory" | "symlink" | "link" | "char" | "block" | "fifo" | "unknown";

/** One member of an archive. Numbers are integers in the safe range; times are since the Unix epoch. */
export interface TarEntry {
  type: EntryType;
  /** The type flag as it stands in the header ("0", "5", "V", …): for the message about an unknown one. */
  typeflag: string;
  /** As written in the archive: may be absolute, hold "..", or end in "/". Never holds NUL. */
  name: ByteString;
  /** Target of a symlink, or the member that a hard link repeats; "" otherwise. */
  linkname: ByteString;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  mode: number;
  uid: number;
  gid: number;
  uname: ByteString;
  gname: ByteString;
  /** Size of the file once written, holes included. 0 for all but files and unknown types. */
  size: number;
  mtimeSec: number;
  /** 0 to 999,999,999; counts forward also before the epoch, as in timespec. */
  mtimeNsec: number;
  /** Device numbers of "char" and "block". */
  major: number;
  minor: number;
  /** From SCHILY.xattr records, in the archive's order; undefined when there are none. */
  xattrs: Map<ByteString, ByteString> | undefined;
  /** The data comes in pieces with holes between them (and perhaps one at the end). */
  sparse: boolean;
}

/**
 * What a reader calls, in this order for every member: `entry`, any number of `data`, `done`.
 * A chunk is a view of what was given to `write`: copy it if that buffer is to be used again.
 * An error thrown here stops the reader and leaves through `write`.
 */
export interface TarHandler {
  entry(entry: TarEntry): void;
  /** `offset` is the position in the file, ascending without overlap. */
  data(chunk: Uint8Array, offset: number): void;
  done(): void;
}

/** A regular, empty, root-owned file of mode 0644 with the given fields replaced. */
export function emptyTarEntry(fields: Partial<TarEntry> & { name: ByteString }): TarEntry {
  return {
    type: "file",
    typeflag: "0",
    linkname: "" as ByteString, // brand: no bytes at all
    mode: 0o644,
    uid: 0,
    gid: 0,
    uname: "" as ByteString, // brand: as above
    gname: "" as ByteString, // brand: as above
    size: 0,
    mtimeSec: 0,
    mtimeNsec: 0,
    major: 0,
    minor: 0,
    xattrs: undefined,
    sparse: false,
    ...fields,
  };
}

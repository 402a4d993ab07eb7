import { sliceBytes, type ByteString } from "./bytes.ts";
import { tarError } from "./errors.ts";
import { parseDecimal, parsePaxTime } from "./numbers.ts";
import { checkSparse, type SparseMap } from "./sparse.ts";

/** What extended headers say about the next member. Fields that they do not mention are undefined. */
export interface PaxFields {
  path?: ByteString;
  linkpath?: ByteString;
  uname?: ByteString;
  gname?: ByteString;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: { sec: number; nsec: number };
  xattrs?: Map<ByteString, ByteString>;
  sparse?: PaxSparse;
}

/** GNU.sparse.*: versions 0.0 and 0.1 bring the map along, 1.0 keeps it at the head of the data. */
export interface PaxSparse {
  major: number;
  minor: number;
  name?: ByteString;
  realSize?: number;
  map?: number[];
}

const XATTR = "SCHILY.xattr.";

/**
 * Reads the records of one extended header into `fields` (POSIX pax, "pax Extended Header"):
 * `"%d %s=%s\n", length, key, value`, where the length counts itself. An empty value takes a record back.
 */
export function parsePax(block: Buffer, fields: PaxFields): void {
  let at = 0;
  while (at < block.length) {
    let length = 0;
    let digits = at;
    for (; digits < block.length; digits++) {
      const digit = (block[digits] ?? 0) - 0x30;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
      if (length > block.length) throw tarError("an extended header record is longer than its header");
    }
    const end = at + length;
    if (digits === at || block[digits] !== 0x20 || end > block.length || end <= digits + 1 || block[end - 1] !== 0x0a) {
      throw tarError("an extended header record is malformed");
    }
    const equals = block.indexOf(0x3d, digits + 1);
    if (equals <= digits + 1 || equals >= end - 1) throw tarError("an extended header record has no key");
    applyRecord(fields, sliceBytes(block, digits + 1, equals), sliceBytes(block, equals + 1, end - 1));
    at = end;
  }
}

function applyRecord(fields: PaxFields, key: ByteString, value: ByteString): void {
  switch (key) {
    case "path":
      return setName(fields, "path", value);
    case "linkpath":
      return setName(fields, "linkpath", value);
    case "uname":
      return setName(fields, "uname", value);
    case "gname":
      return setName(fields, "gname", value);
    case "size":
      if (value === "") delete fields.size;
      else fields.size = parseDecimal(value, "size");
      return;
    case "uid":
      if (value === "") delete fields.uid;
      else fields.uid = parseDecimal(value, "uid");
      return;
    case "gid":
      if (value === "") delete fields.gid;
      else fields.gid = parseDecimal(value, "gid");
      return;
    case "mtime":
      if (value === "") delete fields.mtime;
      else fields.mtime = parsePaxTime(value);
      return;
    default:
      if (key.startsWith(XATTR)) return setXattr(fields, key.slice(XATTR.length), value);
      if (key.startsWith("GNU.sparse.")) return applySparse(fields, key.slice(11), value);
    // Everything else (atime, ctime, comment, vendors' keys) has no place in a TarEntry.
  }
}

function setName(fields: PaxFields, key: "path" | "linkpath" | "uname" | "gname", value: ByteString): void {
  // A NUL would make the name that the kernel sees another one than the name that was checked.
  if (value.includes("\0")) throw tarError(`the ${key} of an extended header holds a NUL byte`);
  if (value === "") delete fields[key];
  else fields[key] = value;
}

function setXattr(fields: PaxFields, name: string, value: ByteString): void {
  if (name === "" || name.includes("\0")) throw tarError("an extended attribute has no usable name");
  fields.xattrs ??= new Map();
  fields.xattrs.set(name as ByteString, value); // brand: a slice of a byte string
}

function applySparse(fields: PaxFields, key: string, value: ByteString): void {
  const sparse = (fields.sparse ??= { major: 0, minor: 0 });
  switch (key) {
    case "major":
      sparse.major = parseDecimal(value, "GNU.sparse.major");
      return;
    case "minor":
      sparse.minor = parseDecimal(value, "GNU.sparse.minor");
      return;
    case "name":
      if (value.includes("\0")) throw tarError("the name of a sparse file holds a NUL byte");
      sparse.name = value;
      return;
    case "size":
    case "realsize":
      sparse.realSize = parseDecimal(value, `GNU.sparse.${key}`);
      return;
    case "offset":
    case "numbytes":
      (sparse.map ??= []).push(parseDecimal(value, `GNU.sparse.${key}`));
      return;
    case "map":
      sparse.map = value === "" ? [] : value.split(",").map((number) => parseDecimal(number, "GNU.sparse.map"));
      return;
    default:
    // numblocks repeats what the map's length says.
  }
}

/** The map that the records hold, or undefined when it stands at the head of the data (1.0). */
export function paxSparseMap(sparse: PaxSparse, storedBytes: number): { realSize: number; map: SparseMap | undefined } {
  const { major, minor, realSize } = sparse;
  if (realSize === undefined) throw tarError("a sparse file does not say its size");
  if (major === 1 && minor === 0) return { realSize, map: undefined };
  if (major !== 0 || minor > 1) throw tarError(`sparse format ${major}.${minor} is not known`);
  const map = sparse.map ?? [];
  checkSparse(map, realSize, storedBytes);
  return { realSize, map };
}

import { cString, type ByteString } from "./bytes.ts";
import type { EntryType, TarEntry } from "./entry.ts";
import { tarError } from "./errors.ts";
import { parseNumber } from "./numbers.ts";

export const BLOCK = 512;

const CHECKSUM_AT = 148;
const CHECKSUM_LENGTH = 8;

/** Sum of a header's bytes with the checksum field as spaces; 0 for a block of zeros (which has no header). */
export function isZeroBlock(block: Uint8Array): boolean {
  for (let at = 0; at < BLOCK; at++) if (block[at] !== 0) return false;
  return true;
}

/** Throws unless the checksum holds, as unsigned or (old Sun and BSD tars) as signed bytes. */
export function checkHeader(block: Uint8Array, offset: number): void {
  let sum = CHECKSUM_LENGTH * 0x20;
  for (let at = 0; at < CHECKSUM_AT; at++) sum += block[at] ?? 0;
  for (let at = CHECKSUM_AT + CHECKSUM_LENGTH; at < BLOCK; at++) sum += block[at] ?? 0;
  let told: number;
  try {
    told = parseNumber(block, CHECKSUM_AT, CHECKSUM_LENGTH, "checksum");
  } catch {
    throw tarError("this is not a tar header", offset);
  }
  if (told === sum) return;
  let high = 0;
  for (let at = 0; at < BLOCK; at++) {
    if ((at < CHECKSUM_AT || at >= CHECKSUM_AT + CHECKSUM_LENGTH) && (block[at] ?? 0) >= 0x80) high++;
  }
  if (told !== sum - high * 256) throw tarError("a header's checksum does not match", offset);
}

const TYPES: Readonly<Record<string, EntryType>> = {
  "0": "file",
  "\0": "file",
  // POSIX: "contiguous file", to be treated as a regular one where there is no such thing.
  "7": "file",
  // Old GNU sparse file.
  S: "file",
  "1": "link",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

/** The header's own fields, before any extended header is applied. `size` is the stored size of any type. */
export function parseHeader(block: Buffer): TarEntry {
  const typeflag = String.fromCharCode(block[156] ?? 0);
  const type = TYPES[typeflag] ?? "unknown";
  const device = type === "char" || type === "block";
  const ustar = isUstar(block);
  return {
    type,
    typeflag,
    name: ustar || hasMistakenPrefix(block) ? ustarName(block) : cString(block, 0, 100),
    linkname: cString(block, 157, 100),
    // The upper bits repeat the file type in old archives.
    mode: parseNumber(block, 100, 8, "mode") & 0o7777,
    uid: parseNumber(block, 108, 8, "uid"),
    gid: parseNumber(block, 116, 8, "gid"),
    uname: cString(block, 265, 32),
    gname: cString(block, 297, 32),
    size: parseNumber(block, 124, 12, "size"),
    mtimeSec: parseNumber(block, 136, 12, "mtime"),
    mtimeNsec: 0,
    major: device ? parseNumber(block, 329, 8, "device") : 0,
    minor: device ? parseNumber(block, 337, 8, "device") : 0,
    xattrs: undefined,
    sparse: false,
  };
}

/** "ustar\0": POSIX. GNU writes "ustar " and keeps times where POSIX has the prefix. */
function isUstar(block: Uint8Array): boolean {
  return (
    block[257] === 0x75 && block[258] === 0x73 && block[259] === 0x74 && block[260] === 0x61 && block[261] === 0x72 && block[262] === 0
  );
}

/**
 * Go before 1.8, and so Docker before 1.13, wrote POSIX's prefix into GNU headers, over the times of access and change. Such images are
 * still pulled; Go's archive/tar tells them as this does: a prefix is no number.
 */
function hasMistakenPrefix(block: Buffer): boolean {
  if (block.toString("latin1", 257, 265) !== "ustar  \0" || block[345] === 0) return false;
  try {
    parseNumber(block, 345, 12, "access time");
    if (block[357] !== 0) parseNumber(block, 357, 12, "change time");
    return false;
  } catch {
    return cString(block, 345, 155).split("").every((byte) => byte < "\x80");
  }
}

function ustarName(block: Buffer): ByteString {
  const name = cString(block, 0, 100);
  if (block[345] === 0) return name;
  return `${cString(block, 345, isStar(block) ? 131 : 155)}/${name}` as ByteString; // brand: two byte strings and ASCII
}

/** star's variant of ustar: "tar\0" at the block's end, and times in the prefix's last 24 bytes. */
function isStar(block: Uint8Array): boolean {
  return block[508] === 0x74 && block[509] === 0x61 && block[510] === 0x72 && block[511] === 0;
}

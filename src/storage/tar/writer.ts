import { sliceBytes, type ByteString } from "./bytes.ts";
import type { EntryType, TarEntry } from "./entry.ts";
import { BLOCK } from "./header.ts";
import { fitsOctal, formatPaxTime, writeOctal } from "./numbers.ts";
import { SampanError } from "../../base/index.ts";

const TYPEFLAGS: Readonly<Record<Exclude<EntryType, "unknown">, string>> = {
  file: "0",
  link: "1",
  symlink: "2",
  char: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/**
 * The header blocks of one member: plain ustar where it can say everything, a PAX header before it where not.
 * The same entry always gives the same bytes: PAX records are sorted by key and their header has no time or owner.
 * The entry's data follows, then `tarPadding(size)`. Holes are not kept: `sparse` is ignored.
 */
export function tarHeader(entry: TarEntry): Uint8Array {
  if (entry.type === "unknown") {
    throw new SampanError("invalid", `Cannot write tar member "${entry.name}": type "${entry.typeflag}" is not known`);
  }
  const size = entry.type === "file" ? entry.size : 0;
  const name = entry.type === "directory" && !entry.name.endsWith("/") ? (`${entry.name}/` as ByteString) : entry.name; // brand: plus ASCII
  const records = new Map<string, string>();
  const split = splitName(name);
  if (split === undefined) records.set("path", name);
  if (entry.linkname.length > 100 || !isAscii(entry.linkname)) records.set("linkpath", entry.linkname);
  if (!fitsOctal(size, 12)) records.set("size", String(size));
  if (!fitsOctal(entry.uid, 8)) records.set("uid", String(entry.uid));
  if (!fitsOctal(entry.gid, 8)) records.set("gid", String(entry.gid));
  if (entry.mtimeNsec !== 0 || !fitsOctal(entry.mtimeSec, 12)) records.set("mtime", formatPaxTime(entry.mtimeSec, entry.mtimeNsec));
  if (entry.uname.length > 31 || !isAscii(entry.uname)) records.set("uname", entry.uname);
  if (entry.gname.length > 31 || !isAscii(entry.gname)) records.set("gname", entry.gname);
  for (const [key, value] of entry.xattrs ?? []) {
    // "=" ends a key: such a name (which Linux allows) cannot be written down in PAX.
    if (key.includes("=")) throw new SampanError("invalid", `Cannot write tar member "${entry.name}": attribute "${key}" has "=" in its name`);
    records.set(`SCHILY.xattr.${key}`, value);
  }

  const header = ustarBlock({
    typeflag: TYPEFLAGS[entry.type],
    // What a reader without PAX would see; readers with it never look.
    name: split?.name ?? cut(name),
    prefix: split?.prefix ?? "",
    linkname: cut(entry.linkname),
    mode: entry.mode,
    uid: clamp(entry.uid, 8),
    gid: clamp(entry.gid, 8),
    size: clamp(size, 12),
    mtime: clamp(entry.mtimeSec, 12),
    uname: entry.uname.slice(0, 31),
    gname: entry.gname.slice(0, 31),
    major: entry.major,
    minor: entry.minor,
  });
  if (records.size === 0) return header;
  return Buffer.concat([paxHeader(name, records), header]);
}

/** Zeros from the end of a member's data to the next block. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The end marker: two blocks of zeros. */
export function tarTrailer(): Uint8Array {
  return new Uint8Array(2 * BLOCK);
}

function paxHeader(name: string, records: Map<string, string>): Buffer {
  const body = [...records.keys()].sort().map((key) => paxRecord(key, records.get(key) ?? "")).join("");
  const base = name.replace(/\/+$/, "").split("/").pop() ?? "";
  const header = ustarBlock({
    typeflag: "x",
    name: `PaxHeaders.0/${cut(base)}`.slice(0, 100),
    prefix: "",
    linkname: "",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: body.length,
    mtime: 0,
    uname: "",
    gname: "",
    major: 0,
    minor: 0,
  });
  return Buffer.concat([header, Buffer.from(body, "latin1"), tarPadding(body.length)]);
}

/** The record's length counts its own digits, so adding one digit may need another. */
function paxRecord(key: string, value: string): string {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

interface UstarFields {
  typeflag: string;
  name: string;
  prefix: string;
  linkname: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  uname: string;
  gname: string;
  major: number;
  minor: number;
}

function ustarBlock(fields: UstarFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(fields.name, 0, 100, "latin1");
  writeOctal(block, 100, 8, fields.mode & 0o7777);
  writeOctal(block, 108, 8, fields.uid);
  writeOctal(block, 116, 8, fields.gid);
  writeOctal(block, 124, 12, fields.size);
  writeOctal(block, 136, 12, fields.mtime);
  block.write(fields.typeflag, 156, 1, "latin1");
  block.write(fields.linkname, 157, 100, "latin1");
  block.write("ustar\u000000", 257, 8, "latin1");
  block.write(fields.uname, 265, 32, "latin1");
  block.write(fields.gname, 297, 32, "latin1");
  writeOctal(block, 329, 8, fields.major);
  writeOctal(block, 337, 8, fields.minor);
  block.write(fields.prefix, 345, 155, "latin1");
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8, "latin1");
  return block;
}

/** Name and prefix such that `prefix + "/" + name` is the whole, or undefined when PAX must say it. */
function splitName(name: string): { name: string; prefix: string } | undefined {
  if (!isAscii(name) || name.length > 256) return undefined;
  if (name.length <= 100) return { name, prefix: "" };
  // The last slash that leaves at most 155 bytes before it; what follows must be neither empty nor too long.
  const slash = name.lastIndexOf("/", Math.min(155, name.length - 2));
  if (slash <= 0 || name.length - slash - 1 > 100) return undefined;
  return { name: name.slice(slash + 1), prefix: name.slice(0, slash) };
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

function cut(text: string): string {
  return isAscii(text) ? text.slice(0, 100) : sliceBytes(Buffer.from(text.replace(/[^\x20-\x7e]/g, "_"), "latin1"), 0, Math.min(100, text.length));
}

function clamp(value: number, length: number): number {
  return fitsOctal(value, length) ? value : 0;
}

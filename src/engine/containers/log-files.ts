import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { errnoOf } from "../../base/errors.ts";

/**
 * A container's log on disk, as its monitor writes it (native/keel/monitor.c): `log` is the current file, `log.1` the one
 * before, and so on. A record is one line, "TIME stream F|P content": the content never holds a newline, and F says that
 * one followed it. TIME has 30 characters and every stream's name 6, so that all else is at fixed places.
 */
const FLAG_AT = 38;
const CONTENT_AT = 40;
const CHUNK = 256 * 1024;
const NEWLINE = 0x0a;
const WHOLE = 0x46; // "F"
/** More files than any log has: `--log-opt max-file` is bounded by what keel can name. */
const MOST_FILES = 1000;

export interface LogLine {
  readonly stream: "stdout" | "stderr" | "system";
  readonly time: string;
  /** With its newline, if it is a whole line. */
  readonly data: Uint8Array;
}

interface OpenFile {
  readonly fd: number;
  readonly inode: number;
  /** Of the next byte to read. */
  offset: number;
}

/**
 * The files of one log, oldest first, held open: what is rotated away while it is being read is read all the same.
 * `read` gives what is there and has to be called often enough when following, as only then it sees new files.
 */
export class LogFiles implements Disposable {
  readonly #path: string;
  #files: OpenFile[] = [];
  #newest = -1;
  #rest: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.#path = path;
    this.#discover();
  }

  /** Records that are there and were not read yet, in batches; a record that is still being written comes later. */
  *read(): Generator<readonly LogLine[]> {
    for (;;) {
      this.#discover();
      const [file] = this.#files;
      if (!file) return;
      const chunk = this.#chunkOf(file);
      if (chunk) {
        const batch = parseRecords(chunk.bytes);
        this.#rest = chunk.bytes.subarray(batch.used);
        if (batch.lines.length > 0) yield batch.lines;
        continue;
      }
      if (this.#files.length === 1) return; // the current one: more may come
      closeSync(file.fd);
      this.#files.shift();
      this.#rest = Buffer.alloc(0);
    }
  }

  /** Skips all but the last `count` lines, reading backwards no further than it has to. Before the first `read`. */
  seekTail(count: number): void {
    let left = count;
    for (let i = this.#files.length - 1; i >= 0; i--) {
      const file = this.#files[i];
      if (!file) break;
      const found = findTail(file.fd, left, i === this.#files.length - 1);
      file.offset = found.offset;
      left -= found.lines;
      if (left > 0) continue;
      for (const older of this.#files.splice(0, i)) closeSync(older.fd);
      return;
    }
  }

  /** Skips files that were last written before this time. */
  skipBefore(timeMs: number): void {
    while (this.#files.length > 1 && fstatSync(this.#files[0]?.fd ?? -1).mtimeMs < timeMs) closeSync(this.#files.shift()?.fd ?? -1);
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#files) closeSync(fd);
    this.#files = [];
  }

  /** What was left of the last chunk and what follows it; undefined at the end. */
  #chunkOf(file: OpenFile): { bytes: Buffer } | undefined {
    const rest = this.#rest;
    const buffer = Buffer.allocUnsafe(rest.length + CHUNK);
    const read = readSync(file.fd, buffer, rest.length, CHUNK, file.offset);
    if (read > 0) {
      rest.copy(buffer);
      file.offset += read;
      return { bytes: buffer.subarray(0, rest.length + read) };
    }
    const { size } = fstatSync(file.fd);
    if (size < file.offset) { // a write that failed for want of space was taken back
      file.offset = size;
      this.#rest = Buffer.alloc(0);
    }
    return undefined;
  }

  /** Opens files that have come since. Retried while a rotation is going on, so that none is missed and none taken twice. */
  #discover(): void {
    if (this.#newest >= 0 && inodeAt(this.#path) === this.#newest) return;
    for (let attempt = 0; attempt < 100; attempt++) {
      const found = this.#newer();
      if (!found) continue;
      this.#files.push(...found);
      this.#newest = this.#files.at(-1)?.inode ?? -1;
      return;
    }
  }

  /** The files after the newest that is known, oldest first; undefined if names changed while they were opened. */
  #newer(): OpenFile[] | undefined {
    const found: OpenFile[] = [];
    let stable = true;
    for (let n = 0; n < MOST_FILES; n++) {
      const name = n === 0 ? this.#path : `${this.#path}.${n}`;
      const file = openFile(name);
      if (!file) break;
      if (file.inode === this.#newest) {
        closeSync(file.fd);
        break;
      }
      found.unshift(file);
    }
    found.forEach(({ inode }, i) => {
      const n = found.length - 1 - i;
      if (inodeAt(n === 0 ? this.#path : `${this.#path}.${n}`) !== inode) stable = false;
    });
    if (stable && (found.length > 0 || inodeAt(this.#path) === undefined || inodeAt(this.#path) === this.#newest)) return found;
    for (const { fd } of found) closeSync(fd);
    return undefined;
  }
}

function inodeAt(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function openFile(path: string): OpenFile | undefined {
  try {
    const fd = openSync(path, "r");
    return { fd, inode: fstatSync(fd).ino, offset: 0 };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The whole records at the start of `bytes`, and how many bytes they take. Lines that are no records are left out. */
export function parseRecords(bytes: Buffer): { readonly lines: LogLine[]; readonly used: number } {
  const lines: LogLine[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf(NEWLINE, at);
    if (end < 0) return { lines, used: at };
    if (end - at >= CONTENT_AT) {
      const name = bytes[at + 34]; // the fourth letter tells them apart: stdOut, stdErr, sysTem
      const stream = name === 0x6f ? "stdout" : name === 0x65 ? "stderr" : "system";
      const whole = bytes[at + FLAG_AT] === WHOLE;
      // The newline that ends the record is the one that ended the line.
      lines.push({ stream, time: bytes.toString("latin1", at, at + 30), data: bytes.subarray(at + CONTENT_AT, whole ? end + 1 : end) });
    }
    at = end + 1;
  }
}

/**
 * Where the last `count` lines of a file begin, and how many there are, if fewer. Pieces of a line count with its end; the
 * end of the newest file is one, as there is nothing after it.
 */
function findTail(fd: number, count: number, newest: boolean): { offset: number; lines: number } {
  const { size } = fstatSync(fd);
  if (count <= 0) return { offset: size, lines: 0 };
  let known: Buffer = Buffer.alloc(0);
  let start = size;
  while (start > 0) {
    const length = Math.min(CHUNK, start);
    start -= length;
    const buffer = Buffer.allocUnsafe(length + known.length);
    readSync(fd, buffer, 0, length, start);
    known.copy(buffer, length);
    // From the last record to the first whose beginning is in the buffer.
    let lines = 0;
    let end = buffer.lastIndexOf(NEWLINE);
    let last = newest;
    while (end >= 0) {
      const before = end === 0 ? -1 : buffer.lastIndexOf(NEWLINE, end - 1);
      if (before < 0 && start > 0) break;
      const ends = buffer[before + 1 + FLAG_AT] === WHOLE || last;
      if (ends && lines === count) return { offset: start + end + 1, lines };
      if (ends) lines++;
      last = false;
      end = before;
    }
    if (start === 0) return { offset: 0, lines };
    known = buffer;
  }
  return { offset: 0, lines: 0 };
}

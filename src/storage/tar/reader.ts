import { cString, type ByteString } from "./bytes.ts";
import type { TarEntry, TarHandler } from "./entry.ts";
import { tarError } from "./errors.ts";
import { BLOCK, checkHeader, isZeroBlock, parseHeader } from "./header.ts";
import { parseNumber } from "./numbers.ts";
import { parsePax, paxSparseMap, type PaxFields } from "./pax.ts";
import { checkSparse, readOldGnuPieces, SparseMapParser, type SparseMap } from "./sparse.ts";

export interface TarReaderOptions {
  /** Most bytes of one extended header, long name or sparse map. Default 1 MiB, as Go's archive/tar. */
  readonly maxMetadataBytes?: number;
}

/** What the next bytes are. */
type State = "header" | "data" | "padding" | "metadata" | "old-sparse" | "sparse-map" | "end";

const HIGHEST_ID = 0xffff_fffe; // (uid_t)-1 means "leave as it is" to chown(2)
const EMPTY = Buffer.alloc(0);

/**
 * A push parser: `write` each chunk as it comes, then `end`. Calls the handler synchronously; whoever needs
 * backpressure waits between two writes. File content is passed on as views of the chunks, never copied.
 *
 * Errors (`invalid`, code EBADTAR) leave through `write` and `end`; after one the reader must not be used again.
 *
 * Where formats disagree it reads as Go's archive/tar does, since that is what other engines unpack layers with;
 * except that records of global headers are applied, as POSIX says, and may not name, size or mark a file.
 */
export class TarReader {
  readonly #handler: TarHandler;
  readonly #maxMetadata: number;
  #state: State = "header";
  /** Bytes of the archive before the current chunk: for messages. */
  #consumed = 0;
  /** A block that straddles chunks. */
  readonly #partial = Buffer.alloc(BLOCK);
  #partialLength = 0;

  #entry: TarEntry | undefined;
  /** Stored bytes still to come, and the padding after them. */
  #remaining = 0;
  #padding = 0;
  /** Offset in the file (or in the current piece of a sparse one) of the next stored byte. */
  #offset = 0;
  /** Where in the archive the current block ends. */
  #blockEnd = 0;
  #map: SparseMap | undefined;
  #piece = 0;
  #oldSparse: number[] = [];
  #mapParser: SparseMapParser | undefined;

  #metadataType = "";
  #metadata: Buffer = EMPTY;
  #metadataLength = 0;
  #global: PaxFields = {};
  #pax: PaxFields | undefined;
  #longName: ByteString | undefined;
  #longLink: ByteString | undefined;
  #zeroBlocks = 0;

  constructor(handler: TarHandler, options: TarReaderOptions = {}) {
    this.#handler = handler;
    this.#maxMetadata = options.maxMetadataBytes ?? 1 << 20;
  }

  write(bytes: Uint8Array): void {
    const chunk = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    while (at < chunk.length) at = this.#step(chunk, at);
    this.#consumed += chunk.length;
  }

  /** The archive's bytes are over. The end marker may be missing (Go's archive/tar allows that too), nothing else. */
  end(): void {
    const whole = (this.#state === "header" && this.#partialLength === 0) || this.#state === "end";
    if (!whole) throw tarError("it ends in the middle of a member", this.#consumed);
    if (this.#pax !== undefined || this.#longName !== undefined || this.#longLink !== undefined) {
      throw tarError("it ends after an extended header", this.#consumed);
    }
    this.#state = "end";
  }

  /** Takes what it can of `chunk` from `at` on; returns where it stopped. */
  #step(chunk: Buffer, at: number): number {
    switch (this.#state) {
      case "data":
        return this.#takeData(chunk, at);
      case "padding": {
        const length = Math.min(this.#padding, chunk.length - at);
        this.#padding -= length;
        if (this.#padding === 0) this.#state = "header";
        return at + length;
      }
      case "metadata": {
        const length = Math.min(this.#remaining, chunk.length - at);
        chunk.copy(this.#metadata, this.#metadataLength, at, at + length);
        this.#metadataLength += length;
        this.#remaining -= length;
        if (this.#remaining === 0) this.#endMetadata();
        return at + length;
      }
      case "end":
        // Padding to a record, or rubbish: tar stops at its end marker.
        return chunk.length;
      default:
        return this.#takeBlock(chunk, at);
    }
  }

  #takeBlock(chunk: Buffer, at: number): number {
    if (this.#partialLength === 0 && chunk.length - at >= BLOCK) {
      this.#block(chunk.subarray(at, at + BLOCK), this.#consumed + at);
      return at + BLOCK;
    }
    const length = Math.min(BLOCK - this.#partialLength, chunk.length - at);
    chunk.copy(this.#partial, this.#partialLength, at, at + length);
    this.#partialLength += length;
    if (this.#partialLength === BLOCK) {
      this.#partialLength = 0;
      this.#block(this.#partial, this.#consumed + at + length - BLOCK);
    }
    return at + length;
  }

  /** Where in the archive the data of the entry being announced begins. For use inside the handler's `entry`. */
  get dataStart(): number {
    return this.#blockEnd;
  }

  /** How many bytes of the current member's data were not written yet. */
  get remainingData(): number {
    return this.#state === "data" && this.#map === undefined ? this.#remaining : 0;
  }

  /** As `write` of that many data bytes that nobody looks at: for archives in a file, where one can seek. */
  skipData(length: number): void {
    if (length <= 0 || length > this.remainingData) return;
    this.#consumed += length;
    this.#offset += length;
    this.#remaining -= length;
    if (this.#remaining === 0) this.#endData();
  }

  #block(block: Buffer, offset: number): void {
    this.#blockEnd = offset + BLOCK;
    if (this.#state === "old-sparse") return this.#oldSparseBlock(block);
    if (this.#state === "sparse-map") return this.#sparseMapBlock(block);
    if (block[0] === 0 && isZeroBlock(block)) {
      if (++this.#zeroBlocks === 2) {
        this.#state = "end";
        if (this.#pax !== undefined || this.#longName !== undefined || this.#longLink !== undefined) {
          throw tarError("it ends after an extended header", offset);
        }
      }
      return;
    }
    if (this.#zeroBlocks !== 0) throw tarError("a header follows a block of zeros", offset);
    checkHeader(block, offset);
    const typeflag = block[156];
    // 'x' and 'g' are PAX, 'L' and 'K' GNU's long name and long link.
    if (typeflag === 0x78 || typeflag === 0x67 || typeflag === 0x4c || typeflag === 0x4b) this.#startMetadata(block, offset);
    else this.#startEntry(block, offset);
  }

  #startMetadata(block: Buffer, offset: number): void {
    const size = parseNumber(block, 124, 12, "size");
    if (size < 0 || size > this.#maxMetadata) throw tarError(`an extended header of ${size} bytes is too long`, offset);
    this.#metadataType = String.fromCharCode(block[156] ?? 0);
    this.#metadata = Buffer.allocUnsafe(size);
    this.#metadataLength = 0;
    this.#remaining = size;
    this.#padding = paddingOf(size);
    this.#state = "metadata";
    if (size === 0) this.#endMetadata();
  }

  #endMetadata(): void {
    const block = this.#metadata;
    this.#metadata = EMPTY;
    this.#state = this.#padding === 0 ? "header" : "padding";
    switch (this.#metadataType) {
      case "x":
        this.#pax = {};
        parsePax(block, this.#pax);
        return;
      case "g": {
        parsePax(block, this.#global);
        const { path, linkpath, size, sparse, xattrs } = this.#global;
        // Attributes for all would also pile up, header upon header.
        if (path !== undefined || linkpath !== undefined || size !== undefined || sparse !== undefined || xattrs !== undefined) {
          throw tarError("a global header says what belongs to a single member");
        }
        return;
      }
      case "L":
        this.#longName = cString(block, 0, block.length);
        return;
      default:
        this.#longLink = cString(block, 0, block.length);
    }
  }

  #startEntry(block: Buffer, offset: number): void {
    const entry = parseHeader(block);
    const pax = this.#pax;
    applyFields(entry, this.#global);
    if (pax !== undefined) applyFields(entry, pax);
    // An empty one says nothing, to GNU tar and Go alike.
    if (this.#longName !== undefined && this.#longName !== "") entry.name = this.#longName;
    if (this.#longLink !== undefined && this.#longLink !== "") entry.linkname = this.#longLink;
    this.#pax = this.#longName = this.#longLink = undefined;

    if (entry.typeflag === "\0" && entry.name.endsWith("/")) entry.type = "directory"; // as tar did before POSIX
    // Only files carry data; the size of a link, directory or device says nothing about the stream.
    const stored = entry.type === "file" || entry.type === "unknown" ? entry.size : 0;
    if (stored < 0) throw tarError("a size is negative", offset);
    if (entry.uid < 0 || entry.uid > HIGHEST_ID || entry.gid < 0 || entry.gid > HIGHEST_ID) {
      throw tarError("an owner is out of range", offset);
    }
    entry.size = stored;
    this.#entry = entry;
    this.#remaining = stored;
    this.#padding = paddingOf(stored);
    this.#offset = 0;
    this.#map = undefined;
    this.#piece = 0;

    if (entry.typeflag === "S") return this.#startOldSparse(block, entry);
    if (pax?.sparse !== undefined && entry.type === "file") return this.#startPaxSparse(pax, entry);
    this.#emit(entry);
  }

  #startOldSparse(block: Buffer, entry: TarEntry): void {
    const realSize = parseNumber(block, 483, 12, "real size");
    if (realSize < 0) throw tarError("a size is negative");
    entry.sparse = true;
    entry.size = realSize;
    this.#oldSparse = [];
    readOldGnuPieces(block, 386, 4, this.#oldSparse);
    if (block[482] !== 0) this.#state = "old-sparse";
    else this.#finishOldSparse(entry);
  }

  #oldSparseBlock(block: Buffer): void {
    readOldGnuPieces(block, 0, 21, this.#oldSparse);
    if (this.#oldSparse.length * 12 > this.#maxMetadata) throw tarError("a sparse map is too long");
    if (block[504] === 0 && this.#entry !== undefined) this.#finishOldSparse(this.#entry);
  }

  #finishOldSparse(entry: TarEntry): void {
    checkSparse(this.#oldSparse, entry.size, this.#remaining);
    this.#map = this.#oldSparse;
    this.#emit(entry);
  }

  #startPaxSparse(pax: PaxFields, entry: TarEntry): void {
    const sparse = pax.sparse;
    if (sparse === undefined) return;
    if (sparse.name !== undefined && sparse.name !== "") entry.name = sparse.name;
    const { realSize, map } = paxSparseMap(sparse, this.#remaining);
    entry.sparse = true;
    entry.size = realSize;
    this.#map = map;
    if (map !== undefined) return this.#emit(entry);
    this.#mapParser = new SparseMapParser(this.#maxMetadata);
    this.#state = "sparse-map";
    if (this.#remaining < BLOCK) throw tarError("a sparse file has no map");
  }

  #sparseMapBlock(block: Buffer): void {
    const parser = this.#mapParser;
    if (parser === undefined || this.#entry === undefined) return;
    if (this.#remaining < BLOCK) throw tarError("a sparse map is longer than its file");
    this.#remaining -= BLOCK;
    if (!parser.push(block)) return;
    checkSparse(parser.map, this.#entry.size, this.#remaining);
    this.#map = parser.map;
    this.#mapParser = undefined;
    this.#emit(this.#entry);
  }

  #emit(entry: TarEntry): void {
    this.#handler.entry(entry);
    this.#state = "data";
    if (this.#remaining === 0) this.#endData();
  }

  #takeData(chunk: Buffer, at: number): number {
    let length = Math.min(this.#remaining, chunk.length - at);
    let offset = this.#offset;
    if (this.#map !== undefined) {
      // `#offset` counts within the current piece.
      while (this.#offset >= (this.#map[this.#piece + 1] ?? Infinity)) {
        this.#piece += 2;
        this.#offset = 0;
      }
      length = Math.min(length, (this.#map[this.#piece + 1] ?? 0) - this.#offset);
      offset = (this.#map[this.#piece] ?? 0) + this.#offset;
    }
    this.#handler.data(chunk.subarray(at, at + length), offset);
    this.#offset += length;
    this.#remaining -= length;
    if (this.#remaining === 0) this.#endData();
    return at + length;
  }

  #endData(): void {
    this.#entry = undefined;
    this.#map = undefined;
    this.#state = this.#padding === 0 ? "header" : "padding";
    this.#handler.done();
  }
}

function paddingOf(size: number): number {
  const over = size % BLOCK;
  return over === 0 ? 0 : BLOCK - over;
}

function applyFields(entry: TarEntry, fields: PaxFields): void {
  if (fields.path !== undefined) entry.name = fields.path;
  if (fields.linkpath !== undefined) entry.linkname = fields.linkpath;
  if (fields.uname !== undefined) entry.uname = fields.uname;
  if (fields.gname !== undefined) entry.gname = fields.gname;
  if (fields.size !== undefined) entry.size = fields.size;
  if (fields.uid !== undefined) entry.uid = fields.uid;
  if (fields.gid !== undefined) entry.gid = fields.gid;
  if (fields.mtime !== undefined) {
    entry.mtimeSec = fields.mtime.sec;
    entry.mtimeNsec = fields.mtime.nsec;
  }
  if (fields.xattrs !== undefined) entry.xattrs = new Map([...(entry.xattrs ?? []), ...fields.xattrs]);
}

import { tarError } from "./errors.ts";
import { parseNumber } from "./numbers.ts";

/** Pairs of offset and length, ascending: where the stored bytes of a sparse file belong. */
export type SparseMap = readonly number[];

/** Throws unless the pieces ascend without overlap, lie within the file, and use up exactly the stored bytes. */
export function checkSparse(map: SparseMap, realSize: number, storedBytes: number): void {
  if (map.length % 2 !== 0) throw tarError("a sparse map ends in the middle of a pair");
  let reached = 0;
  let stored = 0;
  for (let index = 0; index < map.length; index += 2) {
    const offset = map[index] ?? 0;
    const length = map[index + 1] ?? 0;
    if (offset < reached) throw tarError("the pieces of a sparse file overlap");
    reached = offset + length;
    stored += length;
    if (reached > realSize) throw tarError("a piece of a sparse file lies beyond its end");
  }
  if (stored !== storedBytes) throw tarError("a sparse map does not match the stored data");
}

/**
 * Old GNU format: `count` descriptors of two 12-byte numbers. Unused ones are NULs.
 * Four stand in the header at 386, twenty-one in each extension block (GNU tar manual, "Old GNU Format").
 */
export function readOldGnuPieces(block: Buffer, start: number, count: number, into: number[]): void {
  for (let index = 0; index < count; index++) {
    const at = start + index * 24;
    if (block[at] === 0) return;
    const offset = parseNumber(block, at, 12, "sparse offset");
    const length = parseNumber(block, at + 12, 12, "sparse length");
    if (offset < 0 || length < 0) throw tarError("a piece of a sparse file has a negative place");
    into.push(offset, length);
  }
}

/**
 * The map of format 1.0, which stands at the head of the data as decimal lines (count, then offset and length of
 * each), padded to a block. Fed block by block, because only reading it tells how long it is.
 */
export class SparseMapParser {
  readonly map: number[] = [];
  #count = -1;
  #value = 0;
  #digits = 0;
  #blocks = 0;
  readonly #maxBytes: number;

  /** `maxBytes` bounds the map: without one an archive decides how much memory its reader takes (CVE-2025-58183). */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes one 512-byte block; true when the map is complete. The rest of its last block is padding. */
  push(block: Uint8Array): boolean {
    this.#blocks++;
    if (this.#blocks * 512 > this.#maxBytes) throw tarError("a sparse map is too long");
    for (const byte of block) {
      if (byte === 0x0a) {
        if (this.#digits === 0) throw tarError("a sparse map is malformed");
        if (this.#count < 0) this.#count = this.#value;
        else this.map.push(this.#value);
        this.#value = 0;
        this.#digits = 0;
        if (this.map.length === this.#count * 2) return true;
        continue;
      }
      const digit = byte - 0x30;
      if (digit < 0 || digit > 9 || ++this.#digits > 15) throw tarError("a sparse map is malformed");
      this.#value = this.#value * 10 + digit;
    }
    return false;
  }

  get bytes(): number {
    return this.#blocks * 512;
  }
}

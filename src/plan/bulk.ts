import { SampanError } from "../base/errors.ts";
import { HEADER_SIZE, INSTRUCTION_SIZE, Kind, MAGIC } from "./encode.ts";

/**
 * A part of a plan in parts, written straight into its binary form: for work of ten thousands of calls (unpacking a layer),
 * where an object per call would cost more than the calls. Only what such work needs: system calls of numbers,
 * data and registers, without conditions.
 *
 * Use: `begin` a call, say its arguments, begin the next. `clear` to use the memory again.
 */
export class BulkPart {
  #code = new Words(256 * 1024);
  #data = new Words(256 * 1024);
  #dataSize = 8; // offset 0 stays unused, so that no pointer equals "none"
  #count = 0;
  /** Where the last call is, in words of 32 bits. */
  #at = 0;

  /** Instructions so far. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of data so far. */
  get dataSize(): number {
    return this.#dataSize;
  }

  clear(): void {
    this.#count = 0;
    this.#dataSize = 8;
  }

  /** The next call. `register` takes its result. */
  begin(number: number, register?: number): this {
    const bytes = HEADER_SIZE + this.#count * INSTRUCTION_SIZE;
    if (bytes + INSTRUCTION_SIZE > this.#code.bytes.length) this.#code = this.#code.grown(bytes + INSTRUCTION_SIZE);
    const { words } = this.#code;
    const at = bytes >> 2;
    words.fill(0, at, at + (INSTRUCTION_SIZE >> 2));
    if (register !== undefined) words[at] = (register + 1) << 16;
    words[at + 1] = number;
    this.#at = at;
    this.#count++;
    return this;
  }

  /** Argument `n` is a number (up to 2^53 in either direction). */
  number(n: number, value: number): this {
    this.#code.set64(this.#at + 12 + n * 2, value);
    return this;
  }

  /** Argument `n` is what a register holds. */
  register(n: number, register: number): this {
    return this.#argument(n, Kind.register, register);
  }

  /** Argument `n` points to data: an offset that one of the methods below gave. */
  pointer(n: number, offset: number): this {
    return this.#argument(n, Kind.data, offset);
  }

  /** Any other result is a failure. */
  expect(result: number): this {
    this.#code.bytes[this.#at * 4 + 1] = 1;
    this.#code.set64(this.#at + 8, result);
    return this;
  }

  /** A string of one character per byte, with a NUL behind it. */
  string(bytes: string): number {
    const at = this.#reserve(bytes.length + 1);
    const data = this.#data.bytes;
    data.write(bytes, at, "latin1");
    data[at + bytes.length] = 0;
    return at;
  }

  bytes(bytes: Uint8Array): number {
    const at = this.#reserve(bytes.length);
    this.#data.bytes.set(bytes, at);
    return at;
  }

  /** 64-bit words, aligned. */
  words(...words: number[]): number {
    this.#dataSize = (this.#dataSize + 7) & ~7;
    const at = this.#reserve(words.length * 8);
    for (let i = 0; i < words.length; i++) this.#data.set64((at >> 2) + i * 2, words[i] ?? 0);
    return at;
  }

  /** The part as bytes, in two pieces that follow each other. */
  encode(): readonly [Buffer, Buffer] {
    const dataAt = HEADER_SIZE + this.#count * INSTRUCTION_SIZE;
    const total = dataAt + this.#dataSize;
    const head = this.#code.bytes;
    head.fill(0, 0, HEADER_SIZE);
    head.writeBigUInt64LE(MAGIC, 0);
    [total, this.#count, this.#count, 0, HEADER_SIZE, dataAt, 0, dataAt, this.#dataSize, 0, 3].forEach((value, i) => head.writeUInt32LE(value, 8 + i * 4));
    return [head.subarray(0, dataAt), this.#data.bytes.subarray(0, this.#dataSize)];
  }

  #argument(n: number, kind: number, value: number): this {
    this.#code.words[this.#at + 12 + n * 2] = value;
    this.#code.bytes[this.#at * 4 + 8 + n] = kind;
    return this;
  }

  #reserve(size: number): number {
    const at = this.#dataSize;
    if (at + size > this.#data.bytes.length) this.#data = this.#data.grown(at + size);
    this.#dataSize = at + size;
    return at;
  }
}

/** keel takes no larger plan (native/keel/plan.h). */
const PLAN_MAX = 64 * 1024 * 1024;

/** Memory as bytes and as words of 32 bits, in this machine's order: keel runs on the same one. Methods of Buffer take several times as long. */
class Words {
  readonly bytes: Buffer;
  readonly words: Int32Array;

  /** `size` is a multiple of four. */
  constructor(size: number) {
    const memory = new ArrayBuffer(size);
    this.bytes = Buffer.from(memory);
    this.words = new Int32Array(memory);
  }

  /** Two's complement of any integer that a number holds exactly. `at` counts words. */
  set64(at: number, value: number): void {
    this.words[at] = value;
    this.words[at + 1] = Math.floor(value / 4294967296);
  }

  grown(needed: number): Words {
    if (needed > PLAN_MAX) throw new SampanError("internal", `Cannot encode a part of ${needed} bytes`);
    const larger = new Words((Math.max(this.bytes.length * 2, needed) + 3) & ~3);
    this.bytes.copy(larger.bytes);
    return larger;
  }
}

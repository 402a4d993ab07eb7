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
  #code: Buffer = Buffer.alloc(256 * 1024);
  #data: Buffer = Buffer.alloc(256 * 1024);
  #dataSize = 8; // offset 0 stays unused, so that no pointer equals "none"
  #count = 0;
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
    const at = HEADER_SIZE + this.#count * INSTRUCTION_SIZE;
    if (at + INSTRUCTION_SIZE > this.#code.length) this.#code = grown(this.#code, at + INSTRUCTION_SIZE);
    this.#code.fill(0, at, at + INSTRUCTION_SIZE);
    this.#code.writeUInt32LE(number, at + 4);
    if (register !== undefined) this.#code[at + 2] = register + 1;
    this.#at = at;
    this.#count++;
    return this;
  }

  /** Argument `n` is a number (up to 2^53 in either direction). */
  number(n: number, value: number): this {
    writeInt64(this.#code, this.#at + 48 + n * 8, value);
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
    this.#code[this.#at + 1] = 1;
    writeInt64(this.#code, this.#at + 32, result);
    return this;
  }

  /** A string of one character per byte, with a NUL behind it. */
  string(bytes: string): number {
    const at = this.#reserve(bytes.length + 1);
    this.#data.write(bytes, at, "latin1");
    this.#data[at + bytes.length] = 0;
    return at;
  }

  bytes(bytes: Uint8Array): number {
    const at = this.#reserve(bytes.length);
    this.#data.set(bytes, at);
    return at;
  }

  /** 64-bit words, aligned. */
  words(...words: number[]): number {
    this.#dataSize = (this.#dataSize + 7) & ~7;
    const at = this.#reserve(words.length * 8);
    words.forEach((word, i) => { writeInt64(this.#data, at + i * 8, word); });
    return at;
  }

  /** The part as bytes, in two pieces that follow each other. */
  encode(): readonly [Buffer, Buffer] {
    const dataAt = HEADER_SIZE + this.#count * INSTRUCTION_SIZE;
    const total = dataAt + this.#dataSize;
    const head = this.#code;
    head.fill(0, 0, HEADER_SIZE);
    head.writeBigUInt64LE(MAGIC, 0);
    [total, this.#count, this.#count, 0, HEADER_SIZE, dataAt, 0, dataAt, this.#dataSize, 0, 3].forEach((value, i) => head.writeUInt32LE(value, 8 + i * 4));
    return [head.subarray(0, dataAt), this.#data.subarray(0, this.#dataSize)];
  }

  #argument(n: number, kind: number, value: number): this {
    this.#code.writeUInt32LE(value, this.#at + 48 + n * 8);
    this.#code[this.#at + 8 + n] = kind;
    return this;
  }

  #reserve(size: number): number {
    const at = this.#dataSize;
    if (at + size > this.#data.length) this.#data = grown(this.#data, at + size);
    this.#dataSize = at + size;
    return at;
  }
}

/** keel takes no larger plan (native/keel/plan.h). */
const PLAN_MAX = 64 * 1024 * 1024;

function grown(buffer: Buffer, needed: number): Buffer {
  if (needed > PLAN_MAX) throw new SampanError("internal", `Cannot encode a part of ${needed} bytes`);
  const larger = Buffer.alloc(Math.max(buffer.length * 2, needed));
  buffer.copy(larger);
  return larger;
}

/** Two's complement of any integer that a number holds exactly. */
function writeInt64(buffer: Buffer, at: number, value: number): void {
  buffer.writeInt32LE(value | 0, at);
  buffer.writeInt32LE(Math.floor(value / 4294967296) | 0, at + 4);
}

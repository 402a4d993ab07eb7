import { SampanError } from "../../base/errors.ts";

/** A value with its type, where the type is part of the message (`v`). */
export interface Variant {
  readonly type: string;
  readonly value: unknown;
}

/** Multiples to which values of a type are aligned (D-Bus specification, "Summary of D-Bus marshalling"). */
const ALIGNMENT: Readonly<Record<string, number>> = {
  y: 1, g: 1, v: 1, n: 2, q: 2, b: 4, i: 4, u: 4, s: 4, o: 4, a: 4, x: 8, t: 8, d: 8, "(": 8, "{": 8,
};
/** Largest message and array of the specification. */
const MAX_BYTES = 1 << 26;

function malformed(what: string): SampanError {
  return new SampanError("internal", `Cannot read a D-Bus message: ${what}`);
}

/** The complete types of a signature: "sa(sv)" → "s", "a(sv)". */
export function splitSignature(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const end = endOfType(signature, at, 0);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

function endOfType(signature: string, at: number, depth: number): number {
  const code = signature[at] ?? "";
  if (depth > 64 || !Object.hasOwn(ALIGNMENT, code)) throw malformed(`"${signature}" is no signature`);
  if (code === "a") return endOfType(signature, at + 1, depth + 1);
  if (code !== "(" && code !== "{") return at + 1;
  const close = code === "(" ? ")" : "}";
  // Nothing would be read of it, and an array of nothing never ends.
  if (signature[at + 1] === close) throw malformed(`"${signature}" has an empty struct`);
  let end = at + 1;
  while (signature[end] !== close) end = endOfType(signature, end, depth + 1);
  return end + 1;
}

const alignmentOf = (type: string): number => ALIGNMENT[type[0] ?? ""] ?? 1;

/** Writes values one after the other, little-endian; offsets count from the first byte. */
export class Writer {
  readonly #bytes: number[] = [];

  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  align(multiple: number): this {
    while (this.#bytes.length % multiple !== 0) this.#bytes.push(0);
    return this;
  }

  #integer(value: bigint, size: number): void {
    this.align(size);
    const bits = BigInt.asUintN(size * 8, value);
    for (let i = 0; i < size; i++) this.#bytes.push(Number((bits >> BigInt(i * 8)) & 0xffn));
  }

  #text(text: string, short: boolean): void {
    const encoded = new TextEncoder().encode(text);
    this.#integer(BigInt(encoded.length), short ? 1 : 4);
    this.#bytes.push(...encoded, 0);
  }

  /** One value of a complete type; strings, numbers, bigints and booleans for the basic ones, arrays for arrays and structs. */
  write(type: string, value: unknown): this {
    const sizes: Readonly<Record<string, number>> = { y: 1, n: 2, q: 2, i: 4, u: 4, x: 8, t: 8 };
    const size = sizes[type];
    if (size !== undefined) this.#integer(BigInt(value as number | bigint), size);
    else if (type === "b") this.#integer(value === true ? 1n : 0n, 4);
    else if (type === "s" || type === "o" || type === "g") this.#text(String(value), type === "g");
    else if (type === "v") {
      const { type: inner, value: content } = value as Variant;
      this.write("g", inner).write(inner, content);
    } else if (type.startsWith("a")) this.#array(type.slice(1), value as readonly unknown[]);
    else if (type.startsWith("(") || type.startsWith("{")) {
      this.align(8);
      splitSignature(type.slice(1, -1)).forEach((member, i) => this.write(member, (value as readonly unknown[])[i]));
    } else throw malformed(`the type "${type}" cannot be written`);
    return this;
  }

  #array(element: string, values: readonly unknown[]): void {
    this.#integer(0n, 4);
    const at = this.#bytes.length - 4;
    this.align(alignmentOf(element));
    const start = this.#bytes.length;
    for (const item of values) this.write(element, item);
    const length = this.#bytes.length - start;
    for (let i = 0; i < 4; i++) this.#bytes[at + i] = (length >>> (i * 8)) & 0xff;
  }
}

/** Reads what `Writer` writes, and what a peer does in either byte order. Never beyond the end. */
export class Reader {
  readonly #view: DataView;
  readonly #little: boolean;
  #at = 0;

  constructor(bytes: Uint8Array, little: boolean) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#little = little;
  }

  align(multiple: number): this {
    this.#at += (multiple - (this.#at % multiple)) % multiple;
    return this;
  }

  #take(size: number): number {
    const at = this.#at;
    if (at + size > this.#view.byteLength) throw malformed("it is cut short");
    this.#at = at + size;
    return at;
  }

  #text(length: number): string {
    const at = this.#take(length + 1);
    return new TextDecoder().decode(new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, length));
  }

  /** 64-bit numbers are bigints, structs and arrays arrays. */
  read(type: string, depth = 0): unknown {
    if (depth > 64) throw malformed("it is nested too deeply");
    this.align(alignmentOf(type));
    switch (type[0]) {
      case "y": return this.#view.getUint8(this.#take(1));
      case "n": return this.#view.getInt16(this.#take(2), this.#little);
      case "q": return this.#view.getUint16(this.#take(2), this.#little);
      case "b": return this.#view.getUint32(this.#take(4), this.#little) !== 0;
      case "i": return this.#view.getInt32(this.#take(4), this.#little);
      case "u": return this.#view.getUint32(this.#take(4), this.#little);
      case "x": return this.#view.getBigInt64(this.#take(8), this.#little);
      case "t": return this.#view.getBigUint64(this.#take(8), this.#little);
      case "d": return this.#view.getFloat64(this.#take(8), this.#little);
      case "s": case "o": return this.#text(this.#view.getUint32(this.#take(4), this.#little));
      case "g": return this.#text(this.#view.getUint8(this.#take(1)));
      case "v": {
        const [inner, ...more] = splitSignature(this.read("g") as string);
        if (inner === undefined || more.length > 0) throw malformed("a variant has one type");
        return { type: inner, value: this.read(inner, depth + 1) } satisfies Variant;
      }
      case "a": return this.#array(type.slice(1), depth);
      case "(": case "{": return splitSignature(type.slice(1, -1)).map((member) => this.read(member, depth + 1));
      default: throw malformed(`the type "${type}" is not known`);
    }
  }

  #array(element: string, depth: number): unknown[] {
    const length = this.#view.getUint32(this.#take(4), this.#little);
    this.align(alignmentOf(element));
    const end = this.#at + length;
    if (length > MAX_BYTES || end > this.#view.byteLength) throw malformed("an array is longer than it");
    const items: unknown[] = [];
    while (this.#at < end) items.push(this.read(element, depth + 1));
    return items;
  }
}

import { Block } from "./model.ts";

const START = 32768;

/** Lays out blocks and strings one behind the other, each aligned to 8 bytes; equal strings are stored once. */
export class DataArea {
  bytes: Buffer = Buffer.alloc(START);
  size = 8; // offset 0 stays unused, so that no pointer equals "none"
  /** Places that hold the offset of other data: pointers once keel has loaded the plan. */
  readonly relocations: number[] = [];
  readonly #strings = new Map<string, number>();
  readonly #blocks = new Map<Block | Uint8Array, number>();

  /** Where the value is; it is put there when it is first asked for. */
  place(value: Block | string | Uint8Array): number {
    if (typeof value === "string") return this.#string(value);
    const known = this.#blocks.get(value);
    if (known !== undefined) return known;
    const isBlock = value instanceof Block;
    const content = isBlock ? value.bytes : value;
    const at = this.#reserve(content.length);
    this.bytes.set(content, at);
    this.#blocks.set(value, at);
    if (isBlock)
      for (const pointer of value.pointers) {
        const target = this.place(pointer.to);
        const offset = at + pointer.at;
        const { bytes } = this;
        bytes[offset] = target;
        bytes[offset + 1] = target >>> 8;
        bytes[offset + 2] = target >>> 16;
        bytes[offset + 3] = target >>> 24;
        this.relocations.push(offset);
      }
    return at;
  }

  #string(value: string): number {
    const known = this.#strings.get(value);
    if (known !== undefined) return known;
    const at = this.#reserve(value.length * 3 + 1);
    const length = this.bytes.write(value, at, "utf8");
    this.bytes[at + length] = 0;
    this.size = at + length + 1;
    this.#strings.set(value, at);
    return at;
  }

  #reserve(size: number): number {
    const at = (this.size + 7) & ~7;
    if (at + size + 8 > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(this.bytes.length * 2, at + size + 4096));
      larger.set(this.bytes.subarray(0, this.size));
      this.bytes = larger;
    }
    this.size = at + size;
    return at;
  }
}

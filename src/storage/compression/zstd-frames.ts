type State = "magic" | "skippable" | "descriptor" | "header" | "block" | "body" | "checksum" | "foreign";

/**
 * Follows the frames of a zstd stream without decompressing it (RFC 8878 section 3.1): only to know whether the stream stops
 * between two frames or inside one. Bun's createZstdDecompress ends quietly when its input is cut off (1.4.5; Node throws),
 * and a short layer must not look like a whole one.
 */
export class ZstdFrames {
  #state: State = "magic";
  /** Bytes of the current field still to come, and its value so far (little-endian). */
  #left = 4;
  #value = 0;
  #factor = 1;
  #checksum = false;
  #last = false;

  /** True at the very beginning and after every whole frame. */
  get complete(): boolean {
    return this.#state === "foreign" || (this.#state === "magic" && this.#left === 4);
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === "foreign") return;
      const skipping = this.#state === "body" || this.#state === "header" || this.#state === "checksum";
      if (skipping) {
        const step = Math.min(this.#left, chunk.length - at);
        at += step;
        this.#left -= step;
      } else {
        this.#value += (chunk[at++] ?? 0) * this.#factor;
        this.#factor *= 256;
        this.#left--;
      }
      // A field of no bytes is over at once, and so may the next be.
      while (this.#left === 0) this.#next();
    }
  }

  #enter(state: State, bytes: number): void {
    this.#state = state;
    this.#left = bytes;
    this.#value = 0;
    this.#factor = 1;
  }

  #next(): void {
    const value = this.#value;
    switch (this.#state) {
      case "magic":
        if (value === 0xfd2fb528) return this.#enter("descriptor", 1);
        if (value >= 0x184d2a50 && value <= 0x184d2a5f) return this.#enter("skippable", 4);
        // The decompressor will say so.
        return this.#enter("foreign", 1);
      case "skippable":
        this.#last = true;
        this.#checksum = false;
        return this.#enter("body", value);
      case "descriptor": {
        this.#checksum = (value & 4) !== 0;
        const single = (value & 0x20) !== 0;
        const sizeBytes = [single ? 1 : 0, 2, 4, 8][value >> 6] ?? 0;
        return this.#enter("header", (single ? 0 : 1) + ([0, 1, 2, 4][value & 3] ?? 0) + sizeBytes);
      }
      case "header":
        return this.#enter("block", 3);
      case "block": {
        this.#last = (value & 1) !== 0;
        // An RLE block holds one byte, whatever it says its size is.
        return this.#enter("body", ((value >> 1) & 3) === 1 ? 1 : value >> 3);
      }
      case "body":
        if (!this.#last) return this.#enter("block", 3);
        return this.#checksum ? this.#enter("checksum", 4) : this.#enter("magic", 4);
      case "checksum":
        return this.#enter("magic", 4);
      case "foreign":
        return this.#enter("foreign", 1);
    }
  }
}

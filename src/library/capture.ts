import { closeSync, fstatSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { mkdirSync } from "node:fs";
import { createId } from "../base/ids.ts";

/**
 * What a program wrote, by way of files that have no name: the program writes as fast as the disk takes it, whatever this process
 * does meanwhile, and nothing is left if this process dies.
 */
export class Capture implements Disposable {
  readonly #directory: string;
  readonly #open: number[] = [];

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#directory = directory;
  }

  /** A descriptor to write to. */
  output(): number {
    const path = `${this.#directory}/capture-${createId()}`;
    const fd = openSync(path, "ax+", 0o600);
    unlinkSync(path);
    this.#open.push(fd);
    return fd;
  }

  /** A descriptor from which these bytes can be read. */
  input(bytes: string | Uint8Array): number {
    const path = `${this.#directory}/capture-${createId()}`;
    const fd = openSync(path, "wx+", 0o600);
    unlinkSync(path);
    this.#open.push(fd);
    const content = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    let at = 0;
    while (at < content.length) at += writeSync(fd, content, at, content.length - at, at);
    return fd;
  }

  /** All that was written to it so far. */
  read(fd: number): Buffer {
    const buffer = Buffer.alloc(fstatSync(fd).size);
    let at = 0;
    while (at < buffer.length) {
      const n = readSync(fd, buffer, at, buffer.length - at, at);
      if (n === 0) break;
      at += n;
    }
    return buffer.subarray(0, at);
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open.splice(0)) closeSync(fd);
  }
}

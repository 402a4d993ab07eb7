import { SampanError } from "../base/errors.ts";
import type { OutputTaker } from "../engine/index.ts";
import type { Deadline } from "./cancel.ts";
import type { OutputChunk } from "./result.ts";

/** What is kept where the caller sets no limit: nobody's program should end for want of memory because another one writes. */
const USUAL_LIMIT = 100_000_000;

/** Keeps all that a program writes, up to a limit over both streams. */
export class Collected {
  readonly #pieces = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  readonly #reading: Promise<void>[] = [];
  #bytes = 0;
  readonly #limit: number;
  readonly #deadline: Deadline;

  constructor(deadline: Deadline, limit = USUAL_LIMIT) {
    this.#deadline = deadline;
    this.#limit = limit;
  }

  readonly stdout: OutputTaker = (output) => { this.#reading.push(this.#collect("stdout", output)); };
  readonly stderr: OutputTaker = (output) => { this.#reading.push(this.#collect("stderr", output)); };

  /** Resolves with everything, when both streams have ended. */
  async all(): Promise<{ stdoutBytes: Buffer; stderrBytes: Buffer }> {
    await Promise.all(this.#reading);
    return { stdoutBytes: Buffer.concat(this.#pieces.stdout), stderrBytes: Buffer.concat(this.#pieces.stderr) };
  }

  async #collect(stream: OutputChunk["stream"], output: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const data of output) {
      this.#bytes += data.length;
      // Past the limit it is read on, and thrown away, until the program is dead.
      if (this.#bytes <= this.#limit) this.#pieces[stream].push(data);
      else this.#deadline.stop(
        new SampanError("cancelled", `Cannot keep the output: it has more than ${this.#limit} bytes, and the program was killed`, { code: "EFBIG" }),
      );
    }
  }
}

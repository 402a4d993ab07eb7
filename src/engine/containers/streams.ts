import type { Running } from "../../plan/index.ts";
import type { AttachedStreams } from "../../runtime/index.ts";
import type { OutputTaker, Streams } from "../api.ts";

type Stdio = number | "ignore" | "pipe";

/** What keel's descriptors 0, 1 and 2 become. */
export function stdioOf({ stdin, stdout, stderr }: Streams): [Stdio, Stdio, Stdio] {
  return [stdioFor(stdin), stdioFor(stdout), stdioFor(stderr)];
}

function stdioFor(stream: number | object | undefined): Stdio {
  if (stream === undefined) return "ignore";
  return typeof stream === "number" ? stream : "pipe";
}

/**
 * Which of them the container is connected to. Descriptors of the caller's own are used as by any program in a pipeline: who
 * cannot write any more ends. Output that somebody takes by a function is nobody's reason to leave.
 */
export function attachedTo({ stdin, stdout, stderr }: Streams, input: boolean): AttachedStreams {
  return {
    stdin: input && stdin !== undefined, stdout: stdout !== undefined, stderr: stderr !== undefined,
    leaves: typeof stdout === "number" || typeof stderr === "number",
  };
}

/** Connects what is no descriptor, once keel runs. */
export function connectStreams({ stdin, stdout, stderr }: Streams, running: Running): void {
  give(stdout, running.output(1));
  give(stderr, running.output(2));
  if (typeof stdin === "object") void feed(stdin, running);
}

function give(taker: number | OutputTaker | undefined, output: AsyncIterable<Uint8Array> | undefined): void {
  if (typeof taker === "function" && output !== undefined) taker(output);
}

/**
 * A program that ends, or closes its input, before it has read all of it is no failure: the rest is nobody's, and the source is told
 * so, since writing to a pipe that nobody reads does not fail everywhere.
 */
async function feed(source: AsyncIterable<Uint8Array>, { input, finished }: Running): Promise<void> {
  const pieces = source[Symbol.asyncIterator]();
  let over = false;
  const stop = (): void => {
    over = true;
    pieces.return?.().catch(() => undefined); // of a source that nobody is interested in any more
  };
  finished.then(stop, stop);
  try {
    for (let piece = await pieces.next(); piece.done !== true && !over; piece = await pieces.next()) await input?.write(piece.value);
  } catch {
    // EPIPE; or the source failed, which then ends like a file that was cut short
  } finally {
    stop();
    input?.end();
  }
}

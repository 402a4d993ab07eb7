import type { OutputTaker } from "../engine/index.ts";
import type { Deadline } from "./cancel.ts";
import { SampanError } from "../base/errors.ts";
import type { ExitResult, OutputChunk } from "./result.ts";

/** What a program may be given to read: all at once, or piece by piece as it comes. */
export type Input = string | Uint8Array | AsyncIterable<string | Uint8Array>;

/** The same as pieces of bytes. Where it fails, what reads it is stopped, and the caller told of that failure. */
export async function* bytesOf(input: Input, deadline: Deadline): AsyncGenerator<Uint8Array> {
  if (typeof input === "string") yield Buffer.from(input);
  else if (input instanceof Uint8Array) yield input;
  else
    try {
      for await (const piece of input) yield typeof piece === "string" ? Buffer.from(piece) : piece;
    } catch (error) {
      deadline.stop(error);
    }
}

/**
 * A program that runs, and its output as it comes. Read it to its end, or leave the loop: that kills the program. What is
 * not read stops the program once the pipe is full (pipe(7): 64 KiB).
 */
export class ProgramStream<Result extends ExitResult> implements AsyncIterable<OutputChunk> {
  /** How it ended. Rejects if it could not be started or was cancelled. */
  readonly result: Promise<Result>;
  readonly #deadline: Deadline;
  readonly #outputs: Promise<readonly AsyncIterable<Uint8Array>[]>;
  #taken = false;

  /** `start` begins at once; it calls the takers when the program is about to run. */
  constructor(deadline: Deadline, start: (takers: { stdout: OutputTaker; stderr: OutputTaker }) => Promise<Result>) {
    this.#deadline = deadline;
    let stdout: AsyncIterable<Uint8Array> | undefined;
    let give = (_: readonly AsyncIterable<Uint8Array>[]): void => undefined;
    this.#outputs = new Promise((resolve) => { give = resolve; });
    this.result = start({
      stdout: (output) => { stdout = output; },
      stderr: (output) => { give(stdout === undefined ? [output] : [stdout, output]); },
    }).finally(() => { deadline[Symbol.dispose](); });
    this.result.catch(() => undefined); // told to whoever reads, or asks for the result
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<OutputChunk, void, undefined> {
    if (this.#taken) throw new SampanError("wrong-state", "Cannot read the output twice");
    this.#taken = true;
    let whole = false;
    try {
      const [stdout, stderr] = await Promise.race([this.#outputs, this.result.then(() => [])]);
      yield* merge({ stdout, stderr });
      whole = true;
      await this.result;
    } finally {
      if (!whole) {
        this.#deadline.stop();
        await this.result.catch(() => undefined);
      }
    }
  }
}

/** Pieces of both in the order in which they arrive; none is asked for before the last one of its stream was taken. */
async function* merge(sources: Partial<Record<OutputChunk["stream"], AsyncIterable<Uint8Array> | undefined>>): AsyncGenerator<OutputChunk> {
  const waiting = new Map<OutputChunk["stream"], Promise<{ stream: OutputChunk["stream"]; step: IteratorResult<Uint8Array> }>>();
  const iterators = new Map<OutputChunk["stream"], AsyncIterator<Uint8Array>>();
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  const ask = (stream: OutputChunk["stream"], iterator: AsyncIterator<Uint8Array>): void => {
    waiting.set(stream, iterator.next().then((step) => ({ stream, step })));
  };
  for (const stream of ["stdout", "stderr"] as const) {
    const iterator = sources[stream]?.[Symbol.asyncIterator]();
    if (iterator === undefined) continue;
    iterators.set(stream, iterator);
    ask(stream, iterator);
  }
  try {
    while (waiting.size > 0) {
      const { stream, step } = await Promise.race(waiting.values());
      const iterator = iterators.get(stream);
      if (step.done === true || iterator === undefined) {
        waiting.delete(stream);
        continue;
      }
      yield { stream, data: step.value, text: decoders[stream].decode(step.value, { stream: true }) };
      ask(stream, iterator);
    }
  } finally {
    // Whoever left early: the pipes are closed, so that the program is not held up by them while it is killed.
    for (const stream of waiting.keys()) void Promise.resolve(iterators.get(stream)?.return?.()).catch(() => undefined);
  }
}

import type { OutputTaker } from "../engine/index.ts";
import type { Deadline } from "./cancel.ts";
import { ProblemsError, SampanError } from "../base/errors.ts";
import type { ExitResult, OutputChunk } from "./result.ts";

/** What a program may be given to read: all at once, or piece by piece as it comes. */
export type Input = string | Uint8Array | AsyncIterable<string | Uint8Array>;

/** The same as pieces of bytes. Where it fails, what reads it is stopped, and the caller told of that failure. */
export async function* bytesOf(input: Input, deadline: Deadline): AsyncGenerator<Uint8Array> {
  if (typeof input === "string") yield Buffer.from(input);
  else if (input instanceof Uint8Array) yield input;
  else
    try {
      for await (const piece of input) yield pieceOf(piece);
    } catch (error) {
      deadline.stop(error);
    }
}

function pieceOf(piece: unknown): Uint8Array {
  if (typeof piece === "string") return Buffer.from(piece);
  if (piece instanceof Uint8Array) return piece;
  throw new ProblemsError([`What "stdin" gives is not a string or bytes: ${String(piece)}`]);
}

/**
 * A program that runs, and its output as it comes. Read it to its end, or leave the loop: that kills the program. What is
 * not read stops the program once the pipe is full (pipe(7): 64 KiB).
 */
export class ProgramStream<Result extends ExitResult> implements AsyncIterable<OutputChunk> {
  /** How it ended. Rejects if it could not be started or was cancelled. */
  readonly result: Promise<Result>;
  readonly #deadline: Deadline;
  readonly #outputs: Promise<Outputs>;
  #taken = false;

  /** `start` begins at once; it calls the takers when the program is about to run. */
  constructor(deadline: Deadline, start: (takers: { stdout: OutputTaker; stderr: OutputTaker }) => Promise<Result>) {
    this.#deadline = deadline;
    let stdout: AsyncIterator<Uint8Array> | undefined;
    let give = (_: Outputs): void => undefined;
    this.#outputs = new Promise((resolve) => { give = resolve; });
    // What is killed is over when its output has been read, and a reader who is slow, or was never there, is not to hold that up.
    deadline.signal.addEventListener(
      "abort",
      () => { void this.#outputs.then((outputs) => Promise.all(Object.values(outputs).map(discard))); },
      { once: true },
    );
    this.result = start({
      stdout: (output) => { stdout = output[Symbol.asyncIterator](); },
      stderr: (output) => { give({ ...(stdout === undefined ? {} : { stdout }), stderr: output[Symbol.asyncIterator]() }); },
    }).finally(() => { deadline[Symbol.dispose](); });
    this.result.catch(() => undefined); // told to whoever reads, or asks for the result
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<OutputChunk, void, undefined> {
    if (this.#taken) throw new SampanError("wrong-state", "Cannot read the output twice");
    this.#taken = true;
    let whole = false;
    try {
      yield* merge(await Promise.race([this.#outputs, this.result.then(() => ({}))]));
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

type Outputs = Partial<Record<OutputChunk["stream"], AsyncIterator<Uint8Array>>>;

async function discard(output: AsyncIterator<Uint8Array>): Promise<void> {
  try {
    let step = await output.next();
    while (step.done !== true) step = await output.next();
  } catch {
    // a pipe that was closed by whoever left the loop
  }
}

/** Pieces of both in the order in which they arrive; none is asked for before the last one of its stream was taken. */
async function* merge(outputs: Outputs): AsyncGenerator<OutputChunk> {
  const waiting = new Map<OutputChunk["stream"], Promise<{ stream: OutputChunk["stream"]; step: IteratorResult<Uint8Array> }>>();
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  const ask = (stream: OutputChunk["stream"]): void => {
    const next = outputs[stream]?.next().then((step) => ({ stream, step }));
    if (next !== undefined) waiting.set(stream, next);
  };
  ask("stdout");
  ask("stderr");
  try {
    while (waiting.size > 0) {
      const { stream, step } = await Promise.race(waiting.values());
      waiting.delete(stream);
      if (step.done === true) {
        const rest = decoders[stream].decode();
        if (rest !== "") yield { stream, data: new Uint8Array(0), text: rest };
        continue;
      }
      yield { stream, data: step.value, text: decoders[stream].decode(step.value, { stream: true }) };
      ask(stream);
    }
  } finally {
    // Whoever left early: the pipes are closed, so that the program is not held up by them while it is killed.
    for (const output of Object.values(outputs)) void Promise.resolve(output.return?.()).catch(() => undefined);
  }
}

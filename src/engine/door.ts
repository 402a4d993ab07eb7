import { SampanError } from "../base/errors.ts";
import { Turns } from "../base/turns.ts";
import type { Cancellable } from "./api.ts";

type Method = (...args: readonly unknown[]) => unknown;

/**
 * What all use cases have in common, where all of them are entered: none begins on an engine that is closed, or for a caller who has
 * cancelled already; and a cancellation is told as what it is, whoever noticed it. What is under way when the engine is closed goes
 * on, and whoever leaves last closes what they shared.
 */
export class Door {
  readonly #close: () => void;
  #inside = 0;
  #open = true;

  constructor(close: () => void) {
    this.#close = close;
  }

  /** The same use cases, entered through the door. `iterables` are those that give one instead of a promise. */
  guard<Api extends object>(api: Api, iterables: readonly (keyof Api)[] = []): Api {
    const entries = Object.entries(api).map(([name, method]: [string, Method]) => [
      name,
      (iterables as readonly string[]).includes(name) // keys of an object that has no others
        ? (...args: readonly unknown[]) => this.#iterate(method, args)
        : (...args: readonly unknown[]) => this.#call(method, args),
    ]);
    return Object.fromEntries(entries) as Api; // name by name what was given
  }

  /** Nobody enters any more. */
  close(): void {
    this.#open = false;
    this.#closeIfEmpty();
  }

  async #call(method: Method, args: readonly unknown[]): Promise<unknown> {
    const signal = signalOf(args);
    this.#enter(signal);
    try {
      return await method(...args);
    } catch (error) {
      throw explain(error, signal);
    } finally {
      this.#leave();
    }
  }

  #iterate(method: Method, args: readonly unknown[]): AsyncIterable<unknown> {
    const signal = signalOf(args);
    return {
      [Symbol.asyncIterator]: () => {
        let source: AsyncIterator<unknown> | undefined;
        let over = false;
        const turns = new Turns();
        const end = (): void => {
          if (source !== undefined && !over) this.#leave();
          over = true;
        };
        return {
          next: async () => {
            if (over) return { done: true, value: undefined };
            try {
              if (source === undefined) {
                this.#enter(signal);
                source = (method(...args) as AsyncIterable<unknown>)[Symbol.asyncIterator](); // what the caller says it gives
              }
              // A source that has always something, and a reader who never waits, would not hear of the abortion.
              await turns.take();
              if (isAborted(signal)) {
                await source.return?.();
                throw cancellation(signal);
              }
              const step = await source.next();
              if (step.done !== true) return step;
              // An end that the caller has brought about is no end of what was read.
              if (isAborted(signal)) throw cancellation(signal);
              end();
              return step;
            } catch (error) {
              end();
              throw explain(error, signal);
            }
          },
          return: async () => {
            try {
              await source?.return?.();
            } finally {
              end();
            }
            return { done: true, value: undefined };
          },
        };
      },
    };
  }

  #enter(signal: AbortSignal | undefined): void {
    if (!this.#open) throw new SampanError("wrong-state", "Cannot use the engine: it has been closed", { hint: "Open another one: await Engine.open()" });
    if (signal?.aborted === true) throw cancellation(signal);
    this.#inside++;
  }

  #leave(): void {
    this.#inside--;
    this.#closeIfEmpty();
  }

  #closeIfEmpty(): void {
    if (!this.#open && this.#inside === 0) this.#close();
  }
}

function signalOf(args: readonly unknown[]): AbortSignal | undefined {
  const options = args.at(-1);
  return typeof options === "object" && options !== null ? (options as Cancellable).signal : undefined; // the last parameter of whatever can be cancelled
}

function isAborted(signal: AbortSignal | undefined): signal is AbortSignal {
  return signal?.aborted === true;
}

function cancellation(signal: AbortSignal): SampanError {
  return new SampanError("cancelled", "Cancelled", { cause: signal.reason });
}

/** What the runtime throws where its own part was cancelled (AbortError, or the signal's reason) is a SampanError to the caller. */
function explain(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted !== true || error instanceof SampanError) return error;
  return error === signal.reason || (error instanceof Error && error.name === "AbortError") ? cancellation(signal) : error;
}

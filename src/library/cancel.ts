import { SampanError } from "../base/errors.ts";

/** Every call that waits can be told to stop waiting. */
export interface Cancellable {
  /** Aborting it rejects with kind "cancelled" and leaves nothing half-made. */
  readonly signal?: AbortSignal | undefined;
}

/** A caller's signal, a time limit and reasons of our own, as one signal; and which of them it was. */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #outer: AbortSignal | undefined;
  readonly #abort = (): void => { this.#controller.abort(); };
  #reason: SampanError | undefined;

  constructor(outer: AbortSignal | undefined, timeoutMs: number | undefined, what: string) {
    this.#outer = outer;
    if (outer?.aborted === true) this.#abort();
    outer?.addEventListener("abort", this.#abort, { once: true });
    if (timeoutMs !== undefined)
      this.#timer = setTimeout(() => { this.stop(new SampanError("cancelled", `Cannot finish ${what}: it took longer than ${timeoutMs} ms and was killed`, { code: "ETIMEDOUT" })); }, timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Stops it for a reason, which the caller is then told. */
  stop(reason?: SampanError): void {
    if (this.#controller.signal.aborted) return;
    this.#reason = reason;
    this.#controller.abort();
  }

  /** The error to throw instead of one that says only that something was cancelled. */
  explain(error: unknown): unknown {
    return this.#reason !== undefined && error instanceof SampanError && error.kind === "cancelled" ? this.#reason : error;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#abort);
  }
}

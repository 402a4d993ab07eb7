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
  readonly #what: string;
  readonly #abort = (): void => { this.#controller.abort(); };
  #reason: { readonly error: unknown } | undefined;

  constructor(outer: AbortSignal | undefined, timeoutMs: number | undefined, what: string) {
    this.#outer = outer;
    this.#what = what;
    if (outer?.aborted === true) this.#abort();
    outer?.addEventListener("abort", this.#abort, { once: true });
    if (timeoutMs !== undefined)
      this.#timer = setTimeout(
        () => { this.stop(new SampanError("cancelled", `Cannot finish ${what}: it took longer than ${timeoutMs} ms and was killed`, { code: "ETIMEDOUT" })); },
        timeoutMs,
      );
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Stops it for a reason, which the caller is then told. */
  stop(reason?: unknown): void {
    if (this.#controller.signal.aborted) return;
    if (reason !== undefined) this.#reason = { error: reason };
    this.#controller.abort();
  }

  /** The error to throw instead of one that says only that something was cancelled. */
  explain(error: unknown): unknown {
    if (!(error instanceof SampanError) || error.kind !== "cancelled") return error;
    if (this.#reason !== undefined) return this.#reason.error;
    return this.#outer?.aborted === true ? new SampanError("cancelled", `Cannot finish ${this.#what}: it was cancelled`, { cause: this.#outer.reason }) : error;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#abort);
  }
}

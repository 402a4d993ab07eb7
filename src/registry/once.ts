import { SampanError } from "../base/index.ts";

/**
 * One result for all who ask at the same time or later. A failure is told to all who waited and is not kept; but when
 * the one who was doing the work was cancelled, the others do it themselves.
 */
export class Once<T> {
  #running: Promise<T> | undefined;

  async get(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    for (;;) {
      const running = (this.#running ??= work());
      try {
        return await running;
      } catch (error) {
        if (this.#running === running) this.#running = undefined;
        const othersEnd = error instanceof SampanError && error.kind === "cancelled" && signal?.aborted !== true;
        if (!othersEnd) throw error;
      }
    }
  }
}

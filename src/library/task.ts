import type { Progress } from "../engine/index.ts";

/**
 * Something that takes its time: await it for its result, or read its progress first. Reading is not needed for it to go on, and
 * leaving the loop does not stop it; an AbortSignal does.
 *
 * ```ts no-run
 * const pull = engine.images.pull("alpine:3");
 * for await (const { id, status, currentBytes, totalBytes } of pull) console.log(id, status, currentBytes, totalBytes);
 * const [image] = await pull;
 * ```
 */
export class Task<Result> implements PromiseLike<Result>, AsyncIterable<Progress> {
  readonly #result: Promise<Result>;
  #unread: Progress[] = [];
  #over = false;
  #wake: () => void = () => undefined;

  constructor(work: (onProgress: (progress: Progress) => void) => Promise<Result>) {
    this.#result = work((progress) => {
      // A reader that is slow, or not there, is told of the newest count of each, not of every one.
      const before = this.#unread.findLastIndex(({ id }) => id === progress.id);
      if (before >= 0 && this.#unread[before]?.status === progress.status) this.#unread[before] = progress;
      else this.#unread.push(progress);
      this.#wake();
    }).finally(() => {
      this.#over = true;
      this.#wake();
    });
    this.#result.catch(() => undefined); // told to whoever awaits it or reads it
  }

  then<A = Result, B = never>(
    fulfilled?: ((result: Result) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(fulfilled, rejected);
  }

  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Result | B> {
    return this.#result.catch(rejected);
  }

  finally(act?: (() => void) | null): Promise<Result> {
    return this.#result.finally(act);
  }

  /** Ends when it is done; throws if it failed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Progress, void, undefined> {
    for (;;) {
      const unread = this.#unread;
      this.#unread = [];
      yield* unread;
      if (this.#unread.length > 0) continue;
      if (this.#over) break;
      await new Promise<void>((resolve) => { this.#wake = resolve; });
    }
    await this.#result;
  }
}

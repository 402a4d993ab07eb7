import { SampanError } from "./errors.ts";

/** What a source gives until the signal aborts, though the next piece may never come: then it throws `cancelled`. */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T, void, undefined> {
  const pieces = source[Symbol.asyncIterator]();
  let refuse: (reason: SampanError) => void = () => undefined;
  const cancel = (): void => { refuse(new SampanError("cancelled", "Cannot go on: cancelled", { cause: signal?.reason })); };
  const next = (): Promise<IteratorResult<T>> => new Promise((resolve, reject) => {
    refuse = reject;
    if (signal?.aborted === true) cancel();
    else pieces.next().then(resolve, reject);
  });
  signal?.addEventListener("abort", cancel);
  try {
    for (let step = await next(); step.done !== true; step = await next()) yield step.value;
  } finally {
    signal?.removeEventListener("abort", cancel);
    // Not waited for: a source that is stuck does not answer this either.
    void Promise.resolve(pieces.return?.()).catch(() => undefined);
  }
}

/** Options of everything that waits for the kernel. */
export interface WaitOptions {
  /** How long before it counts as failed; 10 s unless said. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Asks again and again until the answer is yes, at first after 1 ms and then ever more slowly up to 50 ms; false when time is up.
 * Throws the signal's reason when it is aborted.
 */
export async function waitUntil(done: () => boolean, options: WaitOptions): Promise<boolean> {
  const deadline = performance.now() + (options.timeoutMs ?? 10_000);
  for (let pauseMs = 1; ; pauseMs = Math.min(50, pauseMs * 2)) {
    options.signal?.throwIfAborted();
    if (done()) return true;
    if (performance.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

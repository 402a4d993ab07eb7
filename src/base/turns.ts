const LONGEST_MS = 10;

/**
 * For loops over what is always ready, such as files that are read synchronously: without a turn of the event loop now and then no
 * timer fires, and whoever would abort the loop is not heard before its end.
 */
export class Turns {
  #last = performance.now();

  /** Lets the rest of the program have a turn, if its last one is some time ago. */
  async take(): Promise<void> {
    if (performance.now() - this.#last < LONGEST_MS) return;
    await new Promise((resolve) => { setImmediate(resolve); });
    this.#last = performance.now();
  }
}

import type { FSWatcher } from "node:fs";
import type { EventRecord } from "./events.ts";
import type { StateStore } from "./store.ts";

export interface FollowOptions {
  /** Begin after this event; by default only what is yet to come. */
  readonly afterId?: number;
  /** Ends the iteration, without an error. */
  readonly signal: AbortSignal;
}

/**
 * How often to look although nothing was heard: inotify can be had no more of (fs.inotify.max_user_watches), or lose events when
 * its queue overflows.
 */
const LOOK_EVERY_MS = 500;

/**
 * Events as they happen, from whatever process. Every commit appends to the WAL file, and inotify(7) tells of it; the file
 * cannot vanish meanwhile, since this store's own connection keeps it.
 */
export async function* followEvents(store: StateStore, options: FollowOptions): AsyncGenerator<EventRecord, void, undefined> {
  const { watch } = await import("node:fs");
  let cursor = options.afterId ?? store.events.lastId();
  let heard = false;
  let wake: (() => void) | undefined;
  const stir = (): void => {
    heard = true;
    wake?.();
  };
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(`${store.path}-wal`, stir);
    // Too few watches: the timer alone is slower, not wrong.
    watcher.on("error", () => undefined);
  } catch {
    watcher = undefined;
  }
  const timer = setInterval(stir, LOOK_EVERY_MS);
  options.signal.addEventListener("abort", stir);
  try {
    while (!options.signal.aborted) {
      heard = false;
      for (const event of store.events.list({ afterId: cursor })) {
        cursor = event.id;
        yield event;
        if (options.signal.aborted) return;
      }
      if (!heard) await new Promise<void>((resolve) => (wake = resolve));
      wake = undefined;
    }
  } finally {
    options.signal.removeEventListener("abort", stir);
    clearInterval(timer);
    watcher?.close();
  }
}

import { openSync, closeSync, statSync } from "node:fs";
import { errnoOf, SampanError } from "../../base/index.ts";

/**
 * A lock between processes (and within one) that the kernel takes back when its holder dies, however it dies.
 *
 * Node and Bun offer no flock(2) or fcntl(2). A file that is made with O_EXCL and holds a pid is no substitute: after kill -9 it stays,
 * and two processes that both find it stale can both break it. But SQLite locks its database file with fcntl(2) record locks,
 * and `BEGIN EXCLUSIVE` on an empty file takes such a lock and writes nothing. So that is what a lock here is: an open
 * exclusive transaction on an empty database. About half a millisecond to take.
 *
 * A process loses its record locks on a file when it closes *any* descriptor of that file (fcntl(2)), so lock
 * files are opened by SQLite only; it knows about this and shares descriptors.
 */
export interface FileLock extends Disposable {
  release(): void;
}

const FIRST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 100;

/** Waits until the lock at `path` is free and takes it. Its directory must exist. Throws `signal`'s reason when aborted. */
export async function acquireLock(path: string, signal?: AbortSignal): Promise<FileLock> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 1.5)) {
    signal?.throwIfAborted();
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    // There is no event for "a record lock was released" that JavaScript could wait for.
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** Takes the lock if it is free. */
export function tryLock(path: string): FileLock | undefined {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  for (;;) {
    const before = inodeOf(path);
    if (before === undefined) {
      create(path);
      continue;
    }
    const database = new DatabaseSync(path);
    try {
      database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    } catch (error) {
      database.close();
      if (isBusy(error)) return undefined;
      throw new SampanError("internal", `Cannot lock "${path}": ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
    // A lock on a file that was meanwhile removed (by gc) excludes nobody.
    if (inodeOf(path) === before) return held(() => database.close());
    database.close();
  }
}

function held(close: () => void): FileLock {
  let open = true;
  const release = (): void => {
    if (open) close();
    open = false;
  };
  return { release, [Symbol.dispose]: release };
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && /locked|busy/i.test(error.message);
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

function create(path: string): void {
  try {
    // Only ever a new file: opening and closing an existing one would drop our own lock on it.
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

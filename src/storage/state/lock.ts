import { SampanError } from "../../base/errors.ts";
import { connect } from "./sqlite.ts";
import { isSqlite } from "./sqlite-errors.ts";

/** Longer than anything that is done under a lock; only a stopped process lets it run out. */
const WAIT_MS = 60_000;

/**
 * Does something that waits while nobody else, in this process or another, holds the lock of that file. For steps that take
 * several programs; whatever is only in the store has transactions. The kernel gives the lock back if we die: it is SQLite's own
 * lock on a file with nothing in it (https://sqlite.org/lockingv3.html).
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const connection = connect(path, "create");
  try {
    // First of all: SQLite's own waiting would stop this process, and with it the holder if that is in it too.
    connection.exec("PRAGMA busy_timeout=0");
    const until = performance.now() + WAIT_MS;
    while (!begin(connection)) {
      if (performance.now() > until)
        throw new SampanError("unavailable", `Cannot lock "${path}": somebody has had it for over a minute`, { hint: `See who: fuser -v ${path}` });
      await new Promise((resolve) => setTimeout(resolve, 2 + Math.random() * 3));
    }
    return await work();
  } finally {
    connection.close();
  }
}

function begin(connection: { exec(sql: string): void }): boolean {
  try {
    // Nothing is ever written, so there is nothing to roll back from. This reads the file, and so is refused while another has it.
    connection.exec("PRAGMA journal_mode=OFF");
    connection.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (isSqlite(error, "BUSY")) return false;
    throw error;
  }
}

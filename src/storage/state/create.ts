import type * as nodeFs from "node:fs";
import { errnoOf } from "../../base/errors.ts";
import { APPLICATION_ID, SCHEMA_VERSION, STEPS } from "./schema.ts";
import { connect } from "./sqlite.ts";

/**
 * Makes a new state file. It is built under a name of this process's own and then linked to its place, which succeeds
 * for one process and tells the others that they have come second. So whatever has the right name is complete,
 * and the two steps of SQLite that wait for nobody (the switch to WAL, the first CREATE TABLE) are never raced for.
 */
export function createState(path: string): void {
  // Not at the top: only the first command on a machine comes here.
  const fs = process.getBuiltinModule("node:fs");
  const directory = path.slice(0, path.lastIndexOf("/")) || "/";
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (fs.existsSync(path)) {
    // It is there, and could not be opened: this says why (EACCES, EISDIR), by throwing.
    fs.closeSync(fs.openSync(path, "r+"));
    return;
  }
  sweep(fs, path);
  const draft = `${path}.new-${process.pid}-${Math.random().toString(36).slice(2, 10)}`;
  try {
    fs.closeSync(fs.openSync(draft, "w", 0o600));
    const connection = connect(draft, "write");
    try {
      connection.exec("PRAGMA journal_mode=WAL");
      connection.exec(
        `BEGIN; PRAGMA application_id=${APPLICATION_ID}; ${STEPS.join("")} PRAGMA user_version=${SCHEMA_VERSION}; COMMIT`,
      );
      // Closing would do the same, but says nothing of a disk that is full half-way: what is linked then is a damaged file.
      connection.get("PRAGMA wal_checkpoint(TRUNCATE)");
    } finally {
      connection.close();
    }
    fs.linkSync(draft, path);
    syncDirectory(fs, directory);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  } finally {
    removeDraft(fs, draft);
  }
}

type Fs = typeof nodeFs;

function syncDirectory(fs: Fs, directory: string): void {
  const descriptor = fs.openSync(directory, "r");
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Drafts of processes that died between the first line and the last. */
function sweep(fs: Fs, path: string): void {
  const slash = path.lastIndexOf("/");
  const prefix = `${path.slice(slash + 1)}.new-`;
  for (const name of fs.readdirSync(path.slice(0, slash) || "/")) {
    const pid = name.startsWith(prefix) ? /^\d+/.exec(name.slice(prefix.length))?.[0] : undefined;
    if (pid !== undefined && !fs.existsSync(`/proc/${pid}`)) fs.rmSync(path.slice(0, slash + 1) + name, { force: true });
  }
}

function removeDraft(fs: Fs, draft: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) fs.rmSync(draft + suffix, { force: true });
}

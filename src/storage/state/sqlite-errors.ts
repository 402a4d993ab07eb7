import { SampanError, messageOf, type ErrorKind } from "../../base/errors.ts";

/** Primary result codes, https://sqlite.org/rescode.html. */
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const CONSTRAINT = 19;
const NOTADB = 26;

/**
 * SQLite's failure as a person should read it: what it means for the state, and what to do.
 * Anything that is not SQLite's passes through.
 */
export function translate(path: string, error: unknown): unknown {
  if (error instanceof SampanError) return error;
  const code = resultCode(error);
  if (code === undefined) return error;
  const say = (kind: ErrorKind, symbol: string, reason: string, hint?: string): SampanError =>
    new SampanError(kind, `Cannot use the state "${path}": ${reason}`, { code: `SQLITE_${symbol}`, hint, cause: error });
  switch (code & 0xff) {
    case BUSY:
    case LOCKED:
      return say("unavailable", "BUSY", "another process has been writing to it for over a minute", `See which one: fuser -v ${path}`);
    case CORRUPT:
      return say("internal", "CORRUPT", `the file is damaged (${messageOf(error)})`, damagedHint(path));
    case NOTADB:
      return say("internal", "NOTADB", "the file is damaged or is not an SQLite database", damagedHint(path));
    case FULL:
      return say("unavailable", "FULL", "no space left on device", "Free some space, then repeat the command");
    case READONLY:
      return say("denied", "READONLY", "it cannot be written to", "Check that you are root and that the file system is not mounted read-only");
    case IOERR:
      return say("unavailable", "IOERR", `input/output error (${messageOf(error)})`, "Check the disk: dmesg | tail");
    case CANTOPEN:
      return say("unavailable", "CANTOPEN", "the file cannot be opened");
    case CONSTRAINT:
      return say("internal", "CONSTRAINT", messageOf(error));
    default:
      return say("internal", String(code), messageOf(error));
  }
}

/** Whether this is a translated failure of that name ("CONSTRAINT", "CANTOPEN"…). */
export function isSqlite(error: unknown, symbol: string): error is SampanError {
  return error instanceof SampanError && error.code === `SQLITE_${symbol}`;
}

function damagedHint(path: string): string {
  return `Containers' files and images are not in it. Keep a copy of ${path} with its -wal and -shm, then try: sqlite3 ${path} .recover | sqlite3 recovered.db`;
}

function resultCode(error: unknown): number | undefined {
  if (error instanceof Error && "errcode" in error && typeof error.errcode === "number") return error.errcode;
  return undefined;
}

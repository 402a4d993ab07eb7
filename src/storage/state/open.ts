import { SampanError, errnoOf, messageOf } from "../../base/errors.ts";
import { Errno, errnoText } from "../../linux/errno.ts";
import type { ErrnoName } from "../../linux/errno.ts";
import { createState } from "./create.ts";
import { StateDatabase } from "./database.ts";
import { APPLICATION_ID, SCHEMA_VERSION, STEPS } from "./schema.ts";
import { connect, type Connection } from "./sqlite.ts";
import { isSqlite } from "./sqlite-errors.ts";
import { StateStore } from "./store.ts";

/**
 * Opens the state at an absolute path, making the file (0600) and its directory (0700) if they are missing.
 * Any number of processes may do so at once. Costs about half a millisecond when the file exists. Close it before the process
 * ends (`using`).
 *
 * @throws SampanError `unsupported` if a later Sampan wrote it, `internal` if it is damaged, `denied` without the rights.
 */
export function openState(path: string): StateStore {
  const reader = openReader(path);
  let database: StateDatabase | undefined;
  try {
    const version = versionOf(reader);
    if (version !== SCHEMA_VERSION) checkVersion(reader, version);
    database = new StateDatabase(path, reader);
    if (version < SCHEMA_VERSION) migrate(database);
    return new StateStore(database);
  } catch (error) {
    (database ?? reader).close();
    throw error;
  }
}

function openReader(path: string): Connection {
  try {
    return connect(path, "read");
  } catch (error) {
    // IOERR is what a directory in the file's place gives: `createState` finds the better word.
    if (!isSqlite(error, "CANTOPEN") && !isSqlite(error, "IOERR")) throw error;
  }
  try {
    createState(path);
  } catch (error) {
    throw cannotCreate(path, error);
  }
  return connect(path, "read");
}

function cannotCreate(path: string, error: unknown): unknown {
  if (error instanceof SampanError) return error;
  const errno = errnoOf(error);
  if (errno === "EACCES" || errno === "EPERM") {
    return new SampanError("denied", `Cannot open the state "${path}": permission denied`, { hint: "Run as root", code: errno, cause: error });
  }
  const reason = errno !== undefined && errno in Errno ? `${errnoText(Errno[errno as ErrnoName])} (${errno})` : messageOf(error); // as just looked up
  return new SampanError("unavailable", `Cannot open the state "${path}": ${reason}`, { code: errno, cause: error });
}

function versionOf(connection: { get<Row>(sql: string): Row | undefined }): number {
  return connection.get<{ user_version: number }>("PRAGMA user_version")?.user_version ?? 0;
}

function checkVersion(reader: Connection, version: number): void {
  const ours = reader.get<{ application_id: number }>("PRAGMA application_id")?.application_id === APPLICATION_ID;
  if (!ours || version < 1) {
    throw new SampanError(
      "invalid",
      `Cannot open the state "${reader.path}": it is not Sampan's`,
      { hint: "Choose another root with --root, or move the file away" },
    );
  }
  if (version > SCHEMA_VERSION) {
    throw new SampanError("unsupported", `Cannot open the state "${reader.path}": it has version ${version}, and this sampan knows versions up to ${SCHEMA_VERSION}`, {
      hint: "Use the newer sampan that wrote it",
    });
  }
}

function migrate(database: StateDatabase): void {
  database.transaction(
    () => {
      // Looked at again under the lock: another process may just have done it.
      for (const step of STEPS.slice(versionOf(database))) database.execute(step);
      database.execute(`PRAGMA user_version=${SCHEMA_VERSION}`);
    },
    { durable: true },
  );
}

import { connect } from "./sqlite.ts";

/**
 * Writes a copy of the state as it is at this moment, in one transaction (SQLite's VACUUM INTO), for whoever wants to try something
 * out on it. `to` must not exist.
 *
 * @throws SampanError with code "SQLITE_CANTOPEN" when there is no state at `path`.
 */
export function copyState(path: string, to: string): void {
  const connection = connect(path, "read");
  try {
    connection.run("VACUUM INTO ?", to);
  } finally {
    connection.close();
  }
}

import { connect } from "./sqlite.ts";

/**
 * Writes a copy of the state as it is at this moment, in one transaction (SQLite's VACUUM INTO), for whoever wants to try something
 * out on it. `path` must exist, and `to` must not.
 */
export function copyState(path: string, to: string): void {
  const connection = connect(path, "read");
  try {
    connection.run("VACUUM INTO ?", to);
  } finally {
    connection.close();
  }
}

import type * as nodeSqlite from "node:sqlite";
import { SampanError } from "../../base/errors.ts";
import { translate } from "./sqlite-errors.ts";

/**
 * The only file that knows which SQLite binding is in use: `node:sqlite`, on Bun and on Node alike
 * (docs/decisions/state.md has the measurement against `bun:sqlite`).
 */
export type SqlValue = string | number | bigint | null;

/**
 * How long a statement waits for another process's transaction. Transactions here are
 * fractions of a millisecond; only a stopped or stuck process lets this run out.
 */
const BUSY_TIMEOUT_MS = 60_000;

export class Connection {
  readonly path: string;
  readonly #database: nodeSqlite.DatabaseSync;
  /** Statements are prepared when first used: opening must not pay for those that are not. */
  readonly #statements = new Map<string, nodeSqlite.StatementSync>();

  constructor(path: string, database: nodeSqlite.DatabaseSync) {
    this.path = path;
    this.#database = database;
  }

  /** Every row. `Row` is what the statement's own column list says; the caller wrote both. */
  all<Row>(sql: string, ...values: SqlValue[]): Row[] {
    try {
      // SQLite's rows are untyped: the SELECT beside each call is what makes this type true.
      return this.#prepare(sql).all(...values) as Row[];
    } catch (error) {
      throw translate(this.path, error);
    }
  }

  /** The first row, or undefined. */
  get<Row>(sql: string, ...values: SqlValue[]): Row | undefined {
    try {
      // As in `all`.
      return this.#prepare(sql).get(...values) as Row | undefined;
    } catch (error) {
      throw translate(this.path, error);
    }
  }

  /** Runs one statement; returns how many rows it changed. */
  run(sql: string, ...values: SqlValue[]): number {
    try {
      return Number(this.#prepare(sql).run(...values).changes);
    } catch (error) {
      throw translate(this.path, error);
    }
  }

  /** Runs statements that are used once and return nothing. */
  exec(sql: string): void {
    try {
      this.#database.exec(sql);
    } catch (error) {
      throw translate(this.path, error);
    }
  }

  /** False after SQLite itself rolled back (a full disk, an I/O error). */
  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  /** Idempotent. */
  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #prepare(sql: string): nodeSqlite.StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/**
 * Opens a file. "read" and "write" want it to exist; only "create" makes one.
 *
 * @throws SampanError saying what is wrong with the file; code "SQLITE_CANTOPEN" when it is not there.
 */
export function connect(path: string, mode: "read" | "write" | "create"): Connection {
  // Loaded on use: commands that need no state do not pay for SQLite, and Node 20, which has none, gets a sentence.
  const sqlite: typeof nodeSqlite | undefined = process.getBuiltinModule("node:sqlite");
  if (sqlite === undefined) {
    throw new SampanError("unsupported", `Cannot open the state "${path}": this JavaScript runtime has no node:sqlite`, {
      hint: "Use the sampan executable, Bun 1.4 or Node 24",
    });
  }
  try {
    return new Connection(
      path,
      new sqlite.DatabaseSync(uri(path, mode), {
        readOnly: mode === "read",
        timeout: BUSY_TIMEOUT_MS,
        enableForeignKeyConstraints: true,
      }),
    );
  } catch (error) {
    throw translate(path, error);
  }
}

/** https://sqlite.org/uri.html: `mode=rw` is how SQLite is told not to make a missing file. */
function uri(path: string, mode: "read" | "write" | "create"): string {
  const encoded = encodeURI(path).replaceAll("?", "%3f").replaceAll("#", "%23");
  return `file:${encoded}?mode=${mode === "read" ? "ro" : mode === "write" ? "rw" : "rwc"}`;
}

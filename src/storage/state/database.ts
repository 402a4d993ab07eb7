import { connect, type Connection, type SqlValue } from "./sqlite.ts";

export interface TransactionOptions {
  /**
   * The commit outlives a power cut (one fsync). Otherwise it outlives the death of any process, but
   * the last few seconds may be lost with the power; the database stays consistent either way.
   */
  readonly durable?: boolean;
}

/**
 * One opened state file: a reader that pins it, and a writer opened by the first transaction.
 *
 * The reader is why closing is cheap. SQLite's last *writing* connection copies the WAL into the
 * database, with four fsyncs, and deletes it; the next process makes it anew, with two more. While a read-only
 * connection is open the writer is not the last, and a read-only one cannot do that work itself
 * (fcntl(2): a write lock needs a descriptor open for writing). So the WAL stays, and is
 * copied back when it has grown (`close`), not once per command.
 */
export class StateDatabase {
  readonly path: string;
  readonly #reader: Connection;
  #writer: Connection | undefined;
  #depth = 0;
  #durable = false;

  constructor(path: string, reader: Connection) {
    this.path = path;
    this.#reader = reader;
  }

  all<Row>(sql: string, ...values: SqlValue[]): Row[] {
    return (this.#writer ?? this.#reader).all<Row>(sql, ...values);
  }

  get<Row>(sql: string, ...values: SqlValue[]): Row | undefined {
    return (this.#writer ?? this.#reader).get<Row>(sql, ...values);
  }

  /** One write, in the open transaction or else in one of its own. Returns the number of rows changed. */
  run(sql: string, ...values: SqlValue[]): number {
    if (this.#depth > 0) return this.#open().run(sql, ...values);
    return this.transaction(() => this.#open().run(sql, ...values));
  }

  /**
   * Runs `work` as one transaction: all of it or, when it throws, nothing.
   *
   * BEGIN IMMEDIATE, because a deferred transaction that first reads and then writes is refused at once,
   * without waiting, when another process wrote in between (SQLITE_BUSY_SNAPSHOT).
   * Called inside another transaction it is a savepoint of that one, whose durability then counts.
   * `work` is synchronous: nobody else waits on us while we wait on something.
   */
  transaction<T>(work: () => T extends PromiseLike<unknown> ? never : T, options: TransactionOptions = {}): T {
    const writer = this.#open();
    const savepoint = this.#depth > 0 ? `s${this.#depth}` : undefined;
    if (savepoint === undefined) this.#setDurability(writer, options.durable ?? false);
    writer.run(savepoint === undefined ? "BEGIN IMMEDIATE" : `SAVEPOINT ${savepoint}`);
    this.#depth++;
    let result: T;
    try {
      result = work();
      writer.run(savepoint === undefined ? "COMMIT" : `RELEASE ${savepoint}`);
    } catch (error) {
      // After a full disk SQLite has rolled back already, and says so.
      if (writer.inTransaction) {
        if (savepoint === undefined) writer.run("ROLLBACK");
        else writer.exec(`ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`);
      }
      throw error;
    } finally {
      this.#depth--;
    }
    return result;
  }

  /** Statements without values or rows, inside a transaction. */
  execute(sql: string): void {
    this.#open().exec(sql);
  }

  /** Rises whenever another process has committed something (`PRAGMA data_version`). */
  dataVersion(): number {
    return (this.#writer ?? this.#reader).get<{ data_version: number }>("PRAGMA data_version")?.data_version ?? 0;
  }

  /** Idempotent. Must happen before the process ends: Bun would otherwise do what the class comment avoids. */
  close(): void {
    const writer = this.#writer;
    if (writer !== undefined) {
      this.#writer = undefined;
      copyBack(writer);
      writer.close();
    }
    this.#reader.close();
  }

  #open(): Connection {
    if (this.#writer === undefined) {
      const writer = connect(this.path, "write");
      // NORMAL: no fsync per commit, one per checkpoint (https://sqlite.org/pragma.html#pragma_synchronous).
      writer.exec("PRAGMA synchronous=NORMAL");
      this.#writer = writer;
    }
    return this.#writer;
  }

  #setDurability(writer: Connection, durable: boolean): void {
    if (durable === this.#durable) return;
    writer.exec(durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    this.#durable = durable;
  }
}

/**
 * Pages of 4096 bytes. The first process after the last has closed reads them all again: 128 take about 0.3 ms,
 * and are what some eight runs write.
 */
const WAL_LIMIT_FRAMES = 128;

/** Empties a grown WAL into the database. */
function copyBack(writer: Connection): void {
  try {
    // NOOP (SQLite 3.51) only counts. An older SQLite takes the unknown word for PASSIVE and copies, which is as correct.
    const frames = writer.get<{ log: number }>("PRAGMA wal_checkpoint(NOOP)")?.log ?? 0;
    if (frames <= WAL_LIMIT_FRAMES) return;
    // TRUNCATE: how much has been copied is forgotten with the last process, an empty file is not.
    // Never waits: if somebody is reading or writing, the next one to close does it.
    writer.exec("PRAGMA busy_timeout=0; PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // Housekeeping: a full disk or a damaged file must not turn a command that has succeeded into one that
    // failed. All that was committed is in the WAL, and the next one to read or write is told what is wrong.
  }
}

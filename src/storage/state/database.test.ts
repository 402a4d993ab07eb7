import { expect, test } from "bun:test";
import { StateDatabase } from "./database.ts";
import { connect } from "./sqlite.ts";
import { failure, temporaryState } from "./testing.ts";

test("a full disk undoes the transaction, says so in a sentence, and the next one works", () => {
  using state = temporaryState();
  const database = new StateDatabase(state.path, connect(state.path, "read"));
  try {
    const pages = database.get<{ page_count: number }>("PRAGMA page_count")?.page_count ?? 0;
    // The only way to SQLITE_FULL without a file system of one's own.
    database.transaction(() => database.execute(`PRAGMA max_page_count=${pages + 2}`));
    const insert = (bytes: number): void => void database.run("INSERT INTO events VALUES (NULL, 1, 't', 'a', 'x', ?)", "x".repeat(bytes));
    expect(failure(() => database.transaction(() => {
      insert(10);
      insert(100_000);
    }))).toBe(`unavailable: Cannot use the state "${state.path}": no space left on device`);
    expect(state.store.events.lastId()).toBe(0);
    insert(10);
    expect(state.store.events.lastId()).toBe(1);
  } finally {
    database.close();
  }
});

test("a broken rule of the schema is our mistake, and nothing of the transaction stays", () => {
  using state = temporaryState();
  const database = new StateDatabase(state.path, connect(state.path, "read"));
  try {
    expect(failure(() => database.transaction(() => {
      database.run("INSERT INTO volumes VALUES ('v', 'local', '{}', '{}', '/v', 0, 1)");
      database.run("INSERT INTO volumeUses VALUES ('v', 'nobody', '/x')");
    }))).toContain("FOREIGN KEY constraint failed");
    expect(state.store.volumes.list()).toEqual([]);
  } finally {
    database.close();
  }
});

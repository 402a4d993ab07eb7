import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openState } from "./index.ts";
import { connect } from "./sqlite.ts";
import { container, failure, temporaryDirectory, temporaryState } from "./testing.ts";

describe("openState", () => {
  test("makes directory and file for root alone, and nothing beside them but SQLite's own two", () => {
    using state = temporaryState();
    state.store.containers.reserve(container({ name: "web" }));
    const directory = state.path.slice(0, state.path.lastIndexOf("/"));
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(state.path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory).sort()).toEqual(["state.db", "state.db-shm", "state.db-wal"]);
  });

  test("what one store wrote, the next one reads; a path may hold any character", () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "a b?c#d%41", "state.db");
    {
      using store = openState(path);
      store.containers.reserve(container({ name: "web" }));
    }
    expect(existsSync(path)).toBe(true);
    using store = openState(path);
    expect(store.containers.find("web").status).toBe("creating");
  });

  test("closing leaves the WAL for the next one, until it has grown", () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "state.db");
    const write = (count: number): number => {
      using store = openState(path);
      for (let i = 0; i < count; i++) store.containers.reserve(container());
      store.close();
      return statSync(`${path}-wal`).size;
    };
    expect(write(1)).toBeGreaterThan(4096);
    expect(write(60)).toBe(0);
    using store = openState(path);
    expect(store.containers.list().length).toBe(61);
    expect(store.integrityProblems()).toEqual([]);
  });

  test("closing twice is one closing", () => {
    using state = temporaryState();
    state.store.close();
    expect(() => state.store.close()).not.toThrow();
  });

  test("a later version is refused by number, somebody else's database by name", () => {
    using state = temporaryState();
    state.store.close();
    const change = (sql: string): void => {
      const connection = connect(state.path, "write");
      connection.exec(sql);
      connection.close();
    };
    change("PRAGMA user_version=999");
    expect(
      failure(() => openState(state.path)),
    ).toBe(`unsupported: Cannot open the state "${state.path}": it has version 999, and this sampan knows versions up to 1`);
    change("PRAGMA application_id=7");
    expect(failure(() => openState(state.path))).toBe(`invalid: Cannot open the state "${state.path}": it is not Sampan's`);
  });

  test("damage is told, with what to do", () => {
    using state = temporaryState();
    for (let i = 0; i < 50; i++) state.store.containers.reserve(container());
    state.store.close();
    const copy = `${state.path}.copy`;
    copyFileSync(state.path, copy);
    // The header says that there are more pages than the file has.
    truncateSync(copy, 8192);
    const read = (): unknown => {
      using store = openState(copy);
      return store.containers.list();
    };
    expect(failure(read)).toContain(`internal: Cannot use the state "${copy}": the file is damaged`);
    writeFileSync(copy, "no database, by any measure".repeat(1000));
    expect(failure(() => openState(copy))).toContain("the file is damaged or is not an SQLite database");
    writeFileSync(copy, "");
    expect(failure(() => openState(copy))).toContain("it is not Sampan's");
  });

  test("a directory in the file's place, and a file in the directory's, are told as such", () => {
    using directory = temporaryDirectory();
    mkdirSync(join(directory.path, "state.db"));
    expect(failure(() => openState(join(directory.path, "state.db")))).toContain("EISDIR");
    writeFileSync(join(directory.path, "plain"), "");
    expect(failure(() => openState(join(directory.path, "plain", "state.db")))).toMatch(/unavailable: Cannot open the state .*(ENOTDIR|EEXIST)/);
  });

  test("a dead process's unfinished draft is swept up by the next creator", () => {
    using directory = temporaryDirectory();
    // No pid is this large (PID_MAX_LIMIT is 2^22).
    writeFileSync(join(directory.path, "state.db.new-99999999-abc"), "");
    using store = openState(join(directory.path, "state.db"));
    expect(store.containers.list()).toEqual([]);
    expect(readdirSync(directory.path).filter((name) => name.includes("new"))).toEqual([]);
  });

  test("opening what exists takes less than 1.5 ms", () => {
    using state = temporaryState();
    state.store.containers.reserve(container());
    state.store.close();
    const times = Array.from({ length: 40 }, () => {
      const start = performance.now();
      const store = openState(state.path);
      const time = performance.now() - start;
      store.close();
      return time;
    });
    // The best of forty: what it costs, whatever else the machine does.
    expect(Math.min(...times)).toBeLessThan(1.5);
  });
});

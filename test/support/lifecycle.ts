/** One engine for a file of tests about the life of containers, and what they ask of it. */
import { afterAll, afterEach, beforeAll, expect } from "bun:test";
import { Database } from "bun:sqlite";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { busyboxRootfs, createSandbox, createTempDir, type CommandResult, type Sandbox } from "./index.ts";

export interface State {
  Status: string; Running: boolean; Paused: boolean; Restarting: boolean; OOMKilled: boolean; Pid: number; ExitCode: number; Error: string; StartedAt: string; FinishedAt: string;
}

/** What these tests run with besides what each is about. */
export const base = ["--network", "none"];

// Bun types its asymmetric matchers as any; where they stand, a string is wanted.
export const containing = (words: string): string => expect.stringContaining(words) as string;
export const matching = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

export function expectFailure(result: CommandResult, words: string, exitCode = 1): void {
  expect(result).toMatchObject({ exitCode, stderr: containing(words) });
}

export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`It never came to this: ${what}`);
    await sleep(10);
  }
}

export function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

export interface Lifecycle {
  readonly box: Sandbox;
  /** A directory of the file's own. */
  readonly directory: string;
  readonly rootfs: string;
  readonly background: (name: string, line: string, ...options: string[]) => Promise<string>;
  readonly stateOf: (name: string) => Promise<State>;
  readonly openState: () => Database;
  readonly rowOf: (id: string) => Record<string, string | number | null> | null;
  readonly monitorOf: (id: string) => number;
  readonly leftovers: (id: string) => string[];
  readonly events: (id: string) => string[];
}

/** Registers what makes the engine before the tests and removes everything after each. */
export function lifecycle(): Lifecycle {
  const temp = createTempDir("lifecycle-");
  const rootfs = join(temp.path, "rootfs");
  const box = createSandbox();

  beforeAll(async () => {
    await busyboxRootfs(rootfs);
  });

  afterAll(async () => {
    await box[Symbol.asyncDispose]();
    temp[Symbol.dispose]();
  });

  /** A test that fails must not fail the next ones. */
  afterEach(async () => {
    const left = (await box.sampan(["ps", "-aq"])).stdout.split("\n").filter((id) => id !== "");
    if (left.length > 0) await box.sampan(["rm", "-f", ...left], { timeoutMs: 60_000 });
  });

  /** `run -d` of a shell line; gives the id. */
  function background(name: string, line: string, ...options: string[]): Promise<string> {
    return box.ok(["run", "-d", ...base, "--name", name, ...options, "--rootfs", rootfs, "sh", "-c", line]);
  }

  async function stateOf(name: string): Promise<State> {
    return JSON.parse(await box.ok(["container", "inspect", "-f", "{{json .State}}", name])) as State;
  }


  function openState(): Database {
    const database = new Database(join(box.root, "state.db"));
    database.run("PRAGMA busy_timeout=10000");
    return database;
  }

  /** The state file as it is, without any command having looked. */
  function rowOf(id: string): Record<string, string | number | null> | null {
    const database = openState();
    try {
      return database.query("SELECT * FROM containers WHERE id = ?").get(id) as Record<string, string | number | null> | null; // the columns of schema.ts
    } finally {
      database.close();
    }
  }


  function monitorOf(id: string): number {
    return Number.parseInt(readFileSync(join(box.state, "containers", id, "monitor"), "utf8"), 10);
  }

  /** What a container that is gone must not have left: cgroups, run state, files. */
  function leftovers(id: string): string[] {
    const places = [join(box.state, "containers", id), join(box.root, "containers", id)];
    for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
      const point = line.split(" ")[4];
      if (/ - cgroup2? /.test(line) && point !== undefined) places.push(join(point, "sampan", id));
    }
    return places.filter((place) => existsSync(place));
  }

  function events(id: string): string[] {
    const database = openState();
    try {
      return database.query<{ action: string }, [string]>("SELECT action FROM events WHERE actorId = ? ORDER BY id").all(id).map(({ action }) => action);
    } finally {
      database.close();
    }
  }

  return { box, directory: temp.path, rootfs, background, stateOf, openState, rowOf, monitorOf, leftovers, events };
}

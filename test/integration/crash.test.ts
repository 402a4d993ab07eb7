/**
 * SIGKILL of the command line, the monitor, the finisher and the sleeper at random points of many containers' lives. Afterwards every record
 * is true, nothing is left on the host, and the next command works. Seeded: `SAMPAN_CRASH_SEED=n` repeats a run.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { busyboxRootfs, createSandbox, createTempDir, type Sandbox } from "../support/index.ts";

const CONTAINERS = 200;
const BUDGET_MS = 60_000;
const seed = Number(process.env["SAMPAN_CRASH_SEED"] ?? 20_240_817);
const temp = createTempDir("crash-");
let rootfs = "";
let box: Sandbox;

beforeAll(async () => {
  rootfs = await busyboxRootfs(join(temp.path, "rootfs"));
  box = createSandbox();
});

afterAll(async () => {
  await box[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

/** mulberry32: small, and the same everywhere. */
function generator(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Process {
  readonly pid: number;
  /** A `sampan`, finishers included; or a keel: front, monitor or sleeper. */
  readonly role: "cli" | "executor";
}

/** What of this sandbox runs now: by its directories in the command line, or by the report of its plan. */
function processes(): Process[] {
  const found: Process[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, "latin1");
      const environment = readFileSync(`/proc/${name}/environ`, "latin1");
      if (command.startsWith("keel") && readFileSync(`/proc/${name}/maps`, "latin1").includes(box.state)) found.push({ pid: Number(name), role: "executor" });
      else if (command.includes("sampan") && (command.includes(box.state) || environment.includes(box.state))) found.push({ pid: Number(name), role: "cli" });
    } catch {
      continue; // ended meanwhile
    }
  }
  return found;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended meanwhile.
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

function cgroupsLeft(ids: readonly string[]): string[] {
  const points = readFileSync("/proc/self/mountinfo", "utf8").split("\n").filter((line) => / - cgroup2? /.test(line)).map((line) => line.split(" ")[4] ?? "");
  return points.flatMap((point) => ids.map((id) => join(point, "sampan", id))).filter((path) => existsSync(path));
}

function query<T>(sql: string): T[] {
  const database = new Database(join(box.root, "state.db"));
  try {
    database.run("PRAGMA busy_timeout=10000");
    return database.query(sql).all() as T[]; // the statement's own columns
  } finally {
    database.close();
  }
}

test(`${CONTAINERS} containers, killed at random (seed ${seed})`, async () => {
  const random = generator(seed);
  const pick = <T>(list: readonly T[]): T => {
    const item = list[Math.floor(random() * list.length)];
    if (item === undefined) throw new Error("Cannot pick from nothing");
    return item;
  };
  await box.ok(["run", "--rm", "--network", "none", "--rootfs", rootfs, "true"]);
  const lines = ["exit 0", "sleep 0.05; exit 3", "sleep 0.3", "exec sleep 1000", "head -c 200000 /dev/zero | tr '\\0' x; sleep 0.1"];
  const removed = new Set<string>();
  const began = performance.now();
  let made = 0;
  const killed = { cli: 0, executor: 0 };
  const worker = async (): Promise<void> => {
    while (made < CONTAINERS && performance.now() - began < BUDGET_MS * 0.6) {
      const name = `c${(made += 1)}`;
      const options = [...(random() < 0.5 ? ["-d"] : []), ...(random() < 0.3 ? ["--rm"] : random() < 0.3 ? ["--restart", "always"] : [])];
      if (options.includes("--rm")) removed.add(name);
      const cli = box.start(["run", ...options, "--network", "none", "--name", name, "--rootfs", rootfs, "sh", "-c", pick(lines)]);
      const over = new Promise<void>((resolve) => cli.once("exit", () => { resolve(); }));
      cli.stdout?.resume();
      cli.stderr?.resume();
      await sleep(random() * 40);
      if (random() < 0.4) {
        killed.cli += 1;
        cli.kill("SIGKILL");
      }
      await Promise.race([over, sleep(60)]);
      cli.kill("SIGKILL");
      await over;
      const action = random();
      const command = action < 0.15 ? ["stop", "-t", "0", name] : action < 0.3 ? ["rm", "-f", name] : action < 0.4 ? ["restart", "-t", "0", name] : undefined;
      if (command === undefined) continue;
      const second = box.start(command);
      const done = new Promise<void>((resolve) => second.once("exit", () => { resolve(); }));
      second.stdout?.resume();
      second.stderr?.resume();
      await sleep(random() * 30);
      if (random() < 0.5) {
        killed.cli += 1;
        second.kill("SIGKILL");
      }
      await done;
    }
  };
  let isOver = false;
  const reaper = (async (): Promise<void> => {
    while (!isOver) {
      await sleep(10 + random() * 40);
      const all = processes();
      const wanted = random() < 0.6 ? "executor" : "cli";
      const candidates = all.filter(({ role }) => role === wanted);
      if (candidates.length === 0) continue;
      const { pid, role } = pick(candidates);
      killed[role] += 1;
      kill(pid);
    }
  })();
  await Promise.all([worker(), worker(), worker(), worker()]);
  isOver = true;
  await reaper;
  expect(made).toBeGreaterThan(CONTAINERS / 2);
  expect(killed.executor).toBeGreaterThan(10);
  expect(killed.cli).toBeGreaterThan(10);

  // Whatever happened, it is told as it is: what reads as running runs, and nothing else does.
  const listed = (await box.ok(["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.State}} {{.Names}}"], { timeoutMs: 60_000 })).split("\n").filter((line) => line !== "").map((line) => line.split(" "));
  expect(listed.filter(([, state]) => !["created", "running", "restarting", "exited"].includes(state ?? ""))).toEqual([]);
  // A container may end by itself between being listed and being looked at; with --rm it is gone then, and only then.
  const look = async (id: string): Promise<string | undefined> => {
    const { exitCode, stdout, stderr } = await box.sampan(["container", "inspect", "-f", "{{.State.Status}} {{.State.Pid}}", id]);
    if (exitCode === 0) return stdout.trim();
    expect(stderr).toContain(`No such container: ${id}`);
    return undefined;
  };
  for (const [id = "", , name = ""] of listed) {
    const seen = await look(id);
    if (seen === undefined) expect(removed).toContain(name);
    const [status, pid] = (seen ?? "").split(" ");
    // What has died since is told as dead by now.
    if (status === "running" && !isAlive(Number(pid))) expect(await look(id)).not.toBe(seen);
  }
  const ids = query<{ id: string }>("SELECT DISTINCT actorId AS id FROM events").map(({ id }) => id);

  // The next command works, and prune takes what has ended.
  await box.ok(["run", "--rm", "--network", "none", "--rootfs", rootfs, "true"]);
  await box.ok(["container", "prune", "-f"], { timeoutMs: 60_000 });
  const left = (await box.ok(["ps", "-aq", "--no-trunc"])).split("\n").filter((id) => id !== "");
  if (left.length > 0) await box.ok(["rm", "-f", ...left], { timeoutMs: 60_000 });
  expect(await box.ok(["ps", "-aq"])).toBe("");
  // A plan's file has a name for a moment only, but somebody may be killed in that moment.
  await box.ok(["system", "prune", "-f"], { timeoutMs: 60_000 });

  // Nothing is left: no file, no cgroup, no process, no row.
  const deadline = performance.now() + 5000;
  while (processes().length > 0 && performance.now() < deadline) await sleep(20);
  expect(processes()).toEqual([]);
  expect(readdirSync(join(box.root, "containers"))).toEqual([]);
  expect(readdirSync(join(box.state, "containers"))).toEqual([]);
  expect(readdirSync(box.state).filter((name) => name.startsWith("plan."))).toEqual([]);
  expect(cgroupsLeft(ids)).toEqual([]);
  expect(query("SELECT * FROM containers")).toEqual([]);
  expect(query("SELECT * FROM resources")).toEqual([]);
  expect(query<{ integrity_check: string }>("PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
}, BUDGET_MS + 60_000);

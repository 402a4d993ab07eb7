/** A container's life after `run`: every state, what may be done in it, and what is left when it is over. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { busyboxRootfs, createSandbox, createTempDir, type CommandResult, type Sandbox } from "../support/index.ts";

const temp = createTempDir("lifecycle-");
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

/** A test that fails must not fail the next ones. */
afterEach(async () => {
  const left = (await box.sampan(["ps", "-aq"])).stdout.split("\n").filter((id) => id !== "");
  if (left.length > 0) await box.sampan(["rm", "-f", ...left], { timeoutMs: 60_000 });
});

interface State {
  Status: string; Running: boolean; Paused: boolean; Restarting: boolean; OOMKilled: boolean; Pid: number; ExitCode: number; Error: string; StartedAt: string; FinishedAt: string;
}

const base = ["--network", "none"];

/** `run -d` of a shell line; gives the id. */
function background(name: string, line: string, ...options: string[]): Promise<string> {
  return box.ok(["run", "-d", ...base, "--name", name, ...options, "--rootfs", rootfs, "sh", "-c", line]);
}

async function stateOf(name: string): Promise<State> {
  return JSON.parse(await box.ok(["container", "inspect", "-f", "{{json .State}}", name])) as State;
}

async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 5000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`It never came to this: ${what}`);
    await sleep(10);
  }
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

function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
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

// Bun types its asymmetric matchers as any; where they stand, a string is wanted.
const containing = (words: string): string => expect.stringContaining(words) as string;
const matching = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

function expectFailure(result: CommandResult, words: string, exitCode = 1): void {
  expect(result).toMatchObject({ exitCode, stderr: containing(words) });
}

describe("states", () => {
  test("create, start, stop, start again: the files stay, the states are told", async () => {
    const id = await box.ok(["create", ...base, "--name", "steps", "--rootfs", rootfs, "sh", "-c", "echo x >> /count; exec sleep 1000"]);
    expect(await stateOf("steps")).toMatchObject({ Status: "created", Running: false, Pid: 0, StartedAt: "0001-01-01T00:00:00Z" });
    expect(await box.ok(["wait", "steps"])).toBe("0");
    expect(await box.ok(["start", "steps"])).toBe("steps");
    const running = await stateOf(id);
    expect(running).toMatchObject({ Status: "running", Running: true });
    expect(readFileSync(`/proc/${running.Pid}/cmdline`, "latin1")).toBe("sleep\x001000\0");
    expect(await box.ok(["start", "steps"])).toBe("steps");
    expect((await stateOf(id)).Pid).toBe(running.Pid);
    expect(await box.ok(["stop", "-t", "0", id.slice(0, 10)])).toBe(id.slice(0, 10));
    expect(await stateOf("steps")).toMatchObject({ Status: "exited", ExitCode: 137, Pid: 0, Running: false });
    expect(isAlive(running.Pid)).toBe(false);
    expect(existsSync(join(box.state, "containers", id))).toBe(false);
    await box.ok(["start", "steps"]);
    await until("the program ran twice", () => readFileSync(join(box.root, "containers", id, "upper/count"), "utf8") === "x\nx\n");
    expect(await box.ok(["rm", "-f", "steps"])).toBe("steps");
    expect(leftovers(id)).toEqual([]);
    expect(events(id)).toEqual(["create", "start", "kill", "kill", "die", "stop", "start", "kill", "die", "destroy"]);
  });

  test("start -a gives output and exit code, start -ai input too", async () => {
    await box.ok(["create", "-i", ...base, "--name", "attached", "--rootfs", rootfs, "sh", "-c", "read line; echo \"got $line\"; echo bad >&2; exit 7"]);
    expect(await box.sampan(["start", "-ai", "attached"], { input: "this\n" })).toMatchObject({ exitCode: 7, stdout: "got this\n", stderr: "bad\n" });
    expect(await box.sampan(["start", "-ai", "attached"], { input: "that\n" })).toMatchObject({ exitCode: 7, stdout: "got that\n" });
    expectFailure(await box.sampan(["start", "-a", "attached", "other"]), "you cannot start and attach multiple containers at once");
    await box.ok(["rm", "attached"]);
  });

  test("a background container with --rm goes by itself, with everything", async () => {
    const id = await background("fleeting", "sleep 0.2", "--rm");
    const waited = box.ok(["wait", "fleeting"]);
    await until("the container is gone", () => rowOf(id) === null);
    expect(await waited).toBe("0");
    expect(leftovers(id)).toEqual([]);
    expect(events(id)).toEqual(["create", "start", "die", "destroy"]);
  });

  test("a program that ends at once is finished without anybody looking", async () => {
    const ids = await Promise.all(Array.from({ length: 8 }, (_, i) => background(`short${i}`, `exit ${i}`)));
    await until("all have ended", () => ids.every((id) => rowOf(id)?.["status"] === "exited"));
    expect(ids.map((id) => rowOf(id)?.["exitCode"])).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await box.ok(["rm", ...ids])).toBe(ids.join("\n"));
    expect(ids.flatMap(leftovers)).toEqual([]);
  });

  test("a program that is not there: created, with the exit code and the reason", async () => {
    expect(await box.sampan(["run", ...base, "--name", "nothing", "--rootfs", rootfs, "nosuch"])).toMatchObject({ exitCode: 127 });
    expect(await stateOf("nothing")).toMatchObject({ Status: "created", ExitCode: 127, Error: containing("nosuch"), StartedAt: "0001-01-01T00:00:00Z" });
    expectFailure(await box.sampan(["start", "nothing"]), '"nosuch"', 1);
    await box.ok(["rm", "nothing"]);
    expect((await box.sampan(["run", "--rm", ...base, "--rootfs", rootfs, "/etc/passwd"])).exitCode).toBe(126);
    expect(await box.ok(["ps", "-aq"])).toBe("");
  });

  test("the memory killer is told", async () => {
    const result = await box.sampan(["run", ...base, "--name", "hungry", "-m", "8m", "--rootfs", rootfs, "sh", "-c", "x=aaaaaaaa; while true; do x=$x$x; done"]);
    expect(result.exitCode).toBe(137);
    expect(await stateOf("hungry")).toMatchObject({ Status: "exited", OOMKilled: true, ExitCode: 137 });
    await box.ok(["rm", "hungry"]);
  });
});

describe("removal by force", () => {
  test("of a container in the foreground: its command line ends with 137, without a word", async () => {
    const foreground = box.sampan(["run", ...base, "--name", "watched", "--rootfs", rootfs, "sh", "-c", "echo here; exec sleep 1000"]);
    await until("it runs", async () => (await box.ok(["ps", "-q"])) !== "");
    await sleep(50);
    await box.ok(["rm", "-f", "watched"]);
    expect(await foreground).toMatchObject({ exitCode: 137, stdout: "here\n", stderr: "" });
    expect(await box.ok(["ps", "-aq"])).toBe("");
  });

  test("fifty that run are gone in well under the time of fifty", async () => {
    const names = Array.from({ length: 50 }, (_, i) => `bulk${i}`);
    const ids = await Promise.all(names.map((name) => background(name, "exec sleep 1000")));
    const began = performance.now();
    await box.ok(["rm", "-f", ...names]);
    // The bar on an idle machine is half a second (bench/density.ts).
    expect(performance.now() - began).toBeLessThan(5000);
    expect(ids.flatMap(leftovers)).toEqual([]);
  }, 60_000);

  test("-v and --rm take anonymous volumes along, a plain rm leaves them", async () => {
    const volumes = join(box.root, "volumes");
    const count = (): number => (existsSync(volumes) ? readdirSync(volumes).filter((name) => !name.startsWith(".")).length : 0);
    const before = count();
    await background("vol", "exec sleep 1000", "-v", "/data");
    expect(count()).toBe(before + 1);
    await box.ok(["rm", "-f", "vol"]);
    expect(count()).toBe(before + 1);
    await background("vol", "exec sleep 1000", "-v", "/data");
    await box.ok(["rm", "-fv", "vol"]);
    expect(count()).toBe(before + 1);
    await box.ok(["run", "--rm", ...base, "-v", "/data", "--rootfs", rootfs, "true"]);
    expect(count()).toBe(before + 1);
  });
});

describe("stop and kill", () => {
  test("a program that listens ends with its own code, at once", async () => {
    await background("polite", "trap 'exit 5' TERM; while true; do sleep 0.01; done");
    await sleep(100);
    const began = performance.now();
    await box.ok(["stop", "polite"]);
    expect(performance.now() - began).toBeLessThan(1000);
    expect(await stateOf("polite")).toMatchObject({ Status: "exited", ExitCode: 5 });
    expect(await box.ok(["stop", "polite"])).toBe("polite");
    await box.ok(["rm", "polite"]);
  });

  test("the stop signal: the container's own, or the one asked for; then SIGKILL when time is up", async () => {
    await background("own", "trap 'exit 9' USR1; trap 'exit 8' INT; trap '' TERM; while true; do sleep 0.01; done", "--stop-signal", "USR1", "--stop-timeout", "1");
    await sleep(100);
    await box.ok(["stop", "own"]);
    expect((await stateOf("own")).ExitCode).toBe(9);
    await box.ok(["start", "own"]);
    await sleep(100);
    await box.ok(["stop", "-s", "int", "own"]);
    expect((await stateOf("own")).ExitCode).toBe(8);
    await box.ok(["start", "own"]);
    await sleep(100);
    const began = performance.now();
    await box.ok(["stop", "-s", "TERM", "own"]);
    expect((await stateOf("own")).ExitCode).toBe(137);
    expect(performance.now() - began).toBeWithin(950, 3000);
    await box.ok(["rm", "own"]);
  });

  test("kill sends what it is told, and waits for SIGKILL", async () => {
    const id = await background("killed", "trap 'echo hup >> /heard' HUP; while true; do sleep 0.01; done");
    await sleep(100);
    for (const signal of ["HUP", "sighup", "1"]) {
      await box.ok(["kill", "-s", signal, "killed"]);
      await sleep(50);
    }
    await until("three signals were heard", () => readFileSync(join(box.root, "containers", id, "upper/heard"), "utf8") === "hup\nhup\nhup\n");
    const { Pid } = await stateOf("killed");
    await box.ok(["kill", "killed"]);
    expect(isAlive(Pid)).toBe(false);
    expect(rowOf(id)).toMatchObject({ status: "exited", exitCode: 137, exitSignal: 9 });
    expectFailure(await box.sampan(["kill", "killed"]), `Cannot kill container: killed: Container ${id} is not running`);
    expectFailure(await box.sampan(["kill", "-s", "FOO", "killed"]), "Invalid signal: FOO");
    await box.ok(["rm", "killed"]);
  });

  test("restart: another process, the same container; one with --rm survives it", async () => {
    const id = await background("again", "exec sleep 1000", "--rm");
    const { Pid } = await stateOf(id);
    expect(await box.ok(["restart", "-t", "0", "again"])).toBe("again");
    const after = await stateOf(id);
    expect(after.Pid).not.toBe(Pid);
    expect(after.Status).toBe("running");
    await box.ok(["stop", "-t", "0", "again"]);
    await until("it is gone", () => rowOf(id) === null);
    expect(leftovers(id)).toEqual([]);
  });

  test("pause stops every process, and the states that it forbids say so in Docker's words", async () => {
    const id = await background("frozen", "while true; do echo x >> /ticks; sleep 0.01; done");
    const ticks = join(box.root, "containers", id, "upper/ticks");
    await until("it ticks", () => existsSync(ticks));
    await box.ok(["pause", "frozen"]);
    const before = readFileSync(ticks).length;
    await sleep(150);
    expect(readFileSync(ticks).length).toBe(before);
    expect(await stateOf("frozen")).toMatchObject({ Status: "paused", Paused: true, Running: true });
    expectFailure(await box.sampan(["pause", "frozen"]), `Container ${id} is already paused`);
    expectFailure(await box.sampan(["start", "frozen"]), "cannot start a paused container, try unpause instead");
    expectFailure(await box.sampan(["rm", "frozen"]), `You cannot remove a paused container ${id}. Unpause and then stop the container before attempting removal or force remove`);
    await box.ok(["unpause", "frozen"]);
    await until("it ticks again", () => readFileSync(ticks).length > before);
    expectFailure(await box.sampan(["unpause", "frozen"]), `Container ${id} is not paused`);
    expectFailure(await box.sampan(["rm", "frozen"]), `You cannot remove a running container ${id}. Stop the container before attempting removal or force remove`);
    await box.ok(["pause", "frozen"]);
    await box.ok(["stop", "-t", "1", "frozen"]);
    expect((await stateOf("frozen")).Status).toBe("exited");
    await box.ok(["rm", "frozen"]);
    expect(leftovers(id)).toEqual([]);
  });
});

describe("names and many at once", () => {
  test("rename: the new name finds it, a taken one is refused", async () => {
    const id = await background("before", "sleep 100");
    await background("taken", "sleep 100");
    await box.ok(["rename", "before", "after"]);
    expect(await box.ok(["container", "inspect", "-f", "{{.Id}} {{.Name}}", "after"])).toBe(`${id} /after`);
    expectFailure(await box.sampan(["rename", "after", "taken"]), 'Error when allocating new name: Conflict. The container name "/taken" is already in use by container');
    expectFailure(await box.sampan(["rename", "after", "after"]), "Renaming a container with the same name as its current name");
    expectFailure(await box.sampan(["rename", "after", "../x"]), "Invalid container name");
    await box.ok(["rm", "-f", "after", "taken"]);
  });

  test("each failure is told, the others are done, the exit code is 1", async () => {
    await background("one", "sleep 100");
    await background("two", "sleep 100");
    const result = await box.sampan(["stop", "-t", "0", "one", "nosuch", "two"]);
    expect(result).toMatchObject({ exitCode: 1, stdout: "one\ntwo\n", stderr: "sampan: No such container: nosuch\n" });
    expect(await box.sampan(["rm", "nosuch", "one"])).toMatchObject({ exitCode: 1, stdout: "one\n" });
    expect(await box.sampan(["rm", "-f", "nosuch", "two"])).toMatchObject({ exitCode: 0, stdout: "two\n", stderr: "sampan: No such container: nosuch\n" });
  });

  test("an ambiguous prefix is refused", async () => {
    const ids = await Promise.all(Array.from({ length: 18 }, (_, i) => box.ok(["create", ...base, "--name", `many${i}`, "--rootfs", rootfs, "true"])));
    const counts = Map.groupBy(ids, (id) => id[0]);
    const [prefix = ""] = [...counts].find(([, group]) => group.length > 1) ?? [];
    // Eighteen ids have sixteen first digits.
    const result = await box.sampan(["container", "inspect", prefix]);
    expect(result).toMatchObject({ exitCode: 1, stderr: matching(/multiple IDs found with provided prefix/i) });
    expect((await box.ok(["container", "prune", "-f"])).split("\n").filter((line) => ids.includes(line)).sort()).toEqual(ids.toSorted());
    expect(ids.flatMap(leftovers)).toEqual([]);
  });

  test("--cidfile: written, and refused where there is one", async () => {
    const file = join(temp.path, "cid");
    const id = await background("cid", "sleep 100", "--cidfile", file);
    expect(readFileSync(file, "utf8")).toBe(id);
    expectFailure(await box.sampan(["run", "--rm", ...base, "--cidfile", file, "--rootfs", rootfs, "true"]), "ontainer ID file found, make sure the other container isn't running or delete", 125);
    await box.ok(["rm", "-f", "cid"]);
  });
});

describe("restart policies", () => {
  test("on-failure: as often as it says, then the last exit code stays", async () => {
    const id = await background("failing", "echo x >> /runs; exit 3", "--restart", "on-failure:2");
    await until("it has given up", () => rowOf(id)?.["status"] === "exited");
    expect(rowOf(id)).toMatchObject({ exitCode: 3, restartCount: 2 });
    expect(readFileSync(join(box.root, "containers", id, "upper/runs"), "utf8")).toBe("x\nx\nx\n");
    await box.ok(["rm", "failing"]);
    expect(leftovers(id)).toEqual([]);
  });

  test("always: the wait doubles; no JavaScript waits; stop ends it", async () => {
    const id = await background("lasting", "cut -d' ' -f1 /proc/uptime >> /runs; exit 0", "--restart", "always");
    const runs = join(box.root, "containers", id, "upper/runs");
    const times = (): number[] => readFileSync(runs, "utf8").trim().split("\n").map((line) => Math.round(Number(line) * 1000));
    await until("it ran four times", () => existsSync(runs) && times().length >= 4);
    const gaps = times().slice(1, 4).map((time, i) => time - (times()[i] ?? 0));
    [100, 200, 400].forEach((wait, i) => { expect(gaps[i]).toBeWithin(wait - 10, wait + 250); });
    await until("it waits", () => rowOf(id)?.["status"] === "restarting" && rowOf(id)?.["monitorPid"] !== null);
    const sleeper = Number(rowOf(id)?.["monitorPid"]);
    expect(readFileSync(`/proc/${sleeper}/cmdline`, "latin1")).toStartWith("keel");
    expect(await box.ok(["ps", "--format", "{{.Names}} {{.State}}"])).toBe("lasting restarting");
    expectFailure(await box.sampan(["rm", "lasting"]), `You cannot remove a restarting container ${id}`);
    expectFailure(await box.sampan(["pause", "lasting"]), `Container ${id} is restarting, wait until the container is running`);
    await box.ok(["stop", "lasting"]);
    await until("the sleeper is gone", () => !isAlive(sleeper));
    const count = times().length;
    await sleep(1000);
    expect(times().length).toBe(count);
    expect((await stateOf("lasting")).Status).toBe("exited");
    await box.ok(["rm", "lasting"]);
  });

  test("a stop of a running one is not answered by a restart; a sleeper that was killed is replaced", async () => {
    const id = await background("kept", "exec sleep 1000", "--restart", "always");
    process.kill((await stateOf("kept")).Pid, "SIGKILL");
    await until("it waits", () => rowOf(id)?.["status"] === "restarting" && rowOf(id)?.["monitorPid"] !== null);
    process.kill(Number(rowOf(id)?.["monitorPid"]), "SIGKILL");
    await sleep(20);
    await box.ok(["ps"]);
    await until("it runs again", () => rowOf(id)?.["status"] === "running");
    expect(await box.ok(["container", "inspect", "-f", "{{.RestartCount}}", "kept"])).toBe("1");
    await box.ok(["stop", "-t", "0", "kept"]);
    await sleep(300);
    expect(rowOf(id)).toMatchObject({ status: "exited", hasBeenManuallyStopped: 1 });
    await box.ok(["rm", "-f", "kept"]);
  });

  test("--rm and --restart exclude each other", async () => {
    expectFailure(await box.sampan(["run", "--rm", "--restart", "always", ...base, "--rootfs", rootfs, "true"]), "--restart and --rm", 125);
  });
});

describe("the truth", () => {
  test("kill -9 of the command line: the container goes on, and is finished at its end", async () => {
    const cli = box.start(["run", ...base, "--name", "orphan", "--rootfs", rootfs, "sh", "-c", "sleep 0.6; exit 6"]);
    const find = (): Promise<string> => box.ok(["ps", "-q", "--no-trunc", "-f", "name=orphan"]);
    await until("it runs", async () => (await find()) !== "");
    const id = await find();
    cli.kill("SIGKILL");
    await sleep(100);
    expect((await stateOf("orphan")).Status).toBe("running");
    await until("it is finished without anybody looking", () => rowOf(id)?.["status"] === "exited");
    expect(rowOf(id)?.["exitCode"]).toBe(6);
    await box.ok(["rm", "orphan"]);
    expect(leftovers(id)).toEqual([]);
  });

  test("kill -9 of the monitor: the container dies with it, and whoever looks says so", async () => {
    const id = await background("headless", "exec sleep 1000");
    const { Pid } = await stateOf("headless");
    process.kill(monitorOf(id), "SIGKILL");
    await until("the process is gone", () => !isAlive(Pid));
    expect(await box.ok(["ps", "-q"])).toBe("");
    expect(await stateOf("headless")).toMatchObject({ Status: "exited", ExitCode: 137, Error: containing("monitor was killed") });
    expect(existsSync(join(box.state, "containers", id))).toBe(false);
    await box.ok(["start", "headless"]);
    expect((await stateOf("headless")).Status).toBe("running");
    await box.ok(["rm", "-f", "headless"]);
    expect(leftovers(id)).toEqual([]);
  });

  test("after another boot everything reads as exited, and boot starts what a policy says", async () => {
    const names = ["no", "always", "unless-stopped", "on-failure"];
    const ids = await Promise.all(names.map((policy) => background(`boot-${policy}`, "exec sleep 1000", "--restart", policy)));
    const stopped = await background("boot-stopped", "exec sleep 1000", "--restart", "unless-stopped");
    await box.ok(["stop", "-t", "0", "boot-stopped"]);
    // A reboot, as far as the state can tell: the processes are gone, and so is the boot in which they had their pids.
    for (const id of ids) process.kill(monitorOf(id), "SIGSTOP");
    const monitors = ids.map(monitorOf);
    const database = openState();
    database.run("UPDATE containers SET bootId = 'another' WHERE status = 'running'");
    database.close();
    for (const pid of monitors) process.kill(pid, "SIGKILL");
    expect(await box.ok(["ps", "-q"])).toBe("");
    expect(await stateOf("boot-no")).toMatchObject({ Status: "exited", ExitCode: 255, Error: containing("restarted") });
    expect((await box.ok(["system", "boot"])).split("\n").sort()).toEqual(["boot-always", "boot-on-failure", "boot-unless-stopped"]);
    expect((await box.ok(["ps", "--format", "{{.Names}}"])).split("\n").sort()).toEqual(["boot-always", "boot-on-failure", "boot-unless-stopped"]);
    expect(await box.ok(["system", "boot"])).toBe("");
    await box.ok(["rm", "-f", ...ids, stopped]);
    expect([...ids, stopped].flatMap(leftovers)).toEqual([]);
  });
});

describe("several at once", () => {
  test("100 run -d in parallel: all run, each once", async () => {
    const names = Array.from({ length: 100 }, (_, i) => `par${i}`);
    const results = await Promise.all(names.map((name) => box.sampan(["run", "-d", ...base, "--name", name, "--rootfs", rootfs, "sleep", "1000"], { timeoutMs: 60_000 })));
    expect(results.filter(({ exitCode }) => exitCode !== 0)).toEqual([]);
    const ids = results.map(({ stdout }) => stdout.trim());
    expect((await box.ok(["ps", "-q", "--no-trunc"])).split("\n").sort()).toEqual(ids.toSorted());
    const pids = await box.ok(["container", "inspect", "-f", "{{.State.Pid}}", ...names]);
    expect(new Set(pids.split("\n").filter((pid) => isAlive(Number(pid)))).size).toBe(100);
    await box.ok(["rm", "-f", ...names]);
    expect(ids.flatMap(leftovers)).toEqual([]);
    expect(await box.ok(["ps", "-aq"])).toBe("");
  }, 90_000);

  test("two removals of one, two starts of one, a stop against a start", async () => {
    for (let round = 0; round < 5; round += 1) {
      const id = await box.ok(["create", ...base, "--name", "contested", "--rootfs", rootfs, "sh", "-c", "echo x >> /runs; exec sleep 1000"]);
      const starts = await Promise.all([1, 2, 3].map(() => box.sampan(["start", "contested"])));
      expect(starts.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
      await until("it ran", () => existsSync(join(box.root, "containers", id, "upper/runs")));
      expect(readFileSync(join(box.root, "containers", id, "upper/runs"), "utf8")).toBe("x\n");
      const mixed = await Promise.all([box.sampan(["stop", "-t", "0", "contested"]), box.sampan(["start", "contested"]), box.sampan(["kill", "contested"]), box.sampan(["restart", "-t", "0", "contested"])]);
      for (const { stderr } of mixed) expect(stderr).toMatch(/^$|is not running/);
      const removals = await Promise.all([1, 2, 3].map(() => box.sampan(["rm", "-f", "contested"])));
      expect(removals.some(({ exitCode }) => exitCode === 0)).toBe(true);
      for (const { stderr } of removals) expect(stderr).toMatch(/^$|No such container|removal of container contested is already in progress/);
      expect(rowOf(id)).toBeNull();
      expect(leftovers(id)).toEqual([]);
    }
  }, 60_000);
});

describe("ps", () => {
  test("filters", async () => {
    const run = (name: string, line: string, ...options: string[]): Promise<string> => background(name, line, ...options);
    await run("f-first", "exec sleep 1000", "--label", "tier=a", "--label", "x");
    const second = await run("f-second", "exit 4", "--label", "tier=b", "--expose", "7000-7002");
    await until("it ended", async () => (await stateOf("f-second")).Status === "exited");
    const third = await box.ok(["create", ...base, "--name", "f-third", "--label", "tier=a", "-v", `${temp.path}:/data`, "--rootfs", rootfs, "true"]);
    await run("f-fourth", "exec sleep 1000");
    await box.ok(["pause", "f-fourth"]);
    const names = async (...args: string[]): Promise<string[]> => (await box.ok(["ps", "--format", "{{.Names}}", ...args])).split("\n").filter((name) => name !== "");
    expect(await names()).toEqual(["f-fourth", "f-first"]);
    expect(await names("-a")).toEqual(["f-fourth", "f-third", "f-second", "f-first"]);
    expect(await names("-l")).toEqual(["f-fourth"]);
    expect(await names("-n", "3")).toEqual(["f-fourth", "f-third", "f-second"]);
    expect(await names("-f", "status=created", "-f", "status=exited")).toEqual(["f-third", "f-second"]);
    expect(await names("-f", "status=paused")).toEqual(["f-fourth"]);
    expect(await names("-a", "-f", "label=tier=a")).toEqual(["f-third", "f-first"]);
    expect(await names("-a", "-f", "label=tier=a", "-f", "label=x")).toEqual(["f-first"]);
    expect(await names("-a", "-f", "name=f-f")).toEqual(["f-fourth", "f-first"]);
    expect(await names("-a", "-f", "name=^/f-third$")).toEqual(["f-third"]);
    expect(await names("-a", "-f", `id=${third.slice(0, 8)}`)).toEqual(["f-third"]);
    expect(await names("-a", "-f", "exited=4")).toEqual(["f-second"]);
    expect(await names("-a", "-f", "before=f-third")).toEqual(["f-second", "f-first"]);
    expect(await names("-a", "-f", "since=f-second")).toEqual(["f-fourth", "f-third"]);
    expect(await names("-a", "-f", "volume=/data")).toEqual(["f-third"]);
    expect(await names("-a", "-f", `volume=${temp.path}`)).toEqual(["f-third"]);
    expect(await names("-a", "-f", "expose=7001")).toEqual(["f-second"]);
    expect(await names("-a", "-f", "expose=7001/udp")).toEqual([]);
    expect(await names("-a", "-f", "network=none")).toHaveLength(4);
    expect(await names("-a", "-f", `ancestor=${rootfs}`)).toHaveLength(4);
    expect(await names("-a", "-f", "is-task=true")).toEqual([]);
    expect(await names("-a", "-f", "health=healthy")).toEqual([]);
    expect(await names("-f", "name=[")).toEqual([]);
    expectFailure(await box.sampan(["ps", "-f", "foo=bar"]), "Invalid filter 'foo'");
    expectFailure(await box.sampan(["ps", "-f", "status=foo"]), "Invalid filter 'status=foo'");
    expectFailure(await box.sampan(["ps", "-f", "before=nosuch"]), "No such container: nosuch");
    const sizes = (await box.ok(["ps", "-as", "--format", "{{.Names}} {{.Size}}"])).split("\n");
    expect(sizes.every((line) => /^\S+ [\d.]+[kM]?B/.test(line))).toBe(true);
    expect((await box.ok(["container", "prune", "-f", "--filter", "label=tier=b"])).split("\n")[1]).toBe(second);
    expect(await names("-a")).toEqual(["f-fourth", "f-third", "f-first"]);
    await box.ok(["rm", "-f", "f-first", "f-third", "f-fourth"]);
    expect(readdirSync(join(box.root, "containers"))).toEqual([]);
    expect(readdirSync(join(box.state, "containers"))).toEqual([]);
  }, 30_000);
});

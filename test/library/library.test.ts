/** The library by effect, in this process: results, output as it comes, cancellation, lifecycle, tasks. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Engine, RunningContainer, SampanError, StoppedContainer } from "../../src/library/index.ts";
import type { ContainerOptions, RunOptions } from "../../src/library/index.ts";

let directory = "";
let engine: Engine;
const host = (command: readonly string[], more: Partial<RunOptions> = {}): RunOptions => ({ image: "host", command, network: "none", ...more });
const sh = (script: string, more: Partial<RunOptions> = {}): RunOptions => host(["sh", "-c", script], more);
/** Seconds that nobody else on this machine sleeps: the process that has them as its argument is ours. */
const NAP = String(1_000_000 + process.pid);
const sleeper: ContainerOptions = { image: "host", command: ["sleep", NAP], network: "none" };

async function failureOf(promise: PromiseLike<unknown>): Promise<SampanError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof SampanError) return error;
    throw error;
  }
  throw new Error("It did not fail");
}

/** The processes whose root is a layer of this test's own store: nobody else's on this machine, whatever they are called. */
function ownProcesses(): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes(`upperdir=${directory}/root/containers/`);
    } catch {
      return false; // it has ended
    }
  });
}

/** Nothing of a container is left: no record, no run directory, no process. */
async function nothingLeft(): Promise<void> {
  expect(await engine.containers.list({ all: true })).toEqual([]);
  expect(readdirSync(join(directory, "state/containers"))).toEqual([]);
  expect(ownProcesses()).toEqual([]);
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "library-"));
  engine = await Engine.open({ root: join(directory, "root"), state: join(directory, "state") });
});

afterAll(async () => {
  for (const { id } of await engine.containers.list({ all: true })) await engine.containers.remove(id, { force: true, volumes: true });
  await engine[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

describe("run", () => {
  test("gives exit code and both streams, as text and as bytes", async () => {
    const result = await engine.containers.run(sh("printf 'out\\303\\251'; echo err >&2; exit 3"));
    expect(result).toMatchObject({ exitCode: 3, signal: undefined, stdout: "outé", stderr: "err\n", oomKilled: false, warnings: [] });
    expect([...result.stdoutBytes]).toEqual([111, 117, 116, 0xc3, 0xa9]);
    expect(result.durationMs).toBeGreaterThan(0);
    await nothingLeft();
  });

  test("gives the signal that ended it", async () => {
    // With an init of its own the program dies of the signal, and the init tells of it as a shell would; alone it is the signal itself.
    expect(await engine.containers.run(sh("kill -TERM $$; sleep 5", { init: true }))).toMatchObject({ exitCode: 143, signal: undefined });
    await using victim = await engine.containers.start(sleeper);
    const pid = (await victim.inspect()).State.Pid;
    expect(await victim.exec(["sh", "-c", "kill -USR1 $$; sleep 306"])).toMatchObject({ exitCode: 138, signal: "SIGUSR1" });
    expect((await victim.inspect()).State.Pid).toBe(pid);
    const self = await engine.containers.start(sh(`exec sleep ${NAP}`));
    const waiting = self.wait();
    await self.kill("SIGKILL");
    expect((await waiting).exitCode).toBe(137);
    await self.remove();
  });

  test("says when the kernel killed it for want of memory", async () => {
    const result = await engine.containers.run(host(["python3", "-c", "bytearray(300 << 20)"], { memoryBytes: 32 << 20 }));
    expect(result).toMatchObject({ exitCode: 137, signal: "SIGKILL", oomKilled: true });
  });

  test("feeds what is to be read, at once or in pieces", async () => {
    const big = "x".repeat(1_000_000);
    expect((await engine.containers.run(host(["wc", "-c"], { stdin: big }))).stdout.trim()).toBe("1000000");
    async function* pieces(): AsyncGenerator<string | Uint8Array> {
      yield "one ";
      await new Promise((resolve) => setTimeout(resolve, 20));
      yield Buffer.from("two");
    }
    expect((await engine.containers.run(host(["cat"], { stdin: pieces() }))).stdout).toBe("one two");
    // A program that reads nothing ends all the same.
    expect((await engine.containers.run(host(["true"], { stdin: big }))).exitCode).toBe(0);
  });

  test("keeps output of any size", async () => {
    const { stdoutBytes } = await engine.containers.run(host(["head", "-c", "20000000", "/dev/zero"]));
    expect(stdoutBytes.length).toBe(20_000_000);
  });

  test("passes environment, limits, user and mounts", async () => {
    writeFileSync(join(directory, "file"), "mounted");
    const { stdout } = await engine.containers.run(sh("echo $A; id -u; cat /mnt/f; cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null", {
      env: { A: "b c" }, user: "1000", pidsLimit: 77, mounts: [{ source: join(directory, "file"), target: "/mnt/f", readonly: true }],
    }));
    expect(stdout).toBe("b c\n1000\nmounted77\n");
  });

  test("rejects with kind, code and hint where it cannot be started", async () => {
    const missing = await failureOf(engine.containers.run(host(["no-such-program"])));
    expect(missing).toMatchObject({ name: "SampanError", kind: "invalid", code: "ENOENT", exitCode: 127 });
    expect(missing.hint).toContain("sampan run");
    expect(await failureOf(engine.containers.run({ image: "no-such-image", pull: "never" }))).toMatchObject({ kind: "not-found" });
    await nothingLeft();
  });

  test("with keep leaves the container", async () => {
    const { id } = await engine.containers.run(sh("echo kept", { keep: true }));
    const container = await engine.containers.get(id);
    expect(container).toBeInstanceOf(StoppedContainer);
    const records: string[] = [];
    for await (const { stream, data } of container.logs()) records.push(`${stream} ${new TextDecoder().decode(data)}`);
    expect(records).toEqual(["stdout kept\n"]);
    await container.remove();
  });

  test("touches no signal handler of the program", async () => {
    const container = engine.containers.run(sh("sleep 0.3"));
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(["SIGINT", "SIGTERM", "SIGHUP"].map((name) => process.listenerCount(name))).toEqual([0, 0, 0]);
    await container;
  });
});

describe("cancelling", () => {
  test("a run kills it and leaves nothing", async () => {
    for (const afterMs of [0, 1, 3, 5, 8, 12, 20, 100]) {
      const signal = AbortSignal.timeout(afterMs);
      expect(await failureOf(engine.containers.run(host(["sleep", "301"], { signal })))).toMatchObject({ kind: "cancelled" });
      await nothingLeft();
    }
    expect(await failureOf(engine.containers.run(host(["sleep", "301"], { signal: AbortSignal.abort() })))).toMatchObject({ kind: "cancelled" });
    await nothingLeft();
  });

  test("a start in the background leaves nothing, or all of it", async () => {
    for (const afterMs of [0, 2, 4, 6, 8]) {
      try {
        const container = await engine.containers.start({ ...sleeper, command: ["sleep", "302"], signal: AbortSignal.timeout(afterMs) });
        expect((await container.inspect()).State.Running).toBe(true);
        await container.remove();
      } catch (error) {
        expect(error).toMatchObject({ kind: "cancelled" });
      }
      await nothingLeft();
    }
    expect(await failureOf(engine.containers.create({ ...sleeper, signal: AbortSignal.abort() }))).toMatchObject({ kind: "cancelled" });
    await nothingLeft();
  });

  test("a time limit says so", async () => {
    const error = await failureOf(engine.containers.run(host(["sleep", "303"], { timeoutMs: 150 })));
    expect(error).toMatchObject({ kind: "cancelled", code: "ETIMEDOUT" });
    expect(error.message).toContain("150 ms");
    await nothingLeft();
  });

  test("a limit of the output says so, and holds the memory", async () => {
    const error = await failureOf(engine.containers.run(host(["yes"], { maxOutputBytes: 100_000 })));
    expect(error).toMatchObject({ kind: "cancelled", code: "EFBIG" });
    await nothingLeft();
  });

  test("an exec kills that program and nothing else", async () => {
    await using container = await engine.containers.start(sleeper);
    const programs = async (): Promise<string[]> => (await container.top(["-o", "pid,args"])).processes.map((row) => row.at(-1) ?? "");
    for (const afterMs of [1, 5, 15, 100]) {
      expect(await failureOf(container.exec(["sleep", "304"], { signal: AbortSignal.timeout(afterMs) }))).toMatchObject({ kind: "cancelled" });
      expect(await programs()).toEqual([`sleep ${NAP}`]);
    }
    expect(await failureOf(container.exec(["sleep", "304"], { timeoutMs: 100 }))).toMatchObject({ code: "ETIMEDOUT" });
    expect((await container.exec(["echo", "lives"])).stdout).toBe("lives\n");
  });
});

describe("output as it comes", () => {
  test("comes before the program ends, and the result after it", async () => {
    let tell = (): void => undefined;
    const seen = new Promise<void>((resolve) => { tell = resolve; });
    const program = engine.containers.stream(sh("echo one; read x; echo got $x >&2; exit 4", { stdin: (async function* () { await seen; yield "go\n"; })() }));
    const pieces: string[] = [];
    for await (const { stream, text } of program) {
      pieces.push(`${stream} ${text}`);
      tell();
    }
    // The program waits for what is only sent after its first line was seen here.
    expect(pieces).toEqual(["stdout one\n", "stderr got go\n"]);
    expect(await program.result).toMatchObject({ exitCode: 4, oomKilled: false });
  });

  test("leaving the loop kills the program", async () => {
    for await (const { data } of engine.containers.stream(host(["yes", "leaving"]))) {
      expect(data.length).toBeGreaterThan(0);
      break;
    }
    await nothingLeft();
  });

  test("a failure is thrown to who reads", async () => {
    const read = async (): Promise<void> => { for await (const piece of engine.containers.stream(host(["no-such-program"]))) expect(piece).toBeUndefined(); };
    expect(await failureOf(read())).toMatchObject({ kind: "invalid", exitCode: 127 });
  });

  test("keeps characters whole", async () => {
    let text = "";
    for await (const piece of engine.containers.stream(sh("printf 'a\\303'; sleep 0.05; printf '\\251b'"))) text += piece.text;
    expect(text).toBe("aéb");
  });

  test("of a container that runs already, which lives on when one leaves", async () => {
    await using container = await engine.containers.start(sh("while read word; do echo got $word; done; exit 7", { interactive: true }));
    for await (const { text } of container.attach({ stdin: (async function* () { yield "one\n"; await new Promise(() => undefined); })() })) {
      expect(text).toBe("got one\n");
      break;
    }
    expect(await failureOf(container.attach({ signal: AbortSignal.timeout(50) }).result)).toMatchObject({ kind: "cancelled" });
    expect((await container.inspect()).State.Running).toBe(true);
  });

  test("of an exec too", async () => {
    await using container = await engine.containers.start(sleeper);
    const program = container.execStream(["sh", "-c", "echo a; echo b >&2; exit 5"]);
    const pieces: string[] = [];
    for await (const { stream, text } of program) pieces.push(`${stream} ${text}`);
    expect(pieces.sort()).toEqual(["stderr b\n", "stdout a\n"]);
    expect(await program.result).toEqual({ exitCode: 5, signal: undefined });
  });
});

describe("reading on and on ends when it is cancelled", () => {
  const readers: readonly (readonly [string, (container: RunningContainer, signal: AbortSignal) => AsyncIterable<unknown>])[] = [
    ["logs", (container, signal) => container.logs({ follow: true, signal })],
    ["stats", (container, signal) => container.stats({ signal })],
    ["events", (_, signal) => engine.events({ signal })],
    ["a stream", (_, signal) => engine.containers.stream({ ...sh("echo; exec sleep 307"), signal })],
    ["an exec", (container, signal) => container.execStream(["sh", "-c", "echo; exec sleep 307"], { signal })],
  ];
  for (const [name, open] of readers)
    test(name, async () => {
      await using container = await engine.containers.start(sh("echo; exec sleep 300"));
      const controller = new AbortController();
      const read = async (): Promise<void> => {
        const reading = open(container, controller.signal)[Symbol.asyncIterator]();
        if (name !== "events") await reading.next();
        setTimeout(() => { controller.abort(); }, 20);
        while ((await reading.next()).done !== true);
      };
      expect(await failureOf(read())).toMatchObject({ kind: "cancelled" });
      await container.remove();
      await nothingLeft();
    });
});

describe("lifecycle", () => {
  test("created, running, stopped, and again", async () => {
    const created = await engine.containers.create({ ...sleeper, name: "alive", stopSignal: "SIGKILL" });
    expect((await created.inspect()).State.Status).toBe("created");
    const running = await created.start();
    expect(await engine.containers.running("alive")).toBeInstanceOf(RunningContainer);
    expect(await running.exec(["sh", "-c", "cat; echo $A; exit 9"], { stdin: "in ", env: { A: "env" } })).toMatchObject({ exitCode: 9, stdout: "in env\n" });
    await running.pause();
    expect((await running.inspect()).State.Status).toBe("paused");
    await running.unpause();
    const stopped = await running.stop({ timeoutSeconds: 0 });
    expect((await stopped.inspect()).State.Running).toBe(false);
    expect(await failureOf(engine.containers.running("alive"))).toMatchObject({ kind: "wrong-state" });
    await (await stopped.start()).remove();
    await nothingLeft();
  });

  test("await using removes it, whatever became of it", async () => {
    let id = "";
    {
      await using container = await engine.containers.start(sleeper);
      ({ id } = container);
      expect(existsSync(join(directory, "state/containers", id))).toBe(true);
    }
    expect(await failureOf(engine.containers.inspect(id))).toMatchObject({ kind: "not-found" });
    await using gone = await engine.containers.start(sleeper);
    await gone.remove();
  });

  test("logs followed, stats and events are async iterables", async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const sinceMs = Date.now(); // whoever begins to watch late is told of what came before
    const watching = (async () => {
      for await (const { Type, Action } of engine.events({ sinceMs, filters: { type: ["container"] }, signal: stop.signal })) {
        seen.push(`${Type} ${Action}`);
        if (Action === "destroy") break;
      }
    })();
    {
      await using container = await engine.containers.start(sh("for i in 1 2 3; do echo $i; sleep 0.05; done; sleep 300"));
      const lines: string[] = [];
      for await (const { data } of container.logs({ follow: true })) {
        lines.push(new TextDecoder().decode(data));
        if (lines.length === 3) break;
      }
      expect(lines).toEqual(["1\n", "2\n", "3\n"]);
      for await (const frame of container.stats()) {
        expect(frame.memoryBytes).toBeGreaterThan(0);
        break;
      }
    }
    await watching;
    stop.abort();
    expect(seen).toContain("container start");
    expect(seen.at(-1)).toBe("container destroy");
  });

  test("copies in and out", async () => {
    await using container = await engine.containers.start(sleeper);
    writeFileSync(join(directory, "in"), "to and fro");
    await container.copyIn(join(directory, "in"), "/opt/in");
    expect((await container.exec(["cat", "/opt/in"])).stdout).toBe("to and fro");
    await container.copyOut("/opt/in", join(directory, "out"));
    expect(readFileSync(join(directory, "out"), "utf8")).toBe("to and fro");
  });
});

describe("many at once", () => {
  test("run some at a time, results in order", async () => {
    const results = await engine.containers.runAll(Array.from({ length: 12 }, (_, n) => sh(`echo ${n}; exit ${n}`)), { concurrency: 6 });
    expect(results.map(({ stdout, exitCode }) => [stdout, exitCode])).toEqual(Array.from({ length: 12 }, (_, n) => [`${n}\n`, n]));
    await nothingLeft();
  });

  test("one that cannot run ends the others", async () => {
    const jobs = [host(["sleep", "305"]), host(["no-such-program"]), host(["sleep", "305"])];
    expect(await failureOf(engine.containers.runAll(jobs, { concurrency: 3 }))).toMatchObject({ kind: "invalid", exitCode: 127 });
    await nothingLeft();
  });
});

describe("the rest", () => {
  test("an engine that is closed ends what is under way, and begins nothing", async () => {
    const other = await Engine.open({ root: join(directory, "root"), state: join(directory, "state") });
    let close = (): void => undefined;
    const closed = new Promise<void>((resolve) => { close = resolve; });
    const program = other.containers.stream(sh("echo up; read go; echo done", { stdin: (async function* () { await closed; yield "go\n"; })() }));
    let text = "";
    for await (const piece of program) {
      text += piece.text;
      if (text === "up\n") {
        await other[Symbol.asyncDispose]();
        expect(await failureOf(other.containers.list())).toMatchObject({ kind: "wrong-state" });
        close();
      }
    }
    expect(text).toBe("up\ndone\n");
    await nothingLeft();
  });

  test("a plan is explained without being carried out", async () => {
    const plan = await engine.containers.explain({ ...sleeper, memoryBytes: 64 << 20 });
    expect(plan.text({ columns: 200 })).toContain("pivot_root");
    const traced = await engine.containers.trace({ ...sleeper, command: ["true"] });
    expect(traced.exitCode).toBe(0);
    expect(traced.text({ columns: 200 })).toContain("execve");
    await nothingLeft();
  });

  test("what the disk holds", async () => {
    await using container = await engine.containers.create(sleeper);
    expect((await engine.diskUsage()).containers.map(({ id }) => id)).toEqual([container.id]);
    expect((await engine.collect()).reclaimedBytes).toBeGreaterThanOrEqual(0);
    expect(await engine.boot()).toEqual({ started: [], failed: [] });
  });

  test("a task is awaited or read", async () => {
    await using container = await engine.containers.start(sleeper);
    await container.exec(["sh", "-c", "echo changed > /opt/changed"]);
    expect(await failureOf(engine.images.load(join(directory, "no-such-file")))).toMatchObject({ kind: "not-found" });
    const pull = engine.images.pull("127.0.0.1:1/nothing:here");
    const read = async (): Promise<void> => { for await (const progress of pull) expect(progress.status).toBeString(); };
    expect((await failureOf(read())).kind).toBe("unavailable");
    expect((await failureOf(pull)).kind).toBe("unavailable");
  });

  test("volumes and networks", async () => {
    const { Name } = await engine.volumes.create("data");
    expect((await engine.volumes.list()).map((volume) => volume.Name)).toEqual([Name]);
    await engine.containers.run(sh("echo kept > /data/file", { mounts: [{ type: "volume", source: "data", target: "/data" }] }));
    expect((await engine.containers.run(sh("cat /data/file", { mounts: [{ type: "volume", source: "data", target: "/data" }] }))).stdout).toBe("kept\n");
    await engine.volumes.remove("data");
    expect(await failureOf(engine.networks.inspect("nowhere"))).toMatchObject({ kind: "not-found" });
  });
});

/** How what is under way ends when its reader is slow or gone, its source endless, or its container removed. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Engine } from "../../src/library/index.ts";
import { rejection } from "../support/rejection.ts";
import { SAMPAN } from "../support/index.ts";

let directory = "";
let engine: Engine;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "endings-"));
  engine = await Engine.open({ root: join(directory, "root"), state: join(directory, "state") });
});

afterAll(async () => {
  expect(await engine.containers.list({ all: true })).toEqual([]);
  await engine[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

test("an input without end is left when the program has ended", async () => {
  let left = (): void => undefined;
  const leaving = new Promise<void>((resolve) => { left = resolve; });
  async function* endless(): AsyncGenerator<string> {
    try {
      for (;;) {
        yield "more";
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    } finally {
      left();
    }
  }
  const { exitCode } = await engine.containers.run({ image: "host", command: ["true"], network: "none", stdin: endless() });
  expect(exitCode).toBe(0);
  await leaving;
});

test("an input that is neither text nor bytes is refused", async () => {
  async function* numbers(): AsyncGenerator<string> {
    yield 5 as unknown as string; // what a program without types may pass
  }
  expect(await rejection(engine.containers.run({ image: "host", command: ["cat"], network: "none", stdin: numbers() }))).toMatchObject({ kind: "invalid", message: 'What "stdin" gives is not a string or bytes: 5' });
});

test("a character that is cut off by the end shows as in a result", async () => {
  const options = { image: "host", command: ["printf", "a\\303"], network: "none" };
  let text = "";
  for await (const piece of engine.containers.stream(options)) text += piece.text;
  expect(text).toBe("a\ufffd");
  expect((await engine.containers.run(options)).stdout).toBe(text);
});

test("a program whose output nobody reads ends when its time is over", async () => {
  const program = engine.containers.stream({ image: "host", command: ["yes"], network: "none", timeoutMs: 300 });
  expect(await rejection(program.result)).toMatchObject({ kind: "cancelled", code: "ETIMEDOUT" });
});

test("so does one whose reader is busy with the last piece", async () => {
  const program = engine.containers.stream({ image: "host", command: ["yes"], network: "none", timeoutMs: 300 });
  const reading = (async () => { for await (const _ of program) await rejection(program.result); })();
  expect(await rejection(reading)).toMatchObject({ kind: "cancelled", code: "ETIMEDOUT" });
});

test("one who waits is told that removal killed it", async () => {
  const container = await engine.containers.start({ image: "host", command: ["sleep", "300"], network: "none" });
  const waiting = container.wait();
  await container.remove();
  expect(await waiting).toMatchObject({ exitCode: 137 });
});

test("a reader who never waits is stopped all the same", async () => {
  await using container = await engine.containers.create({ image: "host", command: ["true"], network: "none" });
  const stop = new AbortController();
  setTimeout(() => { stop.abort(); }, 20);
  const files = container.export({ signal: stop.signal });
  const reading = (async () => { for await (const _ of files) if (stop.signal.aborted) break; })();
  // The loop is left by itself where a turn comes in between its steps, and by the engine where it does not.
  await reading.catch((error: unknown) => { expect(error).toMatchObject({ kind: "cancelled" }); });
  expect(stop.signal.aborted).toBe(true);
});

test("a directory that goes while it is exported is an empty one", async () => {
  const tree = join(directory, "tree");
  mkdirSync(join(tree, "goes/in"), { recursive: true });
  await using container = await engine.containers.create({ image: "", rootfs: { path: tree, writable: true }, command: ["true"], network: "none" });
  const names: string[] = [];
  for await (const piece of container.export()) {
    names.push(Buffer.from(piece).toString("latin1", 0, 100).replace(/\0.*/s, ""));
    if (names.length === 1) {
      rmdirSync(join(tree, "goes/in"));
      rmdirSync(join(tree, "goes"));
    }
  }
  // With its time to the nanosecond each has a pax header, which is named after it.
  expect(names).toEqual(["PaxHeaders.0/goes", ""]);
});

test("an archive that stops coming does not hold up who cancels", async () => {
  async function* stuck(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(512);
    await new Promise(() => undefined);
  }
  await using container = await engine.containers.create({ image: "host", command: ["true"], network: "none" });
  const signal = AbortSignal.timeout(100);
  const readers = [engine.images.load(stuck(), { signal }), engine.images.import(stuck(), "none", { signal }), container.copyIn(stuck(), "/opt", { signal })];
  const endings = await Promise.all(readers.map((reader) => rejection(Promise.resolve<unknown>(reader))));
  expect(endings).toMatchObject([{ kind: "cancelled" }, { kind: "cancelled" }, { kind: "cancelled" }]);
});

test("nor does the command line wait for standard input when it is interrupted", async () => {
  const env = { ...process.env, SAMPAN_ROOT: join(directory, "root"), SAMPAN_STATE: join(directory, "state") };
  const importing = spawn(SAMPAN, ["import", "-", "none"], { env, stdio: ["pipe", "ignore", "pipe"] });
  const said: Buffer[] = [];
  importing.stderr.on("data", (data: Buffer) => { said.push(data); });
  const ended = once(importing, "exit");
  importing.stdin.write(Buffer.alloc(512));
  await once(importing.stderr, "data"); // it says that it imports: from here on it reads
  importing.kill("SIGINT");
  expect(await ended).toEqual([130, null]);
  expect(Buffer.concat(said).toString()).toContain("cancelled");
});

/** What may be said of a container: what a program that has no types gets wrong is refused, all of it at once, before anything is made. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CONTAINER, CONTAINERS, ENGINE, IMAGES, NETWORKS, REGISTRIES, RUNNING, STARTABLE, VOLUMES } from "../../src/library/calls.ts";
import { CreatedContainer, Engine, ProblemsError, RunningContainer } from "../../src/library/index.ts";
import type { Filters, RunOptions } from "../../src/library/index.ts";
import { waitFor } from "../support/index.ts";
import { rejection } from "../support/rejection.ts";

let directory = "";
let engine: Engine;

/** Processes with this path in their command line. */
function usersOf(path: string): string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, "latin1").includes(path);
    } catch {
      return false; // it has ended
    }
  });
}

async function problemsOf(promise: Promise<unknown>): Promise<ProblemsError> {
  const error = await rejection(promise);
  if (error instanceof ProblemsError) return error;
  throw error;
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "options-"));
  engine = await Engine.open({ root: join(directory, "root"), state: join(directory, "state") });
});

afterAll(async () => {
  try {
    // Nothing was made, or it goes by itself: one whose caller threw is finished by a process of its own.
    await waitFor("the containers to have gone", async () => (await engine.containers.list({ all: true })).length === 0);
    await engine[Symbol.asyncDispose]();
    // That process has the store open a little longer, and would put files into a directory that is being removed.
    await waitFor("nobody to use the store", () => usersOf(directory).length === 0);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

describe("options", () => {
  const refused: readonly (readonly [string, unknown, string])[] = [
    ["none", undefined, "The options are not an object: undefined"],
    ["no image", {}, 'Option "image" is missing'],
    ["a misspelt one", { image: "host", memory: "64m" }, 'There is no option "memory": "memoryBytes" might be meant'],
    ["one that belongs deeper", { image: "host", ports: [{ port: 80 }] }, 'Option "ports" is not an array of which each is an object without "port"'],
    ["a command that is no array", { image: "host", command: "true" }, 'Option "command" is not an array: "true"'],
    ["a number that is none", { image: "host", memoryBytes: NaN }, 'Option "memoryBytes" is not a whole number of bytes: NaN'],
    ["half a byte", { image: "host", memoryBytes: 2 ** 26 + 0.5 }, 'Option "memoryBytes" is not a whole number of bytes: 67108864.5'],
    ["a negative time", { image: "host", timeoutMs: -1 }, 'Option "timeoutMs" is not a number of milliseconds above 0'],
    ["a NUL", { image: "host", env: { A: "x\0y" } }, 'Option "env" is not an array of strings or an object of strings without NUL'],
    ["a name with =", { image: "host", env: { "A=B": "x" } }, 'Option "env" is not an object whose names are not empty and have no "="'],
    ["too little memory", { image: "host", memoryBytes: 1 }, "Minimum memory limit allowed is 512KB"],
    ["a relative mount", { image: "host", mounts: [{ source: "/tmp", target: "x" }] }, "invalid mount path: 'x' mount path must be absolute"],
    ["a port beyond all", { image: "host", ports: [{ containerPort: 65_536 }] }, 'Option "ports" is not an array of which each is an object with a port number as "containerPort"'],
    ["a signal that is none", { image: "host", stopSignal: "SIGNONE" }, "Invalid signal: SIGNONE"],
    ["a relative directory", { image: "host", workdir: "tmp" }, "the working directory 'tmp' is invalid, it needs to be an absolute path"],
  ];
  for (const [name, options, message] of refused)
    test(`refuses ${name}`, async () => {
      const error = await problemsOf(engine.containers.run(options as RunOptions)); // what a program without types may pass
      expect(error.kind).toBe("invalid");
      expect(error.message).toContain(message);
    });

  test("says that an archive was read as text, and does not call it damaged", async () => {
    const asText = async function* (): AsyncGenerator<string> { await Promise.resolve(); yield "layer.tar"; };
    const error = await problemsOf(Promise.resolve(engine.images.load(asText() as unknown as AsyncIterable<Uint8Array>))); // what a program without types may pass
    expect(error.message).toBe("What the archive's iterable gives is not bytes: a string");
  });

  test("every other call refuses arguments that are none, and options that there are not", async () => {
    type Call = (...args: readonly unknown[]) => unknown;
    const of = (room: object, table: Readonly<Record<string, { readonly takes: object }>>) => Object.entries(table).map(([name, { takes }]) => ({ room, name, arity: Object.keys(takes).length }));
    const calls = [
      ...of(engine, ENGINE), ...of(engine.containers, CONTAINERS), ...of(engine.images, IMAGES), ...of(engine.networks, NETWORKS), ...of(engine.volumes, VOLUMES), ...of(engine.registries, REGISTRIES),
      ...of(RunningContainer.prototype, CONTAINER), ...of(RunningContainer.prototype, RUNNING), ...of(CreatedContainer.prototype, STARTABLE),
    ];
    for (const { room, name, arity } of calls) {
      const call = async (...args: unknown[]): Promise<unknown> => await (Reflect.get(room, name) as Call).apply(room, args); // a method, say the types of the tables
      if (arity > 0) expect([name, (await problemsOf(call(...Array<number>(arity).fill(5)))).problems.length]).toEqual([name, arity]);
      else expect((await problemsOf(call({ nonsense: true }))).problems).toEqual(['There is no option "nonsense"']);
    }
  });

  const wrongCalls: readonly (readonly [string, () => unknown, string])[] = [
    ["a store that is named wrongly", () => Engine.open({ rot: "/tmp" } as object), 'There is no option "rot"'],
    ["a store without a path", () => Engine.open({ root: "" }), 'Option "root" is not a path: ""'],
    ["a misspelt option", () => engine.networks.create("one", { intrenal: true } as object), 'There is no option "intrenal": "internal" might be meant'],
    ["a filter that is no list", () => engine.containers.list({ filters: { status: "running" } as unknown as Filters }), 'Option "filters" is not an object of arrays of strings'],
    ["a signal that is none", () => engine.images.pull("localhost:1/one", { signal: {} as AbortSignal }), 'Option "signal" is not an AbortSignal'],
    ["jobs of which one is wrong", () => engine.containers.runAll([{ image: "host", command: ["true"], network: "none" }, {} as RunOptions]), 'Option "image" is missing'],
  ];
  for (const [name, call, message] of wrongCalls)
    test(`refuses ${name}`, async () => {
      expect((await problemsOf((async () => { await call(); })())).message).toContain(message);
    });

  test("tells all problems at once, and makes nothing", async () => {
    const error = await problemsOf(engine.containers.start({ image: "host", workdir: "a", env: ["=x"], stopSignal: "no" }));
    expect(error.problems).toHaveLength(3);
  });

  test("takes a capability by its short name, too", async () => {
    const { stdout } = await engine.containers.run({ image: "host", command: ["grep", "CapEff", "/proc/self/status"], network: "none", capDrop: ["ALL"], capAdd: ["net_admin"] });
    expect(stdout).toBe(`CapEff:\t${(1 << 12).toString(16).padStart(16, "0")}\n`);
  });

  test("a source of input that fails is what the caller is told of", async () => {
    async function* broken(): AsyncGenerator<string> {
      yield "a";
      throw new RangeError("of its own");
    }
    let caught: unknown;
    try {
      await engine.containers.run({ image: "host", command: ["cat"], network: "none", stdin: broken() });
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(RangeError);
  });
});

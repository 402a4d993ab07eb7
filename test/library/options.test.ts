/** What may be said of a container: what a program that has no types gets wrong is refused, all of it at once, before anything is made. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Engine, ProblemsError } from "../../src/library/index.ts";
import type { RunOptions } from "../../src/library/index.ts";
import { rejection } from "../support/rejection.ts";

let directory = "";
let engine: Engine;

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
  // Nothing was made, or it has gone by itself.
  expect(await engine.containers.list({ all: true })).toEqual([]);
  await engine[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
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

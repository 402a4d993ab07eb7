import { describe, expect, test } from "bun:test";
import { main } from "./main.ts";
import { recordedIo } from "./testing.ts";
import { defineCommand } from "./command.ts";
import { bool } from "./flags/flag.ts";
import type { CommandEntry } from "./commands/table.ts";

/** bun's matchers are of type any. */
const containing = (text: string): string => expect.stringContaining(text) as string;
const matching = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

const command = defineCommand({
  summary: "Say where things are",
  usage: "[OPTIONS]",
  flags: { loud: bool("Shout") },
  args: { min: 0, max: 1 },
  async run(context, { flags, args }) {
    const { io, root, state } = context;
    if (args[0] === "engine") await context.engine();
    io.out(`${flags.loud ? "!" : ""}${root} ${state}\n`);
    return 0;
  },
});
const table: CommandEntry[] = [
  { paths: ["where", "system where"], summary: command.summary, load: async () => ({ command }) },
  { paths: ["never"], summary: "Never loaded", load: () => Promise.reject(new Error("loaded")) },
];

async function run(argv: readonly string[], env: Record<string, string> = {}) {
  const io = recordedIo({ env });
  const code = await main(argv, io, { table: () => table, openEngine: () => Promise.reject(new Error("cannot open")) });
  return { code, ...io.written };
}

describe("main", () => {
  test("finds a command by each of its names and loads no other", async () => {
    expect(await run(["where", "--loud"])).toEqual({ code: 0, out: "!/var/lib/sampan /run/sampan\n", err: "" });
    expect(await run(["system", "where"])).toMatchObject({ code: 0 });
  });
  test("global flags come before the command, the environment after them", async () => {
    expect((await run(["--root", "/r", "--state=/s", "where"])).out).toBe("/r /s\n");
    expect((await run(["where"], { SAMPAN_ROOT: "/er", SAMPAN_STATE: "/es" })).out).toBe("/er /es\n");
    expect((await run(["--root", "r", "where"])).out).toBe("/home/me/r /run/sampan\n");
    expect((await run(["--root=/r", "where"], { SAMPAN_ROOT: "/er", SAMPAN_STATE: "" })).out).toBe("/r /run/sampan\n");
    expect(await run(["--bogus", "where"])).toEqual({ code: 125, out: "", err: "sampan: unknown flag: --bogus\nSee 'sampan --help'.\n" });
    expect(await run(["--root"])).toMatchObject({ code: 125, err: containing("flag needs an argument: --root") });
  });
  test("help, of everything, a group and a command", async () => {
    for (const argv of [[], ["--help"], ["-h"], ["help"]])
      expect(await run(argv)).toMatchObject({ code: 0, out: containing("Usage:  sampan [OPTIONS] COMMAND") });
    for (const argv of [["system"], ["system", "--help"], ["help", "system"]])
      expect(await run(argv)).toMatchObject({ code: 0, out: containing("Usage:  sampan system COMMAND") });
    for (const argv of [["where", "--help"], ["where", "-h"], ["help", "where"], ["--help", "where"]]) {
      expect(await run(argv)).toMatchObject({ code: 0, out: matching(/^Usage: {2}sampan where \[OPTIONS\]\n\nSay where things are\n[^]*--loud +Shout\n/) });
    }
  });
  test("misspelt commands are guessed at, exit code 1", async () => {
    expect(await run(["wehre"])).toEqual({
      code: 1,
      out: "",
      err: "sampan: unknown command: sampan wehre\nDid you mean 'sampan where'?\nSee 'sampan --help'.\n",
    });
    expect(await run(["system", "whree"])).toMatchObject({ code: 1, err: containing("Did you mean 'sampan system where'?") });
    expect(await run(["help", "xyzzy"])).toMatchObject({ code: 1 });
  });
  test("misspelt flags are guessed at", async () => {
    expect(await run(["where", "--luod", "--xyzzy"])).toEqual({
      code: 125,
      out: "",
      err: "sampan: unknown flag: --luod\nsampan: unknown flag: --xyzzy\nDid you mean '--loud'?\nSee 'sampan where --help'.\n",
    });
  });
  test("wrong counts of arguments, exit code 1", async () => {
    expect(await run(["where", "a", "b"])).toMatchObject({
      code: 1,
      err: containing("'sampan where' requires at most 1 argument\n\nUsage:  sampan where [OPTIONS]"),
    });
  });
  test("an engine that cannot be opened is told once; --debug says where from", async () => {
    expect(await run(["where", "engine"])).toEqual({ code: 1, out: "", err: "sampan: cannot open\n" });
    expect((await run(["--debug", "where", "engine"])).err).toContain("main.test.ts");
  });
  test("the version", async () => {
    expect(await run(["--version"])).toMatchObject({ code: 0, out: matching(/^Sampan version [0-9]+\.[0-9]+\.[0-9]+\n$/) });
  });
});

import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { SampanError } from "../base/errors.ts";
import { parseRuntimeConfig } from "./parse-runtime-config.ts";

const parse = (value: unknown): ReturnType<typeof parseRuntimeConfig> => parseRuntimeConfig(Buffer.from(JSON.stringify(value)), "config.json");
const parseText = (text: string): ReturnType<typeof parseRuntimeConfig> => parseRuntimeConfig(Buffer.from(text), "config.json");

describe("parseRuntimeConfig", () => {
  test("keeps what it knows, drops null and what it does not know", () => {
    expect(parse({ ociVersion: "1.3.0", root: { path: "r", readonly: null, extra: 1 }, process: null, other: {} })).toEqual({
      ociVersion: "1.3.0",
      root: { path: "r" },
    });
  });

  test("tells every problem in one sentence", () => {
    expect(() => parse({ ociVersion: "1.0.0", root: { path: 1 }, process: { cwd: 2, args: [3] }, linux: { namespaces: [{ type: "x" }] } })).toThrow(
      /root\.path is 1, not a string; process\.cwd is 2, not a string; process\.args\[0\] is 3, not a string; linux\.namespaces\[0\]\.type is "x", not one of/,
    );
  });

  test("keeps integers of 64 bits exactly", () => {
    const config = parseText('{"ociVersion":"1.0.0","process":{"cwd":"/","rlimits":[{"type":"RLIMIT_AS","soft":9007199254740993,"hard":18446744073709551615}]}}');
    expect(config.process?.rlimits).toEqual([{ type: "RLIMIT_AS", soft: 9007199254740993n, hard: 18446744073709551615n }]);
    expect(() => parseText('{"ociVersion":"1.0.0","process":{"cwd":"/","rlimits":[{"type":"RLIMIT_AS","soft":1,"hard":18446744073709551616}]}}')).toThrow(
      /hard/,
    );
  });

  test("takes versions 1.x.y and no others", () => {
    for (const good of ["1.0.0", "1.0.2-dev", "1.3.0", "1.9.1+build"]) expect(parse({ ociVersion: good }).ociVersion).toBe(good);
    for (const bad of ["", "1", "1.0", "0.9.0", "2.0.0", "v1.0.0", "1.0.0 "]) expect(() => parse({ ociVersion: bad })).toThrow(/ociVersion/);
  });

  test("no NUL gets into a string", () => {
    expect(() => parse({ ociVersion: "1.0.0", root: { path: "a\0b" } })).toThrow(/NUL/);
  });

  test("whatever the JSON is, the answer is a config or a SampanError", () => {
    fc.assert(fc.property(fc.json({ maxDepth: 4 }), (text) => {
      try {
        parseText(text);
      } catch (error) {
        expect(error).toBeInstanceOf(SampanError);
      }
    }), { numRuns: 300 });
  });
});

const examples = join(import.meta.dirname, "../../../shared/data/runtime-spec/schema/test/config");
describe.skipIf(!existsSync(examples))("the specification's own examples", () => {
  // Of other platforms, or with properties of other platforms only: not ours to judge.
  const foreign = /freebsd|solaris|windows|vm|zos/;
  // The page size's spelling is for the cgroup room to judge (runtime/cgroups/validate.ts).
  const elsewhere = /linux-hugepage/;
  for (const [folder, good] of [["good", true], ["bad", false]] as const) {
    if (!existsSync(join(examples, folder))) continue;
    for (const name of readdirSync(join(examples, folder)).filter((file) => file.endsWith(".json") && !foreign.test(file) && !elsewhere.test(file))) {
      test(`${folder}/${name}`, () => {
        const run = (): unknown => parseText(readFileSync(join(examples, folder, name), "utf8").replace('"ociVersion": "0.5.0-dev"', '"ociVersion": "1.0.0"'));
        if (good) expect(run).not.toThrow();
        else expect(run).toThrow(SampanError);
      });
    }
  }
});

/** The program in the README, its first command as it stands there, and the flags that it names; test/docs.test.ts runs its other commands. */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSandbox, KEEL, REPOSITORY, run } from "../support/index.ts";

const readme = readFileSync(join(REPOSITORY, "README.md"), "utf8");
const blocks = (language: string): string[] => [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map((match) => match[1] ?? "");

test("the main job: a shell", async () => {
  await using sandbox = createSandbox();
  const line = /npx (sampan run .*)/.exec(readme)?.[1]?.split(" ").slice(1) ?? [];
  await using pty = await sandbox.pty(line);
  await pty.expect(/[#$] /);
  pty.send("echo pid=$$; exit 3\r");
  await pty.expect("pid=1");
  expect((await pty.exited).exitCode).toBe(3);
}, 20_000);

test("the library's example", async () => {
  await using sandbox = createSandbox();
  const [program = ""] = blocks("ts");
  const path = join(sandbox.dir, "example.ts");
  writeFileSync(path, program.replace('"sampan"', `"${REPOSITORY}/src/library/index.ts"`));
  const result = await run([process.execPath, path], { env: { ...sandbox.env, SAMPAN_KEEL: KEEL } });
  expect([result.stdout, result.stderr, result.exitCode]).toEqual(["0 hello from 1\n", "", 0]);
});

test("every flag that it names is one", async () => {
  await using sandbox = createSandbox();
  const table = readme.slice(readme.indexOf("## What `run` can be asked for"), readme.indexOf("## As a library"));
  const flags = [...table.matchAll(/`(--?[a-z][a-z-]*)/g)].map((match) => match[1] ?? "");
  expect(flags.length).toBeGreaterThan(50);
  const { exitCode, stderr } = await sandbox.sampan(["run", ...flags.filter((flag) => !["-ti", "-d", "-i", "-t"].includes(flag)).map((flag) => `${flag}=`), "host"]);
  expect(exitCode).toBe(125);
  expect(stderr).not.toMatch(/unknown (shorthand )?flag/);
});

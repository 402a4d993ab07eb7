/** Every command of the README is run as it stands there, and its program as well. */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync, mkdirSync, existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { createSandbox, REPOSITORY, run, SAMPAN } from "../support/index.ts";

const readme = readFileSync(join(REPOSITORY, "README.md"), "utf8");
const blocks = (language: string): string[] => [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map((match) => match[1] ?? "");

test("every command does what it says", async () => {
  await using sandbox = createSandbox();
  mkdirSync(join(sandbox.dir, "bin"));
  symlinkSync(SAMPAN, join(sandbox.dir, "bin/sampan"));
  const lines = blocks("sh").flatMap((block) => block.trim().split("\n"));
  expect(lines.length).toBeGreaterThan(10);
  for (const line of lines) {
    const result = await run(["sh", "-c", `PATH="${join(sandbox.dir, "bin")}:$PATH"; ${line}`], { cwd: sandbox.dir, env: sandbox.env });
    expect([line, result.exitCode, result.stderr.replace("Importing\n", "")]).toEqual([line, 0, ""]);
    expect(result.stdout === "" && !/ true$|mkdir/.test(line) ? line : "").toBe("");
  }
  expect(existsSync("/etc/passwd")).toBe(true);
}, 60_000);

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
  writeFileSync(path, program.replace('"./src/', `"${REPOSITORY}/src/`).replace("/var/lib/sampan", sandbox.root).replace('"/run/sampan"', `"${sandbox.state}"`));
  const result = await run([process.execPath, path]);
  expect([result.stdout, result.stderr, result.exitCode]).toEqual(["hello from 1\n", "", 0]);
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

// timeout: 600 s
/**
 * Every command in README.md and docs/ is run, in the order of its document, and its output compared. How documents
 * are marked: test/support/docs.ts. To see what a document's commands print now: `bun scripts/docs.ts run FILE`.
 */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { generatedPages } from "../scripts/support/generated-pages.ts";
import { commandTable } from "../src/cli/commands/table.ts";
import { ABSENT_COMMANDS, ABSENT_FLAGS } from "../src/cli/deviations.ts";
import { runDocument } from "./support/docs-session.ts";
import { findDocuments, matchesExpected, parseDocument, readDocument } from "./support/docs.ts";
import { REPOSITORY, run } from "./support/index.ts";

for (const path of findDocuments(REPOSITORY)) {
  const document = readDocument(REPOSITORY, path);
  if (document.problems.length > 0) {
    test(`${path} can be read`, () => {
      expect(document.problems).toEqual([]);
    });
  }
  if (document.steps.length === 0) continue;
  test(`the commands of ${path} print what it says`, async () => {
    const wrong: string[] = [];
    await runDocument(document, ({ step, problem }) => {
      if (problem !== undefined) wrong.push(`${path}:${step.line}: $ ${step.command}\n${problem}\nwhere it says:\n${step.expected.join("\n")}`);
    });
    expect(wrong.join("\n\n")).toBe("");
  }, 120_000);
}

test("every chapter shows the plan, and what the kernel shows, in commands that are run", () => {
  const chapters = findDocuments(REPOSITORY).filter((path) => path.startsWith("docs/chapters/"));
  expect(chapters).toHaveLength(20);
  const lacking = chapters.flatMap((path) => {
    const commands = readDocument(REPOSITORY, path).steps.map(({ command }) => command);
    const shows = { "sampan explain": /\bsampan explain\b/, "/proc or /sys": /\/(proc|sys)\b/ };
    return Object.entries(shows).filter(([, pattern]) => !commands.some((command) => pattern.test(command))).map(([what]) => `${path}: ${what}`);
  });
  expect(lacking).toEqual([]);
});

test("links between pages lead somewhere", () => {
  const pages = [...findDocuments(REPOSITORY), "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
  const dead = pages.flatMap((path) => {
    const text = readFileSync(join(REPOSITORY, path), "utf8").replace(/^```[\s\S]*?^```$/gm, "");
    const targets = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map((match) => match[1] ?? "").filter((target) => !/^[a-z]+:/.test(target));
    return targets.filter((target) => !existsSync(join(REPOSITORY, dirname(path), target))).map((target) => `${path}: ${target}`);
  });
  expect(dead).toEqual([]);
});

test("generated pages are what the tables say; `bun scripts/docs.ts` writes them", async () => {
  for (const page of await generatedPages()) {
    expect(readFileSync(join(REPOSITORY, page.path), "utf8") === page.text ? "up to date" : `${page.path} is stale`).toBe("up to date");
  }
});

test("the reader of documents finds commands, output and codes, and what nobody runs", () => {
  const text = "<!-- setup: busybox -->\n```console\n$ false \\\n  x\nout\n[1]\n$ true\n```\n```sh\nls\n```\n<!-- not run: needs a network -->\n```sh\nls\n```\n";
  const document = parseDocument("x.md", text);
  expect(document.setup).toEqual(["busybox"]);
  expect(document.steps.map(({ command, expected, exitCode, line }) => ({ command, expected, exitCode, line }))).toEqual([
    { command: "false \\\n  x", expected: ["out"], exitCode: 1, line: 3 },
    { command: "true", expected: [], exitCode: 0, line: 7 },
  ]);
  expect(document.problems).toHaveLength(1);
});

test("the comparison knows text from wildcards", () => {
  expect(matchesExpected(["a…c", "…", "z"], "abc\nx\ny\nz\n")).toBe(true);
  expect(matchesExpected(["…"], "")).toBe(true);
  expect(matchesExpected([], "a\n")).toBe(false);
  expect(matchesExpected(["a.c"], "abc\n")).toBe(false);
  expect(matchesExpected(["a", "…"], "b\na\n")).toBe(false);
  expect(matchesExpected(["a"], "a\nb\n")).toBe(false);
});

test("every command and flag of Docker's client is ours, or is listed as a deviation", async () => {
  const groups = ["container", "image", "network", "volume", "system"];
  const helpOf = async (words: readonly string[]): Promise<string> => (await run(["/usr/bin/docker", ...words, "--help"])).stdout;
  const namesIn = (help: string): string[] => [...help.matchAll(/^ {2}([a-z]+)\*? {2,}/gm)].map((match) => match[1] ?? "");
  const top = namesIn(await helpOf([])).filter((name) => !groups.includes(name));
  const inGroups = await Promise.all(groups.map(async (group) => namesIn(await helpOf([group])).map((name) => `${group} ${name}`)));
  // Plugins that this machine happens to have (buildx, compose) are no commands of the client's own.
  const paths = [...top.filter((name) => !["buildx", "compose"].includes(name)), ...inGroups.flat()];
  expect(paths.length).toBeGreaterThan(60);
  const unexplained: string[] = [];
  for (const path of paths) {
    const entry = commandTable().find(({ paths: known }) => known.includes(path));
    if (entry === undefined) {
      if (!(path in ABSENT_COMMANDS)) unexplained.push(path);
      continue;
    }
    const { command } = await entry.load();
    const known = new Set(["help", ...Object.entries(command.flags).flatMap(([name, flag]) => [name, ...(flag.aliases ?? [])]), ...Object.keys(ABSENT_FLAGS)]);
    const flags = [...(await helpOf(path.split(" "))).matchAll(/^ +(?:-\w, )?--([a-z0-9-]+)/gm)].map((match) => match[1] ?? "");
    unexplained.push(...flags.filter((flag) => !known.has(flag)).map((flag) => `${path} --${flag}`));
  }
  expect(unexplained).toEqual([]);
  expect(Object.keys(ABSENT_COMMANDS).filter((path) => commandTable().some((entry) => entry.paths.includes(path)))).toEqual([]);
}, 60_000);

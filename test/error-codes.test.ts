// parallel-safe
/** The codes of Sampan's own errors: those that the source gives, and those that docs/errors.md tells of, are the same. */
import { expect, test } from "bun:test";
import { globSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import ts from "typescript";

const REPOSITORY = join(import.meta.dirname, "..");

const isCode = (text: string): boolean => /^[A-Z][A-Z0-9_]+$/.test(text);

/** Strings within an expression: both sides of a condition count. */
function stringsIn(node: ts.Node): string[] {
  return ts.isStringLiteralLike(node) ? [node.text] : ts.isConditionalExpression(node) ? [...stringsIn(node.whenTrue), ...stringsIn(node.whenFalse)] : [];
}

/** Which parameter of which function or class of this file is called `code`. */
function takersOf(file: ts.SourceFile): Map<string, number> {
  const takers = new Map<string, number>();
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) {
      const at = node.parameters.findIndex(({ name }) => ts.isIdentifier(name) && name.text === "code");
      const named = ts.isConstructorDeclaration(node) || ts.isArrowFunction(node) ? node.parent : node;
      if (at >= 0 && "name" in named && named.name !== undefined) takers.set((named.name as ts.Node).getText(file), at);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return takers;
}

function codesIn(file: ts.SourceFile, takers: ReadonlyMap<string, number>): Set<string> {
  const codes = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node) && node.name.getText(file) === "code") for (const each of stringsIn(node.initializer)) codes.add(each);
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      const given = node.arguments?.[takers.get(node.expression.getText(file)) ?? Infinity];
      if (given !== undefined) for (const each of stringsIn(given)) codes.add(each);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return codes;
}

/** The codes that are written in the source; those that are put together there have no name of their own. */
function codesOfTheSource(): Set<string> {
  const paths = globSync("src/**/*.ts", { cwd: REPOSITORY }).filter((path) => !path.endsWith(".test.ts"));
  const files = paths.map((path) => ts.createSourceFile(path, readFileSync(join(REPOSITORY, path), "utf8"), ts.ScriptTarget.Latest, true));
  const takers = new Map(files.flatMap((file) => [...takersOf(file)]));
  return new Set(files.flatMap((file) => [...codesIn(file, takers)]).filter(isCode));
}

/** First column of the table under "## Codes". */
function codesOfTheDocument(): string[] {
  const section = readFileSync(join(REPOSITORY, "docs/errors.md"), "utf8").split(/^## /m).find((each) => each.startsWith("Codes\n")) ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  return rows.flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code)).filter(isCode);
}

test("every code that Sampan gives is in docs/errors.md, and every one there is given somewhere", () => {
  const given = codesOfTheSource();
  const told = codesOfTheDocument();
  expect(given.size).toBeGreaterThan(25);
  const known = new Set([...told, ...Object.keys(constants.errno)]);
  expect([...given].filter((code) => !known.has(code))).toEqual([]);
  expect(told.filter((code) => !given.has(code))).toEqual([]);
  expect(told).toEqual([...new Set(told)].sort());
});

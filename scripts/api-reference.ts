/** Writes docs/api from the library's declarations and their comments: what the types say, and nothing else. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { declarations } from "./build-library.ts";

const root = join(import.meta.dirname, "..");
const DOOR = "src/library/index.ts";
const NOTE = "<!-- Written by `bun scripts/api-reference.ts` from the library's declarations. -->\n";

export interface ApiSymbol {
  readonly name: string;
  /** A class can be used, everything else only be mentioned. */
  readonly isValue: boolean;
  readonly node: ts.DeclarationStatement;
  readonly source: ts.SourceFile;
}

/** Pages by their path in docs/api. */
export function apiReference(): ReadonlyMap<string, string> {
  const symbols = exportedSymbols();
  const pages = new Map<string, string>();
  const classes = symbols.filter(({ isValue }) => isValue);
  const types = symbols.filter(({ isValue }) => !isValue);
  for (const symbol of classes) pages.set(`${symbol.name}.md`, `${NOTE}\n# ${symbol.name}\n\n${commentOf(symbol.node, symbol.source)}${membersOf(symbol)}`);
  pages.set("types.md", `${NOTE}\n# Types\n\n${types.map((symbol) => `## ${symbol.name}\n\n${commentOf(symbol.node, symbol.source)}${codeOf(symbol)}`).join("\n")}`);
  const first = (symbol: ApiSymbol): string => commentOf(symbol.node, symbol.source).split("\n")[0]?.split(/(?<=\.) /)[0] ?? "";
  pages.set("README.md", `${NOTE}
# The library

\`import { Engine } from "sampan"\`, on Bun and on Node 24 or later. Begin with [Engine](Engine.md).

${classes.map((symbol) => `- [${symbol.name}](${symbol.name}.md): ${first(symbol)}`).join("\n")}

Types: ${types.map(({ name }) => `[${name}](types.md#${name.toLowerCase()})`).join(", ")}.
`);
  return pages;
}

/** The examples of all comments: those that can be run. */
export function runnableExamples(): { readonly of: string; readonly code: string }[] {
  return exportedSymbols().filter(({ isValue }) => isValue).flatMap(({ name, node, source }) => {
    const comments = [node, ...(ts.isClassDeclaration(node) ? node.members : [])].map((part) => commentOf(part, source));
    return comments.flatMap((comment) => [...comment.matchAll(/```ts\n([^]*?)```/g)].map((match) => ({ of: name, code: match[1] ?? "" })));
  });
}

function exportedSymbols(): ApiSymbol[] {
  const texts = declarations(DOOR);
  const sources = new Map([...texts].map(([path, text]) => [path, ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)]));
  const door = sources.get(DOOR);
  if (door === undefined) throw new Error(`${DOOR} has no declarations`);
  const symbols: ApiSymbol[] = [];
  for (const statement of door.statements) {
    if (!ts.isExportDeclaration(statement) || statement.exportClause === undefined || !ts.isNamedExports(statement.exportClause) || statement.moduleSpecifier === undefined) continue;
    for (const element of statement.exportClause.elements) {
      const found = findIn(sources, target(DOOR, statement.moduleSpecifier), (element.propertyName ?? element.name).text);
      if (found === undefined) throw new Error(`${DOOR} exports ${element.name.text}, which is declared nowhere`);
      symbols.push({ name: element.name.text, isValue: !statement.isTypeOnly, ...found });
    }
  }
  return symbols.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function target(from: string, specifier: ts.Expression): string {
  return join(dirname(from), ts.isStringLiteral(specifier) ? specifier.text : "").replace(/\.js$/, ".ts");
}

/** Where a name is declared: in that file, or in one that it passes on. */
function findIn(sources: ReadonlyMap<string, ts.SourceFile>, path: string, name: string): Pick<ApiSymbol, "node" | "source"> | undefined {
  const source = sources.get(path);
  for (const statement of source?.statements ?? []) {
    const isDeclaration = ts.isClassDeclaration(statement) || ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement);
    if (source !== undefined && isDeclaration && statement.name?.text === name) return { node: statement, source };
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier === undefined) continue;
    const passesOn = statement.exportClause === undefined || (ts.isNamedExports(statement.exportClause) && statement.exportClause.elements.some((element) => element.name.text === name));
    const found = passesOn ? findIn(sources, target(path, statement.moduleSpecifier), name) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A node's own comment as Markdown. */
function commentOf(node: ts.Node, source: ts.SourceFile): string {
  const ranges = ts.getLeadingCommentRanges(source.text, node.getFullStart()) ?? [];
  const last = ranges.map(({ pos, end }) => source.text.slice(pos, end)).findLast((text) => text.startsWith("/**"));
  if (last === undefined) return "";
  const lines = last.slice(3, -2).split("\n").map((line) => line.replace(/^\s*\* ?/, "").trimEnd());
  return `${lines.join("\n").trim()}\n\n`;
}

function codeOf({ node, source }: ApiSymbol): string {
  return `\`\`\`ts\n${node.getText(source).replace(/^export (declare )?/, "")}\n\`\`\`\n`;
}

function membersOf({ node, source, name }: ApiSymbol): string {
  if (!ts.isClassDeclaration(node)) return "";
  const heritage = (node.heritageClauses ?? []).map((clause) => ` ${clause.getText(source)}`).join("");
  let text = heritage === "" ? "" : `\`class ${name}${heritage}\`\n\n`;
  for (const member of allMembers(node, source)) {
    const isHidden = ts.getCombinedModifierFlags(member) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected);
    if (isHidden !== 0 || member.name === undefined || ts.isPrivateIdentifier(member.name)) continue;
    const title = member.name.getText(source);
    text += `## ${title}\n\n${commentOf(member, source)}\`\`\`ts\n${member.getText(source)}\n\`\`\`\n\n`;
  }
  return text.trimEnd() + "\n";
}

/** Its own and those of the classes of its file that it extends. */
function allMembers(node: ts.ClassDeclaration, source: ts.SourceFile): ts.ClassElement[] {
  const base = node.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword)?.types[0]?.expression.getText(source);
  const parent = source.statements.find((statement): statement is ts.ClassDeclaration => ts.isClassDeclaration(statement) && statement.name?.text === base);
  return [...node.members, ...(parent === undefined ? [] : allMembers(parent, source))];
}

export function writeApiReference(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of apiReference()) writeFileSync(join(directory, name), text);
}

if (import.meta.main) {
  writeApiReference(join(root, "docs/api"));
  console.log(`wrote ${readdirSync(join(root, "docs/api")).length} pages`);
}

/** Writes the man pages from the command tables: sampan(1), and sampan-run(1) and so on, one a command. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandDefinition } from "../src/cli/command.ts";
import type { CommandEntry } from "../src/cli/commands/table.ts";
import { commandTable } from "../src/cli/commands/table.ts";
import { GLOBAL_FLAGS } from "../src/cli/completion/model.ts";
import { version } from "../src/cli/version.ts";

/** File names and texts, in man(7)'s macros. */
export async function manPages(table: readonly CommandEntry[] = commandTable()): Promise<ReadonlyMap<string, string>> {
  const pages = new Map<string, string>();
  const shown: CommandEntry[] = [];
  for (const entry of table) {
    if (entry.hidden === true) continue;
    shown.push(entry);
    const { command } = await entry.load();
    // Its other names have a page too, with their own synopsis.
    for (const path of entry.paths) pages.set(`${pageName(path)}.1`, commandPage(path, entry, command));
  }
  pages.set("sampan.1", mainPage(shown));
  return pages;
}

export function writeManPages(directory: string, pages: ReadonlyMap<string, string>): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of pages) writeFileSync(join(directory, name), text);
}

function pageName(path: string): string {
  return `sampan-${path.replaceAll(" ", "-")}`;
}

/** The day of this version: that of the changelog, so that the same source gives the same pages on any day. */
function releaseDate(): string {
  const heading = new RegExp(`^## ${version.replaceAll(".", "\\.")} \\((\\d{4}-\\d{2}-\\d{2})\\)$`, "m");
  const date = heading.exec(readFileSync(join(import.meta.dirname, "../CHANGELOG.md"), "utf8"))?.[1];
  if (date === undefined) throw new Error(`CHANGELOG.md has no heading "## ${version} (YYYY-MM-DD)"`);
  return date;
}

function head(name: string, summary: string): string {
  return `.TH ${roff(name.toUpperCase())} 1 "${releaseDate()}" "Sampan ${version}" "Sampan"\n.SH NAME\n${roff(name)} \\-\n${roffLines(summary)}`;
}

function commandPage(path: string, { paths }: CommandEntry, { summary, usage, description, examples, flags }: CommandDefinition): string {
  // A second way to call it stands in the usage on a line of its own, with the command's name before it.
  const ways = usage.split("\n").map((line) => line.replace(/^\s+sampan [a-z ]+/, ""));
  let text = `${head(pageName(path), summary)}.SH SYNOPSIS\n${ways.map((way) => `.B ${roff(`sampan ${path}`)}\n${roffLines(way)}`).join(".br\n")}`;
  if (description !== undefined) text += `.SH DESCRIPTION\n${roffLines(description)}`;
  const others = paths.filter((other) => other !== path);
  if (others.length > 0) text += `.SH ALIASES\n${roffLines(others.map((other) => `sampan ${other}`).join(", "))}`;
  const options = Object.entries(flags).filter(([, flag]) => flag.hidden !== true).sort(([a], [b]) => (a < b ? -1 : 1));
  if (options.length > 0) text += ".SH OPTIONS\n";
  for (const [name, { short, valueName, help, shownDefault }] of options) {
    const names = [...(short === undefined ? [] : [`-${short}`]), `--${name}`].map((each) => `\\fB${roff(each)}\\fR`).join(", ");
    text += `.TP\n${names}${valueName === "" ? "" : ` \\fI${roff(valueName)}\\fR`}\n${roffLines(shownDefault === undefined ? help : `${help} (default ${shownDefault})`)}`;
  }
  if (examples !== undefined) text += `.SH EXAMPLES\n${examples.map(([command, why]) => `.TP\n.B ${roff(command)}\n${roffLines(why)}`).join("")}`;
  return `${text}.SH SEE ALSO\n.BR sampan (1)\n`;
}

function mainPage(entries: readonly CommandEntry[]): string {
  let text = `${head("sampan", "run containers on Linux without a daemon")}.SH SYNOPSIS\n.B sampan\n[OPTIONS] COMMAND\n`;
  text += ".SH OPTIONS\n";
  for (const { name, takesFile, help } of GLOBAL_FLAGS) text += `.TP\n\\fB${roff(name)}\\fR${takesFile ? " \\fIdirectory\\fR" : ""}\n${roffLines(help)}`;
  text += ".SH COMMANDS\n";
  const commands = entries.map(({ paths: [path = ""], summary }) => ({ path, summary })).sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const { path, summary } of commands) text += `.TP\n.BR ${roff(pageName(path))} (1)\n${roffLines(summary)}`;
  text += `.SH ENVIRONMENT\n.TP\n.B SAMPAN_ROOT\nAs \\fB\\-\\-root\\fR: /var/lib/sampan where neither is given.\n.TP\n.B SAMPAN_STATE\nAs \\fB\\-\\-state\\fR: /run/sampan where neither is given.\n`;
  return text;
}

/** Text that roff prints as it stands: a hyphen that can be copied, no escapes. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("\n", " ");
}

/** Lines of text, broken where a word would begin past column 80, which roff fills again; one that begins with a dot or an apostrophe would be a request. */
function roffLines(text: string): string {
  return `${text.split("\n").map((line) => wrapped(roff(line)).map((part) => part.replace(/^[.']/, "\\&$&")).join("\n")).join("\n.br\n")}\n`;
}

function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || Buffer.byteLength(`${last} ${word}`) > 78) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** Writes the man pages from the command tables: sampan(1), and sampan-run(1) and so on, one a command. */
import { mkdirSync, writeFileSync } from "node:fs";
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
    const [name = ""] = entry.paths;
    pages.set(`${pageName(name)}.1`, commandPage(entry, command));
    // Its other names lead to the same page.
    for (const path of entry.paths.slice(1)) pages.set(`${pageName(path)}.1`, `.so man1/${pageName(name)}.1\n`);
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

function head(name: string, summary: string): string {
  return `.TH ${roff(name.toUpperCase())} 1 "" "Sampan ${version}" "Sampan"\n.SH NAME\n${roff(name)} \\- ${roff(summary)}\n`;
}

function commandPage({ paths: [path = "", ...others] }: CommandEntry, { summary, usage, description, examples, flags }: CommandDefinition): string {
  let text = `${head(pageName(path), summary)}.SH SYNOPSIS\n.B ${roff(`sampan ${path}`)}\n${roffLines(usage)}`;
  if (description !== undefined) text += `.SH DESCRIPTION\n${roffLines(description)}`;
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

/** Lines of text; one that begins with a dot or an apostrophe would be a request. */
function roffLines(text: string): string {
  return `${text.split("\n").map((line) => roff(line).replace(/^[.']/, "\\&$&")).join("\n.br\n")}\n`;
}

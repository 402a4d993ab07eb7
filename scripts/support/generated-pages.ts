/** The pages that are written from the command tables and from what was measured, so that they cannot say anything else: as text, not yet on disk. */
import { join } from "node:path";
import type { CommandDefinition } from "../../src/cli/command.ts";
import { commandTable, type CommandEntry } from "../../src/cli/commands/table.ts";
import { ABSENT_COMMANDS, ABSENT_FLAGS, DEVIATIONS } from "../../src/cli/deviations.ts";
import type { Flag } from "../../src/cli/flags/flag.ts";
import { rootHelp } from "../../src/cli/output/help.ts";
import { benchPages } from "./bench-table.ts";

export interface Page {
  /** Relative to the repository. */
  readonly path: string;
  readonly text: string;
}

interface Command {
  readonly entry: CommandEntry;
  readonly definition: CommandDefinition;
}

const byName = <T>([a]: readonly [string, T], [b]: readonly [string, T]): number => (a < b ? -1 : 1);
/** A cell of a table: a bar would end it. */
const cell = (text: string): string => text.replaceAll("|", "\\|");
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows.map((row) => row.map(cell))].map((row) => `| ${row.join(" | ")} |\n`).join("");

export async function generatedPages(): Promise<Page[]> {
  const commands = await Promise.all(commandTable().map(async (entry): Promise<Command> => ({ entry, definition: (await entry.load()).command })));
  return [
    { path: "docs/cli.md", text: cliPage(commands) },
    { path: "docs/deviations-from-docker.md", text: deviationsPage(commands) },
    ...benchPages(join(import.meta.dirname, "../..")),
  ];
}

const generatedNote = (from: string): string => `<!-- Written by \`bun scripts/docs.ts\` from ${from}. -->\n`;

function spellings(name: string, flag: Flag<unknown>): string {
  const value = flag.valueName === "" ? "" : ` ${flag.valueName}`;
  const names = [...(flag.short === undefined ? [] : [`-${flag.short}`]), `--${name}`, ...(flag.aliases ?? []).map((alias) => `--${alias}`), ...(flag.singleDash ?? []).map((word) => `-${word}`)];
  return `\`${names.join(", ")}${value}\``;
}

function commandSection({ entry, definition }: Command): string {
  const [path = ""] = entry.paths;
  let text = `## ${path}\n\n${definition.summary}.\n\n\`\`\`text\nsampan ${path} ${definition.usage}\n\`\`\`\n`.replace(/ +\n```\n$/, "\n```\n");
  if (entry.paths.length > 1) text += `\nAlso: ${entry.paths.slice(1).map((other) => `\`sampan ${other}\``).join(", ")}.\n`;
  if (definition.description !== undefined) text += `\n${definition.description}\n`;
  const flags = Object.entries(definition.flags).filter(([, flag]) => flag.hidden !== true).sort(byName);
  if (flags.length > 0) {
    const rows = flags.map(([name, flag]) => [spellings(name, flag), flag.help, flag.shownDefault === undefined ? "" : `\`${flag.shownDefault.replaceAll('"', "")}\``]);
    text += `\n${table(["flag", "", "default"], rows)}`;
  }
  for (const [example, why] of definition.examples ?? []) text += `\n* \`${example}\`: ${why}\n`.replace(/^\n(?=\*)/, "\n");
  return text.replace(/(\n\* .*)\n\n(?=\* )/g, "$1\n");
}

function cliPage(commands: readonly Command[]): string {
  const shown = commands.filter(({ entry }) => entry.hidden !== true).sort((a, b) => ((a.entry.paths[0] ?? "") < (b.entry.paths[0] ?? "") ? -1 : 1));
  return [
    "# The command line\n",
    generatedNote("the command tables in src/cli/commands"),
    "`sampan COMMAND --help` prints the same. Flags are spelt as Docker spells them, the values too: `-p8080:80`, `-dit`, `-m=64m` and",
    "`--detach=false` all work. For `run`, `create` and `exec` flags end at the image or container: what follows is the container's own.\n",
    `\`\`\`text\n${rootHelp(commands.map(({ entry }) => entry))}\`\`\`\n`,
    shown.map(commandSection).join("\n"),
  ].join("\n");
}

/** Flags that tables know and refuse with a reason, by reason; and those that are heeded by doing nothing. */
function specialFlags(commands: readonly Command[]): { refused: Map<string, Set<string>>; accepted: Map<string, Set<string>> } {
  const refused = new Map<string, Set<string>>();
  const accepted = new Map<string, Set<string>>();
  for (const { entry, definition } of commands) {
    for (const [name, flag] of Object.entries(definition.flags).filter(([, { hidden }]) => hidden === true)) {
      const [path = ""] = entry.paths;
      if (flag.help.startsWith("Accepted for Docker's sake")) accepted.set(`${path} --${name}`, new Set([flag.help.replace(/^[^:]*: /, "")]));
      else if (isRefused(flag)) refused.set(`--${name}`, (refused.get(`--${name}`) ?? new Set()).add(flag.help));
    }
  }
  return { refused, accepted };
}

function isRefused(flag: Flag<unknown>): boolean {
  try {
    flag.accept("1", flag.initial);
    return false;
  } catch (error) {
    return error instanceof Error && error.message === flag.help;
  }
}

function deviationsPage(commands: readonly Command[]): string {
  const { refused, accepted } = specialFlags(commands);
  const rows = (map: ReadonlyMap<string, ReadonlySet<string>>): string[][] => [...map].sort(byName).map(([name, reasons]) => [`\`${name}\``, [...reasons].join("; ")]);
  return [
    "# Where Sampan differs from Docker\n",
    generatedNote("src/cli/deviations.ts and the command tables in src/cli/commands"),
    "What is not on this page is meant to be as Docker does it, down to the words that scripts read. A test holds every command and flag of",
    "the installed Docker client against the tables and this page; what is in neither is a failure.\n",
    "## In what happens\n",
    table(["about", "Docker", "Sampan", "why"], DEVIATIONS.map(({ about, docker, sampan, why }) => [about, docker, sampan, why])),
    "## Commands that are not there\n",
    table(["command", "why, or what instead"], Object.entries(ABSENT_COMMANDS).sort(byName).map(([name, why]) => [`\`${name}\``, why])),
    "## Flags that are refused by name\n",
    "They are never ignored: a line that has one does nothing but say why.\n",
    table(["flag", "why"], rows(refused)),
    "## Flags that are not known\n",
    table(["flag", "why"], Object.entries(ABSENT_FLAGS).sort(byName).map(([name, why]) => [`\`--${name}\``, why])),
    "## Flags that change nothing here\n",
    table(["flag", "why"], rows(accepted)),
  ].join("\n");
}

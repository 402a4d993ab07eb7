import type { CommandDefinition } from "../command.ts";
import type { Flag } from "../flags/flag.ts";
import type { CommandEntry } from "../commands/table.ts";

/** Two columns: names, and their sentences folded beneath one another. */
function twoColumns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 3;
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${right.split("\n").join(`\n  ${" ".repeat(width)}`)}\n`).join("");
}

function flagColumn(name: string, flag: Flag<unknown>): string {
  const letter = flag.short === undefined ? "    " : `-${flag.short}, `;
  return `${letter}--${name}${flag.valueName === "" ? "" : ` ${flag.valueName}`}`;
}

/** `sampan run --help`. `path` is the command as it was called, `names` every path that it has. */
export function commandHelp(path: string, names: readonly string[], definition: CommandDefinition): string {
  let text = `Usage:  sampan ${path}${definition.usage === "" ? "" : ` ${definition.usage}`}\n\n${definition.summary}\n`;
  if (definition.description !== undefined) text += `\n${definition.description}\n`;
  if (names.length > 1) text += `\nAliases:\n  ${names.map((name) => `sampan ${name}`).join(", ")}\n`;
  if (definition.examples !== undefined) text += `\nExamples:\n${definition.examples.map(([command, why]) => `  ${command}\n      ${why}\n`).join("")}`;
  const shown = Object.entries(definition.flags).filter(([, flag]) => flag.hidden !== true).sort(([a], [b]) => (a < b ? -1 : 1));
  if (shown.length > 0) {
    text += `\nOptions:\n${twoColumns(
      shown.map(([name, flag]) => [flagColumn(name, flag), flag.shownDefault === undefined ? flag.help : `${flag.help} (default ${flag.shownDefault})`]),
    )}`;
  }
  return text;
}

const rootGroups: readonly (readonly [string, readonly string[]])[] = [
  ["Common Commands", ["run", "exec", "ps", "pull", "push", "images", "login", "logout", "search", "version", "info"]],
  ["See how it works", ["explain", "trace", "check-host"]],
];

const groupSummaries: Readonly<Record<string, string>> = {
  container: "Manage containers",
  image: "Manage images",
  network: "Manage networks",
  volume: "Manage volumes",
  system: "Manage Sampan",
};

/** `sampan --help`. */
export function rootHelp(table: readonly CommandEntry[]): string {
  const single = table.flatMap((entry) => entry.paths.filter((path) => !path.includes(" ")).slice(0, 1).map((path): [string, string] => [path, entry.summary]));
  const groups = [...new Set(table.flatMap((entry) => entry.paths.filter((path) => path.includes(" ")).map((path) => path.split(" ")[0] ?? "")))].sort();
  let text = "Usage:  sampan [OPTIONS] COMMAND\n\nRun containers on Linux without a daemon\n";
  const told = new Set<string>();
  for (const [title, names] of rootGroups) {
    const rows = names.flatMap((name) => single.filter(([path]) => path === name));
    for (const [path] of rows) told.add(path);
    if (rows.length > 0) text += `\n${title}:\n${twoColumns(rows)}`;
  }
  if (groups.length > 0) text += `\nManagement Commands:\n${twoColumns(groups.map((group) => [group, groupSummaries[group] ?? ""]))}`;
  const others = single.filter(([path]) => !told.has(path)).sort(([a], [b]) => (a < b ? -1 : 1));
  if (others.length > 0) text += `\nCommands:\n${twoColumns(others)}`;
  text += `\nGlobal Options:\n${twoColumns([
    ["    --debug", "Print where an error came from"],
    ["    --root string", "Where images, volumes and state are kept (default /var/lib/sampan, or SAMPAN_ROOT)"],
    ["    --state string", "Where run state is kept (default /run/sampan, or SAMPAN_STATE)"],
    ["-v, --version", "Print the version"],
  ])}`;
  return `${text}\nRun 'sampan COMMAND --help' for more information on a command.\n`;
}

/** `sampan network --help`. */
export function groupHelp(group: string, table: readonly CommandEntry[]): string {
  const rows = table
    .flatMap((entry) => (entry.hidden === true ? [] : entry.paths).filter((path) => path.startsWith(`${group} `)).slice(0, 1).map((path): [string, string] => [
      path.slice(group.length + 1),
      entry.summary,
    ]))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `Usage:  sampan ${group} COMMAND\n\n${groupSummaries[group] ?? ""}\n\nCommands:\n${twoColumns(rows)}
Run 'sampan ${group} COMMAND --help' for more information on a command.
`;
}

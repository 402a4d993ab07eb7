import { SampanError } from "../base/errors.ts";
import type { CommandDefinition } from "./command.ts";
import type { CommandEntry } from "./commands/table.ts";
import type { FlagTable } from "./flags/flag.ts";
import { groupHelp, rootHelp } from "./output/help.ts";
import { suggestions } from "./output/suggest.ts";

/** Too few or too many positionals, in Docker's words and with its exit code 1. */
export function argumentsError(path: string, command: CommandDefinition, args: readonly string[]): SampanError {
  const { min, max } = command.args;
  const many = (count: number): string => `${count} argument${count === 1 ? "" : "s"}`;
  let reason: string;
  if (max === 0) reason = `'sampan ${path}' accepts no arguments, but got ${JSON.stringify(args[0])}`;
  else if (min === max) reason = `'sampan ${path}' requires ${many(min)}`;
  else if (args.length < min) reason = `'sampan ${path}' requires at least ${many(min)}`;
  else reason = `'sampan ${path}' requires at most ${many(max)}`;
  return new SampanError("invalid", reason, { exitCode: 1, hint: `\nUsage:  sampan ${path} ${command.usage}\n\nSee 'sampan ${path} --help'.` });
}

/** What the mistyped flags of a line may have been meant to be, and where all of them are told. */
export function flagsHint(path: string, unknown: readonly string[], flags: FlagTable): string {
  const known = Object.keys(flags).filter((name) => flags[name]?.hidden !== true);
  const near = unknown.flatMap((word) => suggestions(word, known)).map((name) => `'--${name}'`);
  return `${didYouMean(near)}See 'sampan ${path} --help'.`;
}

function didYouMean(near: readonly string[]): string {
  return near.length === 0 ? "" : `Did you mean ${near.join(" or ")}?\n`;
}

export function isGroup(word: string, table: readonly CommandEntry[]): boolean {
  return table.some((entry) => entry.paths.some((path) => path.startsWith(`${word} `)));
}

/** The help for a group, or of everything. */
export function withoutCommandText(words: readonly string[], table: readonly CommandEntry[]): string {
  const [first] = words;
  if (first === undefined) return rootHelp(table);
  if (isGroup(first, table)) return groupHelp(first, table);
  throw unknownCommandError(words, table);
}

export function unknownCommandError(words: readonly string[], table: readonly CommandEntry[]): SampanError {
  const [first = "", second = ""] = words;
  const inGroup = isGroup(first, table);
  const paths = table.flatMap((entry) => entry.paths);
  const known = inGroup
    ? paths.filter((path) => path.startsWith(`${first} `)).map((path) => path.slice(first.length + 1))
    : [...new Set(paths.map((path) => path.split(" ")[0] ?? ""))];
  const prefix = inGroup ? `sampan ${first}` : "sampan";
  const near = suggestions(inGroup ? second : first, known).map((name) => `'${prefix} ${name}'`);
  return new SampanError("invalid", `unknown command: ${prefix} ${inGroup ? second : first}`, {
    exitCode: 1,
    hint: `${didYouMean(near)}See '${prefix} --help'.`,
  });
}

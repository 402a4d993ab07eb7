import { ProblemsError, SampanError } from "../base/errors.ts";
import type { Engine, OpenOptions } from "../engine/api.ts";
import type { CommandContext, CommandDefinition } from "./command.ts";
import { type CommandEntry, commandTable } from "./commands/table.ts";
import { parseFlags } from "./flags/parse.ts";
import type { Io } from "./io.ts";

interface GlobalOptions {
  root: string | undefined;
  state: string | undefined;
  debug: boolean;
  help: boolean;
  version: boolean;
}

type OpenEngine = (options: OpenOptions) => Promise<Engine>;

/** What `main` works with; tests pass their own. */
export interface Installation {
  readonly openEngine: OpenEngine;
  readonly table: () => readonly CommandEntry[];
}

/** The engine is loaded by the first command that asks for one. */
async function openInstalledEngine(options: OpenOptions): Promise<Engine> {
  const { openEngine } = await import("../engine/index.ts");
  return openEngine(options);
}

/**
 * One command line, start to end: the exit code. Nothing is loaded before the command is known, and then only
 * what it needs. Never throws: an error becomes text on `io.err`.
 */
export async function main(
  argv: readonly string[],
  io: Io,
  installation: Installation = { openEngine: openInstalledEngine, table: commandTable },
): Promise<number> {
  const options: GlobalOptions = { root: undefined, state: undefined, debug: false, help: false, version: false };
  let failureExitCode: number | undefined;
  try {
    const rest = takeGlobalOptions(argv, options);
    if (options.version) return await printVersion(io);
    const table = installation.table();
    if (rest[0] === "help") return await help(rest.slice(1), table, io);
    const found = findCommand(table, rest);
    if (found === undefined) return await withoutCommand(rest, options, table, io);
    const { command } = await found.entry.load();
    failureExitCode = command.failureExitCode;
    if (options.help) return await printCommandHelp(found, command, io);
    return await runCommand(found, command, options, io, installation.openEngine);
  } catch (error) {
    const { exitCodeOf, formatError } = await import("./output/errors.ts");
    io.err(formatError(error, options));
    return exitCodeOf(error, failureExitCode);
  }
}

/** Flags before the command's name. What remains starts with the command. */
function takeGlobalOptions(argv: readonly string[], options: GlobalOptions): readonly string[] {
  let at = 0;
  for (; at < argv.length; at += 1) {
    const word = argv[at] ?? "";
    if (!word.startsWith("-") || word === "-") break;
    const equals = word.indexOf("=");
    const name = equals === -1 ? word : word.slice(0, equals);
    switch (name) {
      case "--debug":
      case "-D":
        options.debug = true;
        break;
      case "--help":
      case "-h":
        options.help = true;
        break;
      case "--version":
      case "-v":
        options.version = true;
        break;
      case "--root":
      case "--state": {
        if (equals === -1) at += 1;
        const value = equals === -1 ? argv[at] : word.slice(equals + 1);
        if (value === undefined || value === "") throw usageError(`flag needs an argument: ${name}`, "sampan --help");
        if (name === "--root") options.root = value;
        else options.state = value;
        break;
      }
      default:
        throw usageError(name.startsWith("--") ? `unknown flag: ${name}` : `unknown shorthand flag: '${name.charAt(1)}' in ${name}`, "sampan --help");
    }
  }
  return argv.slice(at);
}

function usageError(message: string, help: string): SampanError {
  return new SampanError("invalid", message, { exitCode: 125, hint: `See '${help}'.` });
}

interface FoundCommand {
  readonly entry: CommandEntry;
  readonly path: string;
  readonly rest: readonly string[];
}

function findCommand(table: readonly CommandEntry[], words: readonly string[]): FoundCommand | undefined {
  const [first, second] = words;
  if (first === undefined) return undefined;
  const longer = second === undefined ? undefined : `${first} ${second}`;
  for (const entry of table) {
    if (longer !== undefined && entry.paths.includes(longer)) return { entry, path: longer, rest: words.slice(2) };
    if (entry.paths.includes(first)) return { entry, path: first, rest: words.slice(1) };
  }
  return undefined;
}

async function runCommand({ path, rest, entry }: FoundCommand, command: CommandDefinition, options: GlobalOptions, io: Io, open: OpenEngine): Promise<number> {
  const parsed = parseFlags(command.flags, rest, command.interspersed ?? true);
  if (parsed.help) return printCommandHelp({ entry, path, rest }, command, io);
  if (parsed.problems.length > 0) {
    const more = parsed.positionals.length < command.args.min
      ? undefined
      : command.problems?.(io, { flags: parsed.values, given: parsed.given, args: parsed.positionals, path });
    const { flagsHint } = await import("./usage.ts");
    throw new ProblemsError([...parsed.problems, ...(more ?? [])], { exitCode: 125, hint: flagsHint(path, parsed.unknown, command.flags) });
  }
  const count = parsed.positionals.length;
  if (count < command.args.min || count > command.args.max) {
    const { argumentsError } = await import("./usage.ts");
    throw argumentsError(path, command, parsed.positionals);
  }
  let opened: Promise<Engine> | undefined;
  const absolute = (path: string): string => (path.startsWith("/") ? path : `${io.cwd()}/${path}`);
  const root = absolute(options.root ?? nonEmpty(io.env["SAMPAN_ROOT"]) ?? "/var/lib/sampan");
  const state = absolute(options.state ?? nonEmpty(io.env["SAMPAN_STATE"]) ?? "/run/sampan");
  const context: CommandContext = {
    io,
    root,
    state,
    debug: options.debug,
    get signal() {
      return io.interruption();
    },
    engine: () => (opened ??= open({ root, state })),
  };
  try {
    return await command.run(context, { flags: parsed.values, given: parsed.given, args: parsed.positionals, path });
  } finally {
    // An engine that could not be opened has been told of already.
    const engine = await opened?.catch(() => undefined);
    await engine?.[Symbol.asyncDispose]();
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

async function printCommandHelp({ path, entry }: FoundCommand, command: CommandDefinition, io: Io): Promise<number> {
  const { commandHelp } = await import("./output/help.ts");
  io.out(commandHelp(path, entry.paths, command));
  return 0;
}

async function printVersion(io: Io): Promise<number> {
  const { version } = await import("./version.ts");
  io.out(`Sampan version ${version}\n`);
  return 0;
}

async function help(words: readonly string[], table: readonly CommandEntry[], io: Io): Promise<number> {
  const found = findCommand(table, words);
  if (found !== undefined) return printCommandHelp(found, (await found.entry.load()).command, io);
  const { withoutCommandText } = await import("./usage.ts");
  io.out(withoutCommandText(words, table));
  return 0;
}

/** No command of that name: help if it was asked for or nothing was, else what was meant. */
async function withoutCommand(words: readonly string[], options: GlobalOptions, table: readonly CommandEntry[], io: Io): Promise<number> {
  const { unknownCommandError, withoutCommandText, isGroup } = await import("./usage.ts");
  const [first, second] = words;
  const wantsHelp = first === undefined || (isGroup(first, table) && (second === undefined || second === "--help" || second === "-h")) || options.help;
  if (!wantsHelp) throw unknownCommandError(words, table);
  io.out(withoutCommandText(words, table));
  return 0;
}

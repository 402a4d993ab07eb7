import type { Engine } from "../engine/api.ts";
import type { FlagTable, FlagValues } from "./flags/flag.ts";
import type { Io } from "./io.ts";

/** What a command's action may use. */
export interface CommandContext {
  readonly io: Io;
  /** Opened by the first that asks, closed when the command ends. */
  engine(): Promise<Engine>;
  /** Aborted by SIGINT and SIGTERM, for commands that wait. Asking for it installs the handlers. */
  readonly signal: AbortSignal;
  readonly root: string;
  readonly state: string;
  readonly debug: boolean;
}

/** A command line by a command's table, checked. */
export interface Invocation<Flags extends FlagTable> {
  readonly flags: FlagValues<Flags>;
  readonly given: ReadonlySet<string>;
  /** The positionals: at least `min`, at most `max` of them. */
  readonly args: readonly string[];
  /** As it was called: "container ls". */
  readonly path: string;
}

export interface CommandDefinition<Flags extends FlagTable = FlagTable> {
  /** One line, as the list of commands shows it. */
  readonly summary: string;
  /** What follows the command's name in its usage line. */
  readonly usage: string;
  /** More, where one line is not enough. */
  readonly description?: string;
  readonly examples?: readonly (readonly [command: string, why: string])[];
  readonly flags: Flags;
  /** False: flags end at the first positional, because what follows belongs to the container's command. */
  readonly interspersed?: boolean;
  readonly args: { readonly min: number; readonly max: number };
  /** The exit code of failures that bring none of their own; 1 unless said otherwise. */
  readonly failureExitCode?: number;
  /** What else is wrong with a line whose flags are: so that all of it is told at once. Only what can be said without an engine. */
  problems?(io: Io, invocation: Invocation<Flags>): readonly string[];
  /** The exit code. Throws SampanError. */
  run(context: CommandContext, invocation: Invocation<Flags>): Promise<number>;
}

/** Ties the types of a command's flags to its action, then forgets them: the dispatcher knows commands of every kind. */
export function defineCommand<const Flags extends FlagTable>(definition: CommandDefinition<Flags>): CommandDefinition {
  return definition;
}

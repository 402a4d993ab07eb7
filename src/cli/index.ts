/**
 * The command line: argv → engine → text.
 *
 * `main` finds a command in the table (`commands/table.ts`), loads it, parses its flags (`flags/`, `parse/`), runs it with a context,
 * and turns what was thrown into text and an exit code (`output/errors.ts`). A command is one file that exports `command`; adding
 * one is that file and a line of the table.
 *
 * Invariants: nothing is loaded before the command is known; commands write through `Io` only; the engine is opened by the
 * command that asks for it, never by the dispatcher.
 */
export { main } from "./main.ts";
export { processIo } from "./process-io.ts";
export type { Io } from "./io.ts";
export type { CommandContext, CommandDefinition, Invocation } from "./command.ts";

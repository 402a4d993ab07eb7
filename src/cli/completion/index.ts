/**
 * Completion scripts for shells, written from the command tables: what a command takes is said once, in its table.
 *
 * Vocabulary: a *word kind* is what a positional or a flag's value names ("container", "image", "file"…).
 * Invariants: the same tables give the same script. A script asks `sampan` for names only while somebody completes one, and never waits for
 * an answer that does not come: a failing `sampan` completes nothing.
 */
export { completionModel } from "./model.ts";
export type { CompletionCommand, CompletionModel, WordKind } from "./model.ts";
export { bashCompletion } from "./bash.ts";
export { fishCompletion } from "./fish.ts";
export { zshCompletion } from "./zsh.ts";

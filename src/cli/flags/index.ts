/**
 * Flags: a declarative table per command, and one parser with pflag's rules for all of them.
 *
 * Vocabulary: a *flag* has a name, maybe a letter, aliases and single-dash spellings; a *switch* is a flag without a
 * value; *positionals* are what remains. A problem names the flag and the value and is never thrown by
 * the parser, so that a person hears all of them at once.
 *
 * Invariant: every word lands in exactly one place (flag, value, positional or problem); after `--`, or after the
 * first positional where a command is not interspersed, words are positionals untouched.
 */
export * from "./flag.ts";
export * from "./parse.ts";

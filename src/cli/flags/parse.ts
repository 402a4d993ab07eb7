import { SampanError } from "../../base/errors.ts";
import type { Flag, FlagTable, FlagValues } from "./flag.ts";

export interface ParsedFlags<Table extends FlagTable> {
  readonly values: FlagValues<Table>;
  /** Names (as in the table) of the flags that were given. */
  readonly given: ReadonlySet<string>;
  /** What is not a flag, in order. */
  readonly positionals: readonly string[];
  readonly help: boolean;
  /** Long flags that the table does not have, without their dashes. */
  readonly unknown: readonly string[];
  /** One sentence for each thing wrong; the values are not to be used when there is any. */
  readonly problems: readonly string[];
}

interface Cursor {
  readonly argv: readonly string[];
  index: number;
}

/**
 * Parses `argv` by a table, with pflag's rules: `--flag=value`, `--flag value`, `-abc`, `-p8080:80`, `-p=8080:80`,
 * `--switch=false`, `--`. With `interspersed` false, parsing stops at the first positional, so that
 * the flags of a container's own command are left alone. Nothing is thrown: every problem is collected.
 */
export function parseFlags<Table extends FlagTable>(table: Table, argv: readonly string[], interspersed: boolean): ParsedFlags<Table> {
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>; // a fresh, empty record
  const given = new Set<string>();
  const positionals: string[] = [];
  const problems: string[] = [];
  const unknown: string[] = [];
  let help = false;

  for (const name in table) values[name] = table[name]?.initial;

  // Looked up when a word asks for one: an index of a hundred flags would cost more than the few that a line has.
  const byName = (word: string): string | undefined => (Object.hasOwn(table, word) ? word : search((flag) => flag.aliases?.includes(word) === true));
  const byLetter = (letter: string): string | undefined => search((flag) => flag.short === letter);
  const bySingleDash = (word: string): string | undefined => search((flag) => flag.singleDash?.includes(word) === true);

  function search(matches: (flag: Flag<unknown>) => boolean): string | undefined {
    for (const name in table) {
      const flag = table[name];
      if (flag !== undefined && matches(flag)) return name;
    }
    return undefined;
  }

  const cursor: Cursor = { argv, index: 0 };

  function set(name: string, text: string): void {
    const flag = table[name];
    if (flag === undefined) return;
    given.add(name);
    try {
      values[name] = flag.accept(text, values[name]);
    } catch (error) {
      if (!(error instanceof SampanError) || error.kind !== "invalid") throw error;
      problems.push(`invalid argument ${JSON.stringify(text)} for "${spelling(name, flag)}" flag: ${error.message}`);
    }
  }

  /** A flag by a long spelling, after one dash or two; `word` is without them. */
  function long(word: string, find: (word: string) => string | undefined, dashes: string): void {
    const equals = word.indexOf("=");
    const spelled = equals === -1 ? word : word.slice(0, equals);
    const name = find(spelled);
    const flag = name === undefined ? undefined : table[name];
    if (name === undefined || flag === undefined) {
      if (spelled === "help") help = true;
      else {
        problems.push(`unknown flag: ${dashes}${spelled}`);
        unknown.push(spelled);
      }
      return;
    }
    if (equals !== -1) return set(name, word.slice(equals + 1));
    if (flag.valueName === "") return set(name, "true");
    const next = cursor.argv[cursor.index];
    if (next === undefined) {
      problems.push(`flag needs an argument: ${dashes}${spelled}`);
      return;
    }
    cursor.index += 1;
    set(name, next);
  }

  function cluster(letters: string): void {
    for (let at = 0; at < letters.length; at += 1) {
      const letter = letters.charAt(at);
      const name = byLetter(letter);
      const flag = name === undefined ? undefined : table[name];
      if (name === undefined || flag === undefined) {
        if (letter === "h") help = true;
        else problems.push(`unknown shorthand flag: '${letter}' in -${letters.slice(at)}`);
        return;
      }
      const rest = letters.slice(at + 1);
      // pflag takes "-e=" for the value "=".
      if (rest.startsWith("=") && rest.length > 1) return set(name, rest.slice(1));
      if (flag.valueName === "") {
        set(name, "true");
        continue;
      }
      if (rest !== "") return set(name, rest);
      const next = cursor.argv[cursor.index];
      if (next === undefined) {
        problems.push(`flag needs an argument: '${letter}' in -${letters}`);
        return;
      }
      cursor.index += 1;
      return set(name, next);
    }
  }

  while (cursor.index < argv.length && !help) {
    const word = argv[cursor.index] ?? "";
    cursor.index += 1;
    if (word === "--") {
      positionals.push(...argv.slice(cursor.index));
      break;
    }
    if (word.startsWith("--")) {
      if (/^--[-=]/.test(word)) problems.push(`bad flag syntax: ${word}`);
      else long(word.slice(2), byName, "--");
    } else if (word.startsWith("-") && word !== "-") {
      const letters = word.slice(1);
      const end = letters.indexOf("=");
      // One letter is never a long name.
      if (letters.length > 1 && bySingleDash(end === -1 ? letters : letters.slice(0, end)) !== undefined) long(letters, bySingleDash, "-");
      else cluster(letters);
    } else if (interspersed) {
      positionals.push(word);
    } else {
      positionals.push(word, ...argv.slice(cursor.index));
      break;
    }
  }
  // Every name of the table has been set above, to its initial value or to one its own parser returned.
  return { values: values as FlagValues<Table>, given, positionals, help, unknown, problems };
}

/** "-m, --memory" or "--cpus": how messages and help name a flag. */
export function spelling(name: string, flag: Flag<unknown>): string {
  return flag.short === undefined ? `--${name}` : `-${flag.short}, --${name}`;
}

import { SampanError } from "../../base/errors.ts";

/**
 * One flag of a command. `T` is what the command's action reads: a list flag gives an array, a scalar one
 * its value or undefined, a switch a boolean.
 */
export interface Flag<T> {
  /** The one-letter name, without its dash. */
  readonly short?: string | undefined;
  /** Further spellings after two dashes. */
  readonly aliases?: readonly string[] | undefined;
  /** Long spellings after one dash, as the teaching engines have them: "-name", "-net". */
  readonly singleDash?: readonly string[] | undefined;
  readonly help: string;
  /** What the help calls the value; "" for a switch, which takes none. */
  readonly valueName: string;
  readonly hidden?: boolean | undefined;
  /** The default as the help shows it; nothing is shown for an empty one. */
  readonly shownDefault?: string | undefined;
  /** The value of a flag that was not given. */
  readonly initial: T;
  /** The value after one more `--flag=text`. Throws SampanError "invalid" with the reason alone. */
  accept(text: string, before: T): T;
}

export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

export type FlagValues<Table extends FlagTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Flag<infer T> ? T : never;
};

/** What every builder takes beside the help sentence. */
export interface FlagOptions {
  short?: string;
  aliases?: readonly string[];
  singleDash?: readonly string[];
  hidden?: boolean;
  valueName?: string;
  shownDefault?: string;
}

/** A reason for refusing a value; the parser adds the flag and the value to it. */
export function refuse(reason: string): never {
  throw new SampanError("invalid", reason);
}

const trueWords = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const falseWords = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** Go's strconv.ParseBool, in its words: scripts read them. */
export function parseBool(text: string): boolean {
  if (trueWords.has(text)) return true;
  if (falseWords.has(text)) return false;
  return refuse(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** A switch: `--name`, or `--name=false`. */
export function bool(help: string, options: FlagOptions & { initial?: boolean } = {}): Flag<boolean> {
  return { help, ...options, valueName: "", initial: options.initial ?? false, accept: parseBool };
}

/** One value, the last one given counts. */
export function one<T>(valueName: string, parse: (text: string) => T, help: string, options: FlagOptions = {}): Flag<T | undefined> {
  return { help, valueName, ...options, initial: undefined, accept: parse };
}

/** Any number of values, in order. */
export function many<T>(valueName: string, parse: (text: string) => T, help: string, options: FlagOptions = {}): Flag<readonly T[]> {
  return { help, valueName, ...options, initial: [], accept: (text, before) => [...before, parse(text)] };
}

export function string(help: string, options: FlagOptions = {}): Flag<string | undefined> {
  return one("string", (text) => text, help, options);
}

export function list(help: string, options: FlagOptions = {}): Flag<readonly string[]> {
  return many("list", (text) => text, help, options);
}

/** A list whose values may also be joined by commas, as pflag's StringSlice. */
export function commaList(help: string, options: FlagOptions = {}): Flag<readonly string[]> {
  return { help, valueName: "strings", ...options, initial: [], accept: (text, before) => [...before, ...text.split(",")] };
}

export function int(help: string, options: FlagOptions & { min?: number; max?: number } = {}): Flag<number | undefined> {
  return one("int", (text) => parseInteger(text, options.min, options.max), help, options);
}

/** Go's strconv.ParseInt with base 0, within the integers that a JavaScript number holds exactly. */
export function parseInteger(text: string, min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): number {
  const quoted = JSON.stringify(text);
  const match = /^([+-]?)(0x[0-9a-f]+|0o?[0-7]+|0b[01]+|[1-9][0-9]*|0)$/i.exec(text);
  if (match === null) return refuse(`strconv.ParseInt: parsing ${quoted}: invalid syntax`);
  const digits = match[2] ?? "";
  const magnitude = Number(/^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits.toLowerCase());
  const value = match[1] === "-" ? -magnitude : magnitude;
  if (value < min || value > max) return refuse(`strconv.ParseInt: parsing ${quoted}: value out of range`);
  return value === 0 ? 0 : value;
}

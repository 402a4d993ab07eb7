import { SampanError } from "../base/errors.ts";

/** "bundle b=": a flag, its aliases, and "=" where it takes a value. "*" after that: may be given more than once. */
export interface Flags {
  has(name: string): boolean;
  value(name: string): string | undefined;
  values(name: string): readonly string[];
  /** What is no flag. */
  readonly rest: readonly string[];
}

interface Definition {
  readonly name: string;
  readonly takesValue: boolean;
}

function definitionsOf(spec: readonly string[]): ReadonlyMap<string, Definition> {
  const definitions = new Map<string, Definition>();
  for (const entry of spec) {
    const takesValue = entry.endsWith("=");
    const names = (takesValue ? entry.slice(0, -1) : entry).split(" ");
    const definition = { name: names[0] ?? "", takesValue };
    for (const name of names) definitions.set(name, definition);
  }
  return definitions;
}

/**
 * Flags in runc's manner: one or two dashes, `--name value` or `--name=value`; boolean ones also `--name=false`. With
 * `stopAtFirst` what follows the first word that is no flag belongs to somebody else (a program's arguments).
 */
export function parseFlags(command: string, words: readonly string[], spec: readonly string[], options: { stopAtFirst?: boolean } = {}): Flags {
  const definitions = definitionsOf(spec);
  const found = new Map<string, string[]>();
  const rest: string[] = [];
  const fail = (word: string, reason: string): never => {
    throw new SampanError("invalid", `Cannot run "${command}": ${word} ${reason}`);
  };
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") {
      rest.push(...words.slice(at + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      if (options.stopAtFirst) {
        rest.push(...words.slice(at));
        break;
      }
      rest.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const name = (equals < 0 ? word : word.slice(0, equals)).replace(/^--?/, "");
    const definition = definitions.get(name) ?? fail(`flag "${word}"`, "is not known");
    let value = equals < 0 ? undefined : word.slice(equals + 1);
    if (definition.takesValue) {
      if (value === undefined) {
        at += 1;
        value = words[at] ?? fail(`flag "${word}"`, "needs a value");
      }
    } else if (value !== undefined && value !== "true" && value !== "false") fail(`flag "${word}"`, "takes true or false");
    const list = found.get(definition.name) ?? [];
    list.push(value ?? "true");
    found.set(definition.name, list);
  }
  return {
    rest,
    has: (name) => found.get(name)?.at(-1) === "true" || (definitions.get(name)?.takesValue === true && found.has(name)),
    value: (name) => found.get(name)?.at(-1),
    values: (name) => found.get(name) ?? [],
  };
}

/** The positional arguments, exactly as many as `names`. */
export function positional(command: string, flags: Flags, names: readonly string[], optional = 0): readonly string[] {
  const { rest } = flags;
  if (rest.length < names.length - optional || rest.length > names.length)
    throw new SampanError("invalid", `Cannot run "${command}": it takes ${names.map((name, i) => (i < names.length - optional ? `<${name}>` : `[${name}]`)).join(" ")}, and ${rest.length === 0 ? "nothing was given" : `${rest.length} arguments were given`}`);
  return rest;
}

/** A non-negative whole number. */
export function count(command: string, flags: Flags, name: string): number {
  const text = flags.value(name);
  if (text === undefined) return 0;
  if (!/^\d{1,9}$/.test(text)) throw new SampanError("invalid", `Cannot run "${command}": --${name} "${text}" is not a whole number`);
  return Number(text);
}

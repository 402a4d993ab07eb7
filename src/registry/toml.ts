import { SampanError } from "../base/index.ts";

export type TomlValue = string | boolean | readonly string[];
export interface TomlTable {
  /** "registry", "registry.mirror"; "" for what stands before the first header. */
  readonly name: string;
  readonly line: number;
  readonly values: ReadonlyMap<string, TomlValue>;
}

const STRING = `"(?:[^"\\\\\\x00-\\x1f]|\\\\["\\\\])*"|'[^'\\x00-\\x1f]*'`;

/**
 * The part of TOML 1.0 that registries.conf files are made of: comments, `[[array.of.tables]]`, and `key = value` with
 * strings, booleans and arrays of strings, each on one line. Anything else is an error with its line, never a guess.
 */
export function parseTomlTables(text: string, file: string): TomlTable[] {
  const tables: { name: string; line: number; values: Map<string, TomlValue> }[] = [{ name: "", line: 0, values: new Map() }];
  for (const [index, whole] of text.split(/\r?\n/).entries()) {
    const line = whole.trim();
    if (line === "" || line.startsWith("#")) continue;
    const fail = (problem: string): never => {
      throw new SampanError("invalid", `Cannot read "${file}": line ${index + 1}: ${problem}`);
    };
    const header = /^\[\[\s*([A-Za-z0-9_.-]+)\s*\]\]\s*(?:#.*)?$/.exec(line);
    if (header !== null) {
      tables.push({ name: header[1] ?? "", line: index + 1, values: new Map() });
      continue;
    }
    const pair = new RegExp(`^([A-Za-z0-9_-]+)\\s*=\\s*(true|false|${STRING}|\\[(?:\\s*(?:${STRING})\\s*,?)*\\s*\\])\\s*(?:#.*)?$`).exec(line);
    if (pair === null) return fail("it is neither a [[table]] nor key = \"value\", true, false or [\"values\"]");
    const [, key = "", value = ""] = pair;
    const values = tables.at(-1)?.values;
    if (values?.has(key) === true) fail(`"${key}" is given twice`);
    values?.set(key, valueOf(value));
  }
  return tables;
}

function valueOf(text: string): TomlValue {
  if (text === "true" || text === "false") return text === "true";
  if (text.startsWith("[")) return (text.match(new RegExp(STRING, "g")) ?? []).map(unquote);
  return unquote(text);
}

function unquote(text: string): string {
  const inner = text.slice(1, -1);
  return text.startsWith("'") ? inner : inner.replace(/\\(["\\])/g, "$1");
}

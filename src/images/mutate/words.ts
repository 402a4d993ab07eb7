import { SampanError } from "../../base/index.ts";

/** A Dockerfile instruction that cannot be applied; the whole of it is named. */
export function changeError(change: string, reason: string): SampanError {
  return new SampanError("invalid", `Cannot apply change "${change}": ${reason}`, {
    hint: "changes are Dockerfile instructions: CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR",
  });
}

/**
 * The words of an instruction's arguments as the Dockerfile reference has them: separated by blanks; quotes keep blanks and are taken off;
 * a backslash takes the next character as it is; `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+instead}` are replaced outside
 * single quotes. With `keepBlanks` all of it is one word.
 */
export function splitWords(text: string, variables: ReadonlyMap<string, string>, change: string, keepBlanks = false): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? "";
    if (character === "\\" && quote !== "'") {
      const next = text[++at];
      // Within double quotes only these lose their backslash, as in sh(1).
      word = (word ?? "") + (quote === '"' && next !== '"' && next !== "\\" && next !== "$" ? `\\${next ?? ""}` : (next ?? "\\"));
    } else if (quote !== "" && character === quote) {
      quote = "";
    } else if (quote === "" && (character === '"' || character === "'")) {
      quote = character;
      word ??= "";
    } else if (character === "$" && quote !== "'") {
      const [value, length] = expand(text.slice(at), variables, change);
      word = (word ?? "") + value;
      at += length - 1;
    } else if (quote === "" && !keepBlanks && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + character;
    }
  }
  if (quote !== "") throw changeError(change, `a ${quote} is not closed`);
  if (word !== undefined) words.push(word);
  return words;
}

/** The value of the variable at the start of `text`, and how many characters it took. */
function expand(text: string, variables: ReadonlyMap<string, string>, change: string): [value: string, length: number] {
  const plain = /^\$([A-Za-z_][A-Za-z0-9_]*)/.exec(text);
  if (plain !== null) return [variables.get(plain[1] ?? "") ?? "", plain[0].length];
  if (!text.startsWith("${")) return ["$", 1];
  const braced = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([-+])([^}]*))?\}/.exec(text);
  if (braced === null) throw changeError(change, "a substitution is malformed");
  const value = variables.get(braced[1] ?? "") ?? "";
  const other = braced[3] ?? "";
  if (braced[2] === "-") return [value === "" ? other : value, braced[0].length];
  if (braced[2] === "+") return [value === "" ? "" : other, braced[0].length];
  return [value, braced[0].length];
}

/** The exec form, `["a", "b"]`; undefined for anything else, which is then the shell form. */
export function execForm(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
  } catch {
    return undefined;
  }
}

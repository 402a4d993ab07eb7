import { SampanError } from "../../../base/errors.ts";

/** One word of an action, with the place it came from. */
export interface Token {
  readonly kind: "field" | "variable" | "name" | "string" | "number" | "char" | "punctuation";
  /** As written; for strings and characters the value that it stands for. */
  readonly text: string;
  /** Was there blank space before it? `.A .B` are two operands, `.A.B` is one. */
  readonly spaced: boolean;
  readonly line: number;
  readonly column: number;
}

/** A piece of a template: text as it stands, or the tokens between "{{" and "}}". */
export type Piece = { readonly text: string } | { readonly tokens: readonly Token[]; readonly line: number; readonly column: number };

export function parseError(line: number, reason: string): never {
  throw new SampanError("invalid", `template parsing error: template: :${line}: ${reason}`, { exitCode: 64 });
}

/** Cuts a template into texts and actions; "{{- " and " -}}" trim, comments vanish. */
export function lexTemplate(source: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trimNext = false;
  let line = 1;
  for (;;) {
    const open = source.indexOf("{{", at);
    let text = source.slice(at, open === -1 ? source.length : open);
    const rawText = text;
    if (trimNext) text = text.trimStart();
    if (open === -1) {
      if (text !== "") pieces.push({ text });
      return pieces;
    }
    line += newlines(rawText);
    const trimsLeft = /^-\s/.test(source.slice(open + 2, open + 4));
    if (trimsLeft) text = text.trimEnd();
    if (text !== "") pieces.push({ text });
    const start = open + (trimsLeft ? 3 : 2);
    const comment = /^\s*\/\*[\s\S]*?\*\/\s*?(\s-)?\}\}/.exec(source.slice(start));
    if (comment !== null) {
      trimNext = comment[1] !== undefined;
      at = start + comment[0].length;
      line += newlines(comment[0]);
      continue;
    }
    const column = open - source.lastIndexOf("\n", open - 1) - 1;
    const { tokens, end, trimsRight } = lexAction(source, start, line);
    pieces.push({ tokens, line, column });
    line += newlines(source.slice(start, end));
    trimNext = trimsRight;
    at = end;
  }
}

function newlines(text: string): number {
  return text.split("\n").length - 1;
}

const tokenPatterns: readonly [Token["kind"], RegExp][] = [
  ["field", /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ["variable", /\$[\p{L}\p{N}_]*/uy],
  ["number", /[+-]?(?:0x[0-9a-fA-F_]+|[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+)/y],
  ["name", /[\p{L}_][\p{L}\p{N}_]*/uy],
  ["punctuation", /:=|[.()|=,]/y],
];

function lexAction(source: string, start: number, startLine: number): { tokens: Token[]; end: number; trimsRight: boolean } {
  const tokens: Token[] = [];
  let at = start;
  let line = startLine;
  let spaced = false;
  for (;;) {
    const blank = /\s+/y;
    blank.lastIndex = at;
    const space = blank.exec(source)?.[0] ?? "";
    at += space.length;
    line += newlines(space);
    spaced = space !== "" || tokens.length === 0;
    if (at >= source.length) return parseError(startLine, "unclosed action");
    if (source.startsWith("}}", at)) return { tokens, end: at + 2, trimsRight: false };
    if (space !== "" && source.startsWith("-}}", at)) return { tokens, end: at + 3, trimsRight: true };
    const column = at - source.lastIndexOf("\n", at - 1) - 1;
    const character = source.charAt(at);
    if (character === '"' || character === "`" || character === "'") {
      const { text, end } = lexQuoted(source, at, line);
      tokens.push({ kind: character === "'" ? "char" : "string", text, spaced, line, column });
      at = end;
      continue;
    }
    const token = matchToken(source, at);
    if (token === undefined) return parseError(line, `unexpected ${JSON.stringify(character)} in command`);
    tokens.push({ ...token, spaced, line, column });
    at += token.text.length;
  }
}

function matchToken(source: string, at: number): { kind: Token["kind"]; text: string } | undefined {
  for (const [kind, pattern] of tokenPatterns) {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0];
    if (text !== undefined) return { kind, text };
  }
  return undefined;
}

const simpleEscapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", a: "\x07", b: "\b", f: "\f", v: "\v", "\\": "\\", '"': '"', "'": "'" };

/** A Go string or character literal that starts at `at`, with its escapes resolved. */
function lexQuoted(source: string, at: number, line: number): { text: string; end: number } {
  const quote = source.charAt(at);
  if (quote === "`") {
    const end = source.indexOf("`", at + 1);
    return end === -1 ? parseError(line, "unterminated raw quoted string") : { text: source.slice(at + 1, end), end: end + 1 };
  }
  const kind = quote === "'" ? "character constant" : "quoted string";
  let text = "";
  for (let next = at + 1; next < source.length; next += 1) {
    const character = source.charAt(next);
    if (character === quote) return { text, end: next + 1 };
    if (character === "\n") break;
    if (character !== "\\") {
      text += character;
      continue;
    }
    const escape = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([ntrabfv\\"']))/.exec(source.slice(next + 1, next + 10));
    if (escape === null) return parseError(line, `invalid syntax in ${kind}`);
    const hex = escape[1] ?? escape[2] ?? escape[3];
    const code = hex === undefined ? Number.parseInt(escape[4] ?? "0", 8) : Number.parseInt(hex, 16);
    if (code > 0x10ffff) return parseError(line, `invalid syntax in ${kind}`);
    text += escape[5] === undefined ? String.fromCodePoint(code) : (simpleEscapes[escape[5]] ?? "");
    next += escape[0].length;
  }
  return parseError(line, `unterminated ${kind}`);
}

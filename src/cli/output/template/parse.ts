import { lexTemplate, parseError, type Piece, type Token } from "./lex.ts";

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** What a command is made of. `text` is the source for error messages. */
export type Operand =
  | { readonly kind: "literal"; readonly value: unknown }
  | { readonly kind: "dot" }
  | { readonly kind: "function"; readonly name: string; readonly place: Place }
  | { readonly kind: "variable"; readonly name: string; readonly place: Place }
  | { readonly kind: "pipeline"; readonly pipeline: Pipeline }
  /** `.A.B` on the operand before it; on the dot where there is none. */
  | { readonly kind: "chain"; readonly base: Operand; readonly fields: readonly string[]; readonly text: string; readonly place: Place };

export type Command = readonly [Operand, ...Operand[]];

export interface Pipeline {
  readonly commands: readonly Command[];
  /** `$i, $e := …`; `assigns` for `$x = …`. */
  readonly variables: readonly string[];
  readonly assigns: boolean;
}

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipeline: Pipeline }
  | { readonly kind: "if" | "with" | "range"; readonly pipeline: Pipeline; readonly body: readonly Node[]; readonly otherwise: readonly Node[] }
  | { readonly kind: "break" | "continue" };

interface Reader {
  readonly pieces: readonly Piece[];
  at: number;
  readonly functions: ReadonlySet<string>;
  /** Variables in sight, innermost last. */
  variables: string[];
  loops: number;
}

/** The tree of a template; `functions` are the names that it may call. */
export function parseTemplate(source: string, functions: ReadonlySet<string>): readonly Node[] {
  const reader: Reader = { pieces: lexTemplate(source), at: 0, functions, variables: ["$"], loops: 0 };
  const { nodes, end } = parseNodes(reader);
  if (end !== undefined) return parseError(end.line, `unexpected {{${end.word}}}`);
  return nodes;
}

interface End {
  readonly word: "end" | "else";
  /** What follows `else`: an `if` or `with` of its own. */
  readonly rest: readonly Token[];
  readonly line: number;
}

function parseNodes(reader: Reader): { nodes: Node[]; end: End | undefined } {
  const nodes: Node[] = [];
  while (reader.at < reader.pieces.length) {
    const piece = reader.pieces[reader.at];
    reader.at += 1;
    if (piece === undefined) break;
    if ("text" in piece) {
      nodes.push({ kind: "text", text: piece.text });
      continue;
    }
    const [head, ...rest] = piece.tokens;
    if (head === undefined) return parseError(piece.line, "missing value for command");
    if (head.kind === "name" && (head.text === "end" || head.text === "else")) {
      if (head.text === "end" && rest.length > 0) return parseError(piece.line, "unexpected input in end");
      return { nodes, end: { word: head.text, rest, line: piece.line } };
    }
    nodes.push(parseAction(reader, head, piece.tokens, piece.line));
  }
  return { nodes, end: undefined };
}

function parseAction(reader: Reader, head: Token, tokens: readonly Token[], line: number): Node {
  if (head.kind === "name") {
    switch (head.text) {
      case "if":
      case "with":
      case "range":
        return parseBlock(reader, head.text, tokens.slice(1), line);
      case "break":
      case "continue":
        if (tokens.length > 1) return parseError(line, `unexpected input in ${head.text}`);
        if (reader.loops === 0) return parseError(line, `{{${head.text}}} outside {{range}}`);
        return { kind: head.text };
      case "define":
      case "template":
      case "block":
        return parseError(line, `{{${head.text}}} is not supported in a format`);
    }
  }
  return { kind: "action", pipeline: parsePipeline(reader, tokens, line, "command") };
}

function parseBlock(reader: Reader, kind: "if" | "with" | "range", tokens: readonly Token[], line: number): Node {
  const inSight = reader.variables.length;
  const pipeline = parsePipeline(reader, tokens, line, kind);
  if (kind === "range") reader.loops += 1;
  const { nodes: body, end } = parseNodes(reader);
  if (kind === "range") reader.loops -= 1;
  let otherwise: readonly Node[] = [];
  if (end?.word === "else") {
    const [next, ...rest] = end.rest;
    if (next === undefined) {
      const second = parseNodes(reader);
      if (second.end?.word !== "end") return parseError(line, second.end === undefined ? "unexpected EOF" : "expected end; found {{else}}");
      otherwise = second.nodes;
    } else if (next.kind === "name" && next.text === kind && kind !== "range") {
      // `{{else if}}` shares the one `{{end}}`.
      otherwise = [parseBlock(reader, kind, rest, end.line)];
    } else return parseError(end.line, "unexpected input in else");
  } else if (end === undefined) return parseError(line, "unexpected EOF");
  reader.variables.length = inSight;
  return { kind, pipeline, body, otherwise };
}

function parsePipeline(reader: Reader, tokens: readonly Token[], line: number, where: string): Pipeline {
  const { variables, assigns, length } = declarations(reader, tokens, line, where);
  const commands: Command[] = [];
  let depth = 0;
  let from = length;
  for (let at = length; at <= tokens.length; at += 1) {
    const token = tokens[at];
    if (token?.kind === "punctuation" && token.text === "(") depth += 1;
    if (token?.kind === "punctuation" && token.text === ")") depth -= 1;
    if (token !== undefined && !(token.kind === "punctuation" && token.text === "|" && depth === 0)) continue;
    const command = parseCommand(reader, tokens.slice(from, at), line, where);
    const [first, ...others] = command;
    if (commands.length > 0 && first.kind !== "function" && first.kind !== "chain" && !(first.kind === "pipeline" && others.length === 0)) {
      return parseError(line, "non executable command in pipeline stage 2");
    }
    commands.push(command);
    from = at + 1;
  }
  if (!assigns) reader.variables.push(...variables);
  return { commands, variables, assigns };
}

function declarations(reader: Reader, tokens: readonly Token[], line: number, where: string): { variables: string[]; assigns: boolean; length: number } {
  const [first, second, third, fourth] = tokens;
  if (first?.kind !== "variable") return { variables: [], assigns: false, length: 0 };
  let variables = [first.text];
  let operator = second;
  let length = 2;
  if (where === "range" && second?.text === "," && second.kind === "punctuation" && third?.kind === "variable") {
    variables = [first.text, third.text];
    operator = fourth;
    length = 4;
  }
  if (operator?.kind !== "punctuation" || (operator.text !== ":=" && operator.text !== "=")) return { variables: [], assigns: false, length: 0 };
  const assigns = operator.text === "=";
  if (assigns) for (const name of variables) if (!reader.variables.includes(name)) return parseError(line, `undefined variable ${JSON.stringify(name)}`);
  return { variables, assigns, length };
}

function parseCommand(reader: Reader, tokens: readonly Token[], line: number, where: string): Command {
  const operands: Operand[] = [];
  let at = 0;
  while (at < tokens.length) {
    const token = tokens[at];
    if (token === undefined) break;
    let operand: Operand;
    if (token.kind === "punctuation" && token.text === "(") {
      const close = closing(tokens, at, line);
      operand = { kind: "pipeline", pipeline: parsePipeline(reader, tokens.slice(at + 1, close), line, "parenthesized pipeline") };
      at = close + 1;
    } else {
      operand = parseOperand(reader, token);
      at += 1;
    }
    const fields: string[] = operand.kind === "chain" ? [...operand.fields] : [];
    const base: Operand = operand.kind === "chain" ? operand.base : operand;
    // Go reports a chain at the first field that follows its base.
    let place: Place = token;
    for (let next = tokens[at]; next?.kind === "field" && !next.spaced; next = tokens[at]) {
      if (place === token) place = next;
      fields.push(next.text.slice(1));
      at += 1;
    }
    if (fields.length > 0) {
      const text = (base.kind === "variable" ? base.name : base.kind === "pipeline" ? "(…)" : "") + fields.map((field) => `.${field}`).join("");
      operand = { kind: "chain", base, fields, text, place };
    }
    operands.push(operand);
  }
  const [first, ...rest] = operands;
  return first === undefined ? parseError(line, `missing value for ${where}`) : [first, ...rest];
}

function closing(tokens: readonly Token[], open: number, line: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at += 1) {
    if (tokens[at]?.kind !== "punctuation") continue;
    if (tokens[at]?.text === "(") depth += 1;
    else if (tokens[at]?.text === ")" && (depth -= 1) === 0) return at;
  }
  return parseError(line, "unclosed left paren");
}

function parseOperand(reader: Reader, token: Token): Operand {
  switch (token.kind) {
    case "string":
      return { kind: "literal", value: token.text };
    case "char":
      return { kind: "literal", value: token.text.codePointAt(0) ?? 0 };
    case "number":
      return { kind: "literal", value: Number(token.text.replaceAll("_", "")) };
    case "field":
      return { kind: "chain", base: { kind: "dot" }, fields: [token.text.slice(1)], text: token.text, place: token };
    case "variable":
      if (!reader.variables.includes(token.text)) return parseError(token.line, `undefined variable ${JSON.stringify(token.text)}`);
      return { kind: "variable", name: token.text, place: token };
    case "name":
      if (token.text === "true" || token.text === "false") return { kind: "literal", value: token.text === "true" };
      if (token.text === "nil") return { kind: "literal", value: null };
      if (!reader.functions.has(token.text)) return parseError(token.line, `function ${JSON.stringify(token.text)} not defined`);
      return { kind: "function", name: token.text, place: token };
    case "punctuation":
      return token.text === "." ? { kind: "dot" } : parseError(token.line, `unexpected ${JSON.stringify(token.text)} in command`);
  }
}

import { SampanError } from "../../../base/errors.ts";
import { arities, fail, type TemplateFunction } from "./functions.ts";
import type { Command, Node, Operand, Pipeline, Place } from "./parse.ts";
import { GoZero } from "./zero.ts";
import { formatValue, isNil, isRecord, isTrue, looksLikeStruct, typeName } from "./value.ts";

interface Scope {
  readonly functions: Readonly<Record<string, TemplateFunction>>;
  /** Innermost last; a block cuts off what it declared. */
  readonly variables: { name: string; value: unknown }[];
  output: string;
}

/** Thrown through the body of a range. */
class LoopSignal {
  readonly kind: "break" | "continue";
  constructor(kind: "break" | "continue") {
    this.kind = kind;
  }
}

/** Text from a tree and a value. Throws SampanError "invalid" in the words of Go's text/template, exit code 1 as Docker's. */
export function executeTemplate(nodes: readonly Node[], data: unknown, functions: Readonly<Record<string, TemplateFunction>>): string {
  const scope: Scope = { functions, variables: [{ name: "$", value: data }], output: "" };
  walk(nodes, data, scope);
  return scope.output;
}

function walk(nodes: readonly Node[], dot: unknown, scope: Scope): void {
  for (const node of nodes) {
    switch (node.kind) {
      case "text":
        scope.output += node.text;
        break;
      case "action": {
        const value = evaluate(node.pipeline, dot, scope);
        if (node.pipeline.variables.length === 0) scope.output += formatValue(value);
        break;
      }
      case "if":
      case "with":
      case "range":
        walkBlock(node, dot, scope);
        break;
      case "break":
      case "continue":
        // Caught by the range around it, which the parser has made sure of.
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- a control signal of the interpreter, caught by the loop around it
        throw new LoopSignal(node.kind);
    }
  }
}

function walkBlock(node: Extract<Node, { kind: "if" | "with" | "range" }>, dot: unknown, scope: Scope): void {
  const inSight = scope.variables.length;
  if (node.kind === "range") walkRange(node, dot, scope);
  else {
    const value = evaluate(node.pipeline, dot, scope);
    if (isTrue(value)) walk(node.body, node.kind === "with" ? value : dot, scope);
    else walk(node.otherwise, dot, scope);
  }
  scope.variables.length = inSight;
}

function walkRange(node: Extract<Node, { kind: "if" | "with" | "range" }>, dot: unknown, scope: Scope): void {
  const { variables, assigns } = node.pipeline;
  const collection = evaluate({ ...node.pipeline, variables: [] }, dot, scope);
  const items = entries(collection);
  if (items.length === 0) return walk(node.otherwise, dot, scope);
  for (const [key, item] of items) {
    const inSight = scope.variables.length;
    const [first, second] = variables;
    if (first !== undefined && second !== undefined) {
      bind(scope, first, key, assigns);
      bind(scope, second, item, assigns);
    } else if (first !== undefined) bind(scope, first, item, assigns);
    try {
      walk(node.body, item, scope);
    } catch (signal) {
      if (!(signal instanceof LoopSignal)) throw signal;
      if (signal.kind === "break") return;
    } finally {
      scope.variables.length = inSight;
    }
  }
}

/** Lists in order, maps by sorted key, a number n as 0 … n-1. */
function entries(collection: unknown): [unknown, unknown][] {
  if (isNil(collection)) return [];
  if (Array.isArray(collection)) return collection.map((item: unknown, at): [unknown, unknown] => [at, item]);
  if (typeof collection === "number") return Array.from({ length: collection }, (_, at): [unknown, unknown] => [at, at]);
  if (isRecord(collection)) return Object.keys(collection).sort().map((key): [unknown, unknown] => [key, collection[key]]);
  return stop({ line: 1, column: 0 }, "range", `range can't iterate over ${formatValue(collection)}`);
}

function bind(scope: Scope, name: string, value: unknown, assigns: boolean): void {
  const known = assigns ? scope.variables.findLast((variable) => variable.name === name) : undefined;
  if (known === undefined) scope.variables.push({ name, value });
  else known.value = value;
}

function evaluate(pipeline: Pipeline, dot: unknown, scope: Scope): unknown {
  let value: unknown;
  let piped = false;
  for (const command of pipeline.commands) {
    value = evaluateCommand(command, dot, scope, piped ? [value] : []);
    piped = true;
  }
  const [name] = pipeline.variables;
  if (name !== undefined) bind(scope, name, value, pipeline.assigns);
  return value;
}

function evaluateCommand([head, ...rest]: Command, dot: unknown, scope: Scope, piped: readonly unknown[]): unknown {
  if (head.kind === "function") {
    if (head.name === "and" || head.name === "or") return shortCircuit(head.name, rest, dot, scope, piped);
    const named = scope.functions[head.name];
    if (named === undefined) return fail(`function ${JSON.stringify(head.name)} not defined`);
    const args = [...rest.map((operand) => evaluateOperand(operand, dot, scope)), ...piped];
    return call(named, args, head.place, head.name);
  }
  const args = [...rest, ...piped];
  if (args.length === 0) return evaluateOperand(head, dot, scope);
  if (head.kind === "chain") {
    const method = resolveChain(head, dot, scope);
    if (typeof method === "function") {
      const values = [...rest.map((operand) => evaluateOperand(operand, dot, scope)), ...piped];
      // Functions in a view are its methods, such as Label.
      return call(method as TemplateFunction, values, head.place, head.text);
    }
    return stop(head.place, head.text, `${head.fields.at(-1) ?? ""} has arguments but cannot be invoked as function`);
  }
  return stop({ line: 1, column: 0 }, "operand", "can't give argument to non-function");
}

function shortCircuit(name: "and" | "or", rest: readonly Operand[], dot: unknown, scope: Scope, piped: readonly unknown[]): unknown {
  let value: unknown;
  for (const operand of rest) {
    value = evaluateOperand(operand, dot, scope);
    if (isTrue(value) === (name === "or")) return value;
  }
  return piped.length > 0 ? piped[0] : value;
}

function call(named: TemplateFunction, args: readonly unknown[], place: Place, name: string): unknown {
  const arity = arities[name];
  if (arity !== undefined && args.length !== arity) return stop(place, name, `wrong number of args for ${name}: want ${arity} got ${args.length}`);
  try {
    return named(...args);
  } catch (error) {
    if (error instanceof SampanError) return stop(place, name, error.message);
    throw error;
  }
}

function evaluateOperand(operand: Operand, dot: unknown, scope: Scope): unknown {
  switch (operand.kind) {
    case "literal":
      return operand.value;
    case "dot":
      return dot;
    case "variable":
      return scope.variables.findLast((variable) => variable.name === operand.name)?.value;
    case "pipeline":
      return evaluate(operand.pipeline, dot, scope);
    case "function":
      return evaluateCommand([operand], dot, scope, []);
    case "chain": {
      const value = resolveChain(operand, dot, scope);
      return typeof value === "function" ? call(value as TemplateFunction, [], operand.place, operand.text) : value; // a method, as above
    }
  }
}

function resolveChain(chain: Extract<Operand, { kind: "chain" }>, dot: unknown, scope: Scope): unknown {
  let value = evaluateOperand(chain.base, dot, scope);
  for (const [depth, field] of chain.fields.entries()) {
    if (isNil(value)) {
      // Go gives nothing for a key that a map lacks, but stops at a field of a nil pointer.
      if (depth === 0) return undefined;
      const before = chain.fields[depth - 1];
      if (before !== undefined && value instanceof GoZero && value.toJSON() === undefined)
        return stop(chain.place, chain.text, `map has no entry for key ${JSON.stringify(before)}`);
      return stop(chain.place, chain.text, `nil data; no entry for key ${JSON.stringify(field)}`);
    }
    if (!isRecord(value)) return stop(chain.place, chain.text, `can't evaluate field ${field} in type ${typeName(value)}`);
    if (field in value) value = value[field];
    else if (field === "ID" && "Id" in value) value = value["Id"];
    else if (looksLikeStruct(value) && /^[A-Z]/.test(field)) return stop(chain.place, chain.text, `map has no entry for key ${JSON.stringify(field)}`);
    else value = undefined;
  }
  return value;
}

function stop(place: Place, what: string, reason: string): never {
  throw new SampanError("invalid", `template parsing error: template: :${place.line}:${place.column}: executing "" at <${what}>: ${reason}`, { exitCode: 1 });
}

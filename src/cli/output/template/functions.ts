import { SampanError } from "../../../base/errors.ts";
import { toJson } from "../json.ts";
import { GoZero } from "./zero.ts";
import { formatPrintf } from "./printf.ts";
import { formatValue, isNil, isRecord, isTrue, typeName } from "./value.ts";

export type TemplateFunction = (...args: readonly unknown[]) => unknown;

/** An error inside a function: the executor adds where it was called. */
export function fail(reason: string): never {
  throw new SampanError("invalid", reason);
}

function text(value: unknown, name: string): string {
  return typeof value === "string" ? value : fail(`wrong type for value; expected string; got ${typeName(value)} in ${name}`);
}

function whole(value: unknown, name: string): number {
  return typeof value === "number" && Number.isInteger(value) ? value : fail(`wrong type for value; expected int; got ${typeName(value)} in ${name}`);
}

/** The values whose order Go knows; the others cannot be compared. */
function compare(left: unknown, right: unknown): number {
  if (typeof left === "string" && typeof right === "string") return left < right ? -1 : left > right ? 1 : 0;
  if (isNumber(left) && isNumber(right)) return left < right ? -1 : left > right ? 1 : 0;
  return fail("incompatible types for comparison");
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function equal(one: unknown, other: unknown): boolean {
  const [left, right] = [one, other].map((value) => (value instanceof GoZero ? value.plain() : value));
  if (isNumber(left) && isNumber(right)) return compare(left, right) === 0;
  if (isNil(left) || isNil(right)) return isNil(left) && isNil(right);
  if (typeof left !== typeof right) return fail("incompatible types for comparison");
  if (typeof left === "object") return fail("non-comparable type in eq");
  return left === right;
}

function index(collection: unknown, ...keys: readonly unknown[]): unknown {
  let value = collection;
  for (const key of keys) {
    if (Array.isArray(value) || typeof value === "string") {
      const at = whole(key, "index");
      if (at < 0 || at >= value.length) return fail(`error calling index: index out of range: ${at}`);
      value = typeof value === "string" ? Buffer.from(value)[at] : (value[at] as unknown); // an element of unknown JSON
    } else if (isRecord(value)) {
      const name = text(key, "index");
      // A missing key gives Go's zero value; for Docker's maps that is an empty string or nil, for most of those that are empty the former.
      value = Object.hasOwn(value, name) ? value[name] : Object.values(value).every((item) => typeof item === "string") ? "" : undefined;
    } else if (value instanceof GoZero && value.kind === "map") {
      value = "";
    } else if (value instanceof GoZero && value.kind === "slice") {
      return fail(`error calling index: index out of range: ${whole(key, "index")}`);
    } else if (isNil(value)) {
      return fail("error calling index: index of untyped nil");
    } else return fail(`error calling index: can't index item of type ${typeName(value)}`);
  }
  return value;
}

function slice(value: unknown, from: unknown = 0, to?: unknown): unknown {
  if (typeof value !== "string" && !Array.isArray(value)) return fail(`error calling slice: can't slice item of type ${typeName(value)}`);
  const start = whole(from, "slice");
  const end = to === undefined ? value.length : whole(to, "slice");
  if (start < 0 || end > value.length || start > end) return fail(`error calling slice: index out of range: ${end > value.length ? end : start}`);
  return value.slice(start, end);
}

function length(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (isRecord(value)) return Object.keys(value).length;
  if (value instanceof GoZero && value.kind !== "pointer") return 0;
  return fail(`error calling len: len of ${value === null || value === undefined ? "untyped nil" : `type ${typeName(value)}`}`);
}

function join(value: unknown, separator: unknown): string {
  const between = text(separator, "join");
  if (isNil(value)) return "";
  if (Array.isArray(value)) return value.map((item) => formatValue(item, true)).join(between);
  if (isRecord(value)) return Object.values(value).map((item) => formatValue(item, true)).sort().join(between);
  return fail(`error calling join: expected slice, got ${typeName(value)}`);
}

/** Go's fmt.Sprint: a blank between two operands of which neither is a string. */
function sprint(values: readonly unknown[]): string {
  return values.map((value, at) => (at > 0 && typeof value !== "string" && typeof values[at - 1] !== "string" ? " " : "") + formatValue(value, true)).join("");
}

const htmlEscapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };

/** As Go's JSEscapeString: what could end a string, or a script around it, and what cannot be printed. */
function escapeJs(source: string): string {
  return source.replaceAll(/[\\'"]/g, "\\$&").replaceAll(/[<>&=\u0000-\u001f]|[^\u0000-\u007f\p{L}\p{M}\p{N}\p{P}\p{S}]/gu, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`);
}

/** How many arguments a function takes; those that take any number are not here. */
export const arities: Readonly<Record<string, number>> = {
  json: 1, split: 2, join: 2, title: 1, lower: 1, upper: 1, pad: 3, truncate: 2, len: 1, not: 1, ne: 2, lt: 2, le: 2, gt: 2, ge: 2,
};

/** `and` and `or` are in the executor, because they do not evaluate all their arguments. */
export function templateFunctions(): Readonly<Record<string, TemplateFunction>> {
  return {
    json: (value) => toJson(value),
    split: (value, separator) => text(value, "split").split(text(separator, "split")),
    join,
    title: (value) => text(value, "title").replaceAll(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (_, before: string, letter: string) => before + letter.toUpperCase()),
    lower: (value) => text(value, "lower").toLowerCase(),
    upper: (value) => text(value, "upper").toUpperCase(),
    pad: (value, before, after) => {
      const source = text(value, "pad");
      return source === "" ? "" : " ".repeat(whole(before, "pad")) + source + " ".repeat(whole(after, "pad"));
    },
    truncate: (value, size) => text(value, "truncate").slice(0, whole(size, "truncate")),
    index,
    slice,
    len: length,
    not: (value) => !isTrue(value),
    eq: (left, ...rights) => (rights.length === 0 ? fail("error calling eq: missing argument for comparison") : rights.some((right) => equal(left, right))),
    ne: (left, right) => !equal(left, right),
    lt: (left, right) => compare(left, right) < 0,
    le: (left, right) => compare(left, right) <= 0,
    gt: (left, right) => compare(left, right) > 0,
    ge: (left, right) => compare(left, right) >= 0,
    print: (...values) => sprint(values),
    println: (...values) => `${values.map((value) => formatValue(value, true)).join(" ")}\n`,
    printf: (format, ...values) => formatPrintf(text(format, "printf"), values),
    html: (...values) => sprint(values).replaceAll(/[&<>"']/g, (character) => htmlEscapes[character] ?? character),
    js: (...values) => escapeJs(sprint(values)),
    urlquery: (...values) => encodeURIComponent(sprint(values)).replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`).replaceAll("%20", "+"),
  };
}

/** As `templateFunctions`, but those that change text leave it alone, so that a table's titles stay whole. */
export function headerFunctions(): Readonly<Record<string, TemplateFunction>> {
  const same: TemplateFunction = (value) => value;
  return { ...templateFunctions(), json: same, split: same, join: same, title: same, lower: same, upper: same, truncate: same };
}

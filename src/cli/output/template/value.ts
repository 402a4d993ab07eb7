import { toJson } from "../json.ts";
import { GoZero } from "./zero.ts";

/** No value, or one of Go's that is none. */
export function isNil(value: unknown): boolean {
  return value === null || value === undefined || (value instanceof GoZero && value.kind !== "string");
}

/** What a template can meet: JSON values, bigint, functions (methods of a view), and objects with fields. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof GoZero);
}

/** Go's notion of emptiness for `if`, `with`, `and`, `or`, `not`. A struct, that is a record with Go's field names, is never empty. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isRecord(value)) return Object.keys(value).length > 0;
  if (value instanceof GoZero) return false;
  return value !== "" && value !== 0 && value !== 0n && value !== false && value !== null && value !== undefined;
}

/** Go's %v. */
export function formatValue(value: unknown, nested = false): string {
  if (value === null || value === undefined) return nested ? "<nil>" : "<no value>";
  if (value instanceof GoZero) return value.format();
  if (typeof value === "string") return value;
  if (typeof value === "number") return formatNumber(value);
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => formatValue(item, true)).join(" ")}]`;
  if (isRecord(value)) {
    if (looksLikeStruct(value)) return `{${Object.values(value).map((item) => formatValue(item, true)).join(" ")}}`;
    return `map[${Object.keys(value).sort().map((key) => `${key}:${formatValue(value[key], true)}`).join(" ")}]`;
  }
  return toJson(value);
}

/** Integers plainly; others as Go's %v of a float64. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return String(value);
  return String(value).replace(/e([+-])([0-9])$/, "e$10$2");
}

/** Fields exported from Go start with a capital and hold no punctuation; keys of a map are anything. */
export function looksLikeStruct(value: Record<string, unknown>): boolean {
  const keys = Object.keys(value);
  return keys.length > 0 && keys.every((key) => /^[A-Z][A-Za-z0-9]*$/.test(key));
}

/** The Go type's name for an error message. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return "nil";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "int64";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  if (Array.isArray(value)) return "[]interface {}";
  if (value instanceof GoZero) return { slice: "[]string", map: "map[string]string", pointer: "nil", string: "string" }[value.kind];
  return isRecord(value) && looksLikeStruct(value) ? "struct" : "map[string]interface {}";
}

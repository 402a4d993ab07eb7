/**
 * JSON as Go's encoder writes it where JSON.stringify cannot: 64-bit integers (bigint) as numbers. Undefined fields are left
 * out, null is kept, dates and `toJSON` are honoured. `indent` is the text of one step, "" for one line.
 */
export function toJson(value: unknown, indent = ""): string {
  return write(value, indent, indent === "" ? "" : "\n");
}

function write(value: unknown, indent: string, lineStart: string): string {
  if (value === null) return "null";
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" || typeof value === "string" || typeof value === "boolean") return JSON.stringify(value);
  const inner = lineStart === "" ? "" : lineStart + indent;
  const colon = lineStart === "" ? ":" : ": ";
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return `[${inner}${value.map((item) => write(item, indent, inner)).join(`,${inner}`)}${lineStart}]`;
  }
  if (typeof value !== "object") return "null";
  if (hasToJson(value)) return write(value.toJSON(), indent, lineStart);
  const fields = Object.entries(value).map(([key, field]: [string, unknown]) => [
    key,
    typeof field === "object" && field !== null && hasToJson(field) ? field.toJSON() : field,
  ] as const)
    .filter(([, field]) => field !== undefined && typeof field !== "function");
  if (fields.length === 0) return "{}";
  return `{${inner}${fields.map(([key, field]) => `${JSON.stringify(key)}${colon}${write(field, indent, inner)}`).join(`,${inner}`)}${lineStart}}`;
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

import type { SqlValue } from "./sqlite.ts";

/** Labels or attributes, from the column that `toSql` wrote. */
export function labelsFromText(text: string): Record<string, string> {
  // Our own writer's output, from a Record<string, string>.
  return text === "{}" ? {} : (JSON.parse(text) as Record<string, string>);
}

/** A list of strings, from the column that `toSql` wrote. */
export function listFromText<T extends string>(text: string): T[] {
  // Our own writer's output, from a T[].
  return text === "[]" ? [] : (JSON.parse(text) as T[]);
}

/** A field's value as a column holds it: booleans as 0 and 1, lists and maps as JSON. */
export function toSql(value: unknown): SqlValue {
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint" || value === null) return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  return JSON.stringify(value);
}

export interface LabelFilter {
  readonly key: string;
  /** Undefined: any value. */
  readonly value?: string | undefined;
}

/** An SQL condition per label on a column `labels`, and its values. */
export function labelConditions(labels: readonly LabelFilter[]): { sql: string[]; values: string[] } {
  const sql: string[] = [];
  const values: string[] = [];
  for (const { key, value } of labels) {
    sql.push(`EXISTS(SELECT 1 FROM json_each(labels) WHERE json_each.key = ?${value === undefined ? "" : " AND json_each.value = ?"})`);
    values.push(key);
    if (value !== undefined) values.push(value);
  }
  return { sql, values };
}

/** "?, ?, ?" */
export function placeholders(count: number): string {
  return Array<string>(count).fill("?").join(", ");
}

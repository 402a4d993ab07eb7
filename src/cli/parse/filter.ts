import { refuse } from "../flags/flag.ts";
import { cutAtEquals } from "./key-value.ts";

/** `--filter` values by key: several of one key are alternatives, several keys must all hold. */
export type Filters = Readonly<Record<string, readonly string[]>>;

export function parseFilter(text: string): readonly [key: string, value: string] {
  // "label!=x" negates: the key keeps its mark, as in Docker's API.
  const [key, value] = cutAtEquals(text);
  if (value === undefined || key.trim() === "") return refuse("bad format of filter (expected name=value)");
  return [key.trim().toLowerCase(), value.trim()];
}

export function collectFilters(pairs: readonly (readonly [string, string])[]): Filters {
  const filters = new Map<string, string[]>();
  for (const [key, value] of pairs) filters.set(key, [...(filters.get(key) ?? []), value]);
  return Object.fromEntries(filters);
}

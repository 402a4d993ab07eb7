/** The same entries in the order of their keys, as Go's JSON has its maps. */
export function sortedRecord<T>(entries: Readonly<Record<string, T>> | Iterable<readonly [string, T]>): Record<string, T> {
  const pairs = Symbol.iterator in entries ? [...entries] : Object.entries(entries);
  return Object.fromEntries(pairs.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0)));
}

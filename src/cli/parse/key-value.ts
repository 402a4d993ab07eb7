import { refuse } from "../flags/flag.ts";

/** Splits at the first "=": `undefined` for a value means that there was none. */
export function cutAtEquals(text: string): [key: string, value: string | undefined] {
  const equals = text.indexOf("=");
  return equals === -1 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}

/** One `-e`: "K=V", or "K" for the caller's value. Only an empty name is refused, as by Docker. */
export function parseEnv(text: string): string {
  return cutAtEquals(text)[0] === "" ? refuse(`invalid environment variable: ${text}`) : text;
}

/** One `-l`: "key=value" or "key". */
export function parseLabel(text: string): string {
  return cutAtEquals(text)[0].trim() === "" ? refuse(`invalid label '${text}': empty name`) : text;
}

/** One "key=value" of an option that needs both. */
export function parsePair(text: string): string {
  const [key, value] = cutAtEquals(text);
  return key === "" || value === undefined ? refuse(`'${text}' must be a key=value pair`) : text;
}

/** ["a=1", "b"] → { a: "1", b: "" }; a later key wins. */
export function pairsToRecord(pairs: readonly string[]): Record<string, string> {
  const record: Record<string, string> = {};
  for (const pair of pairs) {
    const [key, value] = cutAtEquals(pair);
    // Defined, not assigned: "__proto__=x" is a label like any other.
    Object.defineProperty(record, key, { value: value ?? "", enumerable: true, writable: true, configurable: true });
  }
  return record;
}

const namespacedSysctls = new Set([
  "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
]);

/** One `--sysctl`: only those that belong to a namespace of the container, as namespaces(7) lists them. */
export function parseSysctl(text: string): string {
  const [key, value] = cutAtEquals(text);
  const allowed = namespacedSysctls.has(key) || key.startsWith("net.") || key.startsWith("fs.mqueue.") || key === "kernel.domainname";
  return value === undefined || !allowed ? refuse(`sysctl '${text}' is not allowed`) : text;
}

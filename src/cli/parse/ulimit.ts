import type { UlimitRequest } from "../../engine/request.ts";
import { parseInteger, refuse } from "../flags/flag.ts";
import { cutAtEquals } from "./key-value.ts";

/** The names of getrlimit(2), as Docker spells them. */
const ulimitNames = new Set([
  "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
]);

/** `--ulimit name=soft[:hard]`; -1 is without limit. */
export function parseUlimit(text: string): UlimitRequest {
  const [name, limits] = cutAtEquals(text);
  if (limits === undefined) return refuse(`invalid ulimit argument: ${text}`);
  if (!ulimitNames.has(name)) return refuse(`invalid ulimit type: ${name}`);
  const values = limits.split(":");
  if (values.length > 2) return refuse(`too many limit value arguments - ${limits}, can only have up to two, \`soft[:hard]\``);
  const soft = parseLimit(values[0] ?? "");
  const hard = values[1] === undefined ? soft : parseLimit(values[1]);
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    return refuse(`ulimit soft limit must be less than or equal to hard limit: ${soft === -1 ? "-1 (unlimited)" : soft} > ${hard}`);
  }
  return { name, soft, hard };
}

function parseLimit(text: string): number {
  // Always decimal here, unlike Go's ParseInt with base 0.
  if (!/^-?[0-9]+$/.test(text)) return refuse(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return parseInteger(text.replace(/^(-?)0+(?=[0-9])/, "$1"), -1);
}

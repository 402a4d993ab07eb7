import { SampanError } from "../../base/errors.ts";

/** The ids that begin with `prefix`, as bounds for an index: from the first, up to but without the second. */
export function prefixRange(prefix: string): [from: string, to: string] | undefined {
  // "g" follows "f": no id has it.
  return /^[0-9a-f]{1,64}$/.test(prefix) ? [prefix, `${prefix}g`] : undefined;
}

/** Docker's words (moby: truncindex). */
export function ambiguousPrefix(prefix: string): SampanError {
  return new SampanError("invalid", `multiple IDs found with provided prefix: ${prefix}`);
}

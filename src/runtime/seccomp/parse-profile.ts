import { messageOf, SampanError } from "../../base/errors.ts";
import type { Seccomp } from "../../oci/runtime-config.ts";
import type { Arch } from "../../linux/arch.ts";
import { resolveDockerProfile } from "./docker-profile.ts";

export interface ProfileContext {
  /** What messages call the profile: its path. */
  readonly where: string;
  readonly arch: Arch;
  /** The process's effective set, full names. */
  readonly capabilities: readonly string[];
  /** As uname(2) gives it. */
  readonly kernelVersion: string;
}

/**
 * A profile file's text, in Docker's format or OCI's, as the OCI profile for one container.
 * @throws SampanError `invalid` naming the file and every field that is wrong
 */
export function parseSeccompProfile(jsonText: string, { where, arch, capabilities, kernelVersion }: ProfileContext): Seccomp {
  let json: unknown;
  try {
    json = parseExactly(jsonText);
  } catch (error) {
    throw new SampanError("invalid", `Cannot use seccomp profile "${where}": it is no JSON: ${messageOf(error)}`, { cause: error });
  }
  return resolveDockerProfile(json, capabilities, arch, kernelVersion, where);
}

/**
 * JSON with integers beyond 2^53 as bigint: argument values and masks have 64 bits, and a double would round them.
 * The text of a number is what the reviver's third argument is for (ECMA-262, JSON.parse source text access).
 */
function parseExactly(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) => {
    if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
    const source = context?.source;
    return source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
  });
}

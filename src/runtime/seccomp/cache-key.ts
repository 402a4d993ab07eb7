import { hexHash } from "../../base/hashes.ts";
import type { Arch } from "../../linux/arch.ts";
import { capabilityMask } from "../../linux/capabilities.ts";
import type { DefaultProfileOptions } from "./default-profile.ts";
import { isKernelAtLeast } from "./kernel-version.ts";

/** Raised with every change of what the compiler or the default profile gives out; cache-key.test.ts watches over it. */
export const SECCOMP_CACHE_VERSION = 1;

export interface SeccompCacheInput extends DefaultProfileOptions {
  /** The profile file's text; undefined for the default profile. */
  readonly profileJson: string | undefined;
  readonly arch: Arch;
  /** The process's effective set, full names, in any order. */
  readonly capabilities: readonly string[];
  /** As uname(2) gives it. */
  readonly kernelVersion?: string | undefined;
}

/**
 * A name under which the compiled program may be kept: the same for the same input in any process, different
 * wherever the program may differ. Only letters, digits, "." and "-", so that it serves as a file name.
 * The default profile's costs no hash.
 */
export function seccompCacheKey({ profileJson, arch, capabilities, kernelVersion, multiplexedSockets }: SeccompCacheInput): string {
  const caps = capabilityMask(capabilities).toString(16);
  const start = `v${SECCOMP_CACHE_VERSION}-${arch}-${caps}`;
  if (profileJson === undefined) {
    const kernel = kernelVersion === undefined || isKernelAtLeast(kernelVersion, 4, 8) ? "" : "-old";
    return `${start}-default${kernel}${multiplexedSockets === true ? "-multiplexed" : ""}`;
  }
  // A profile may ask for any kernel version in its minKernel.
  const [kernel = "unknown"] = /^\d+\.\d+/.exec(kernelVersion ?? "") ?? [];
  return `${start}-${kernel}-${hexHash("sha256", profileJson)}`;
}

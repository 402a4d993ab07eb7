import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { errnoOf } from "../base/errors.ts";
import { quickHash } from "../base/hashes.ts";
import { hostArch } from "../linux/arch.ts";
import type { Seccomp } from "../oci/index.ts";
import type { Context } from "./context.ts";

export interface Filter {
  readonly program: Uint8Array;
  readonly flags: number;
}

/** Raised with every change of what the compiler makes of a profile. */
const CACHE_VERSION = 1;

/** Without a look at each value, unless there is one that JSON refuses. */
function textOf(profile: Seccomp): string {
  try {
    return JSON.stringify(profile);
  } catch {
    return JSON.stringify(profile, (_key, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
  }
}

/**
 * The filter of a profile. Compiling takes milliseconds, reading it back a tenth of one: what was compiled is kept in the
 * state directory together with the profile, which is compared, so that a name that is taken does no harm.
 */
export async function filterOf(context: Context, profile: Seccomp | undefined): Promise<Filter | undefined> {
  if (!profile) return undefined;
  const key = `${CACHE_VERSION} ${hostArch()} ${textOf(profile)}`;
  const file = `${context.root}/.seccomp-${quickHash(key).toString(16)}`;
  const keyBytes = Buffer.from(key);
  try {
    const kept = readFileSync(file);
    const size = kept.readUInt32LE(4);
    if (kept.subarray(8, 8 + size).equals(keyBytes)) return { flags: kept.readUInt32LE(0), program: kept.subarray(8 + ((size + 7) & ~7)) };
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
  const { compileSeccomp } = await import("../runtime/seccomp/index.ts");
  const { program, flags } = compileSeccomp(profile, hostArch(), "linux.seccomp");
  const at = 8 + ((keyBytes.length + 7) & ~7);
  const bytes = Buffer.alloc(at + program.length);
  bytes.writeUInt32LE(flags, 0);
  bytes.writeUInt32LE(keyBytes.length, 4);
  bytes.set(keyBytes, 8);
  bytes.set(program, at);
  context.makeRoot();
  writeFileSync(`${file}.${process.pid}`, bytes, { mode: 0o600 });
  renameSync(`${file}.${process.pid}`, file);
  return { program, flags };
}

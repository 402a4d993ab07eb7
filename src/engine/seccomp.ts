import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { errnoOf } from "../base/errors.ts";
import { hostArch } from "../linux/arch.ts";
import { seccompCacheKey } from "../runtime/seccomp/cache-key.ts";
import type { EngineContext } from "./context.ts";

export interface CompiledFilter {
  readonly program: Uint8Array;
  readonly flags: number;
}

/**
 * The filter for a profile. Compiling takes some milliseconds, reading it back a tenth of one, so what was
 * compiled is kept: the name says everything that the program depends on, and the file appears only when it is whole.
 */
export async function seccompFor(context: EngineContext, profile: string, capabilities: readonly string[]): Promise<CompiledFilter | undefined> {
  if (profile === "unconfined") return undefined;
  const kernelVersion = context.kernelVersion;
  const arch = hostArch();
  const text = profile === "builtin" ? undefined : profile;
  const file = `${context.paths.cache}/seccomp-${seccompCacheKey({ profileJson: text, arch, capabilities, kernelVersion })}`;
  try {
    const kept = readFileSync(file);
    return { flags: kept.readUInt32LE(0), program: kept.subarray(8) };
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
  const { compileSeccomp, defaultSeccompProfile, parseSeccompProfile } = await import("../runtime/seccomp/index.ts");
  const oci = text === undefined
    ? defaultSeccompProfile(capabilities, arch, kernelVersion)
    : parseSeccompProfile(text, { where: "--security-opt seccomp", arch, capabilities, kernelVersion });
  const { program, flags } = compileSeccomp(oci, arch);
  const bytes = Buffer.alloc(8 + program.length);
  bytes.writeUInt32LE(flags, 0);
  bytes.set(program, 8);
  mkdirSync(context.paths.cache, { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.${process.pid}`, bytes, { mode: 0o600 });
  renameSync(`${file}.${process.pid}`, file);
  return { program: bytes.subarray(8), flags };
}

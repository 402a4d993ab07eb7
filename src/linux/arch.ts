/** The architectures that Sampan runs on, by Node's names. */
export type Arch = "x64" | "arm64";

/** This process's architecture; throws on any other. */
export function hostArch(): Arch {
  if (process.arch === "x64" || process.arch === "arm64") return process.arch;
  throw new Error(`Sampan runs on x64 and arm64, not on ${process.arch}`);
}

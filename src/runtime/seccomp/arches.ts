import { AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, AUDIT_ARCH_I386, AUDIT_ARCH_X86_64 } from "../../linux/bpf.ts";
import type { Arch } from "../../linux/arch.ts";
import type { SeccompArch } from "../../linux/syscalls.ts";

/** The names that a profile may list (runtime-spec config-linux.md). Those of other machines are valid and without effect here. */
const NAMES =
  "X86_64 X32 X86 AARCH64 ARM MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE " +
  "S390 S390X PARISC PARISC64 RISCV64 LOONGARCH64 M68K SH SHEB";

export function isArchitectureName(name: string): boolean {
  return name.startsWith("SCMP_ARCH_") && NAMES.split(" ").includes(name.slice(10));
}

/** What an architecture name stands for among the ABIs of a machine like this one. */
function abiOf(name: string): SeccompArch | undefined {
  switch (name) {
    case "SCMP_ARCH_X86_64":
      return "x64";
    case "SCMP_ARCH_X32":
      return "x32";
    case "SCMP_ARCH_X86":
      return "i386";
    case "SCMP_ARCH_AARCH64":
      return "arm64";
    case "SCMP_ARCH_ARM":
      return "arm";
    default:
      return undefined;
  }
}

/**
 * The ABIs that a filter lets in, the machine's own first: always that one, then those listed that this kernel has.
 * libseccomp too starts every filter with the native one.
 */
export function abisOf(arch: Arch, listed: readonly string[] | undefined): SeccompArch[] {
  const foreign: readonly SeccompArch[] = arch === "x64" ? ["x32", "i386"] : ["arm"];
  const names = new Set((listed ?? []).map(abiOf));
  return [arch, ...foreign.filter((abi) => names.has(abi))];
}

/** seccomp_data.arch of an ABI; x32 has x64's. */
export function auditArch(abi: SeccompArch): number {
  switch (abi) {
    case "x64":
    case "x32":
      return AUDIT_ARCH_X86_64;
    case "i386":
      return AUDIT_ARCH_I386;
    case "arm64":
      return AUDIT_ARCH_AARCH64;
    case "arm":
      return AUDIT_ARCH_ARM;
  }
}

/** Bits of an argument that are compared: libseccomp takes x32 for a 32-bit ABI too. */
export function argumentBits(abi: SeccompArch): 32 | 64 {
  return abi === "x64" || abi === "arm64" ? 64 : 32;
}

import { SampanError } from "../base/errors.ts";
import type { Arch } from "./arch.ts";
import { ARM, ARM64, COMMON, I386, TIME64, X32_ABSENT, X32_OWN, X64 } from "./syscalls-tables.ts";

/** The system call ABIs that a kernel of ours may be entered by: x64 kernels take x64, x32 and i386; arm64 kernels arm64 and arm. */
export type SeccompArch = "x64" | "x32" | "i386" | "arm64" | "arm";

/** Set in every x32 system call number (asm/unistd.h, __X32_SYSCALL_BIT). */
export const X32_SYSCALL_BIT = 0x4000_0000;

/** Tables already read; a pure function's memory, so nothing can observe it but the clock. */
const tables = new Map<SeccompArch, ReadonlyMap<string, number>>();

/**
 * The number of the system call `name` for our own use of it.
 * @throws SampanError `internal` when this architecture has no such call: a mistake in our code, never a user's.
 */
export function syscallNumber(arch: Arch, name: string): number {
  const number = syscallTable(arch).get(name);
  if (number === undefined) throw new SampanError("internal", `Cannot find system call "${name}": ${arch} has none of that name`);
  return number;
}

/** The number of `name` under an ABI (x32 numbers with their bit 30), or undefined where the ABI has no such call. */
export function findSyscall(arch: SeccompArch, name: string): number | undefined {
  return syscallTable(arch).get(name);
}

/** All calls of an ABI by name, up to Linux 6.18 and the two numbers given out since. Read once per ABI and process. */
export function syscallTable(arch: SeccompArch): ReadonlyMap<string, number> {
  let table = tables.get(arch);
  if (table === undefined) {
    table = readTable(arch);
    tables.set(arch, table);
  }
  return table;
}

function readTable(arch: SeccompArch): Map<string, number> {
  const table = new Map<string, number>();
  switch (arch) {
    case "x64":
      addNames(table, X64);
      break;
    case "arm64":
      addNames(table, ARM64);
      break;
    case "i386":
      addNames(table, I386);
      addNames(table, TIME64);
      break;
    case "arm":
      addNames(table, ARM);
      addNames(table, TIME64);
      break;
    case "x32":
      for (const [name, number] of syscallTable("x64")) table.set(name, number + X32_SYSCALL_BIT);
      for (const name of X32_ABSENT.trim().split(/\s+/)) table.delete(name);
      addNames(table, X32_OWN, X32_SYSCALL_BIT);
      return table;
  }
  addNames(table, COMMON);
  // arch/arm/tools/syscall.tbl: 447 is reserved, 32-bit ARM has no memfd_secret.
  if (arch === "arm") table.delete("memfd_secret");
  return table;
}

function addNames(table: Map<string, number>, text: string, base = 0): void {
  let next = 0;
  for (const token of text.trim().split(/\s+/)) {
    const first = token.charCodeAt(0);
    if (first >= 48 && first <= 57) next = Number(token);
    else table.set(token, base + next++);
  }
}

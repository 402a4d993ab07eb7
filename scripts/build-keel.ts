/** Compiles the executor: freestanding, static, without a C library. */
import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");

export const keelFlags = [
  "-std=gnu11", "-Os", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-stack-protector",
  "-fno-asynchronous-unwind-tables", "-fno-pic", "-no-pie", "-static", "-nostdlib", "-Wl,--build-id=none,-z,noseparate-code",
  "-fno-builtin", "-s",
];

/** `cc` may be a cross compiler. The file appears only when it is complete. */
export function buildKeel(output: string, cc = process.env.CC ?? "cc", flags: readonly string[] = keelFlags): void {
  mkdirSync(dirname(output), { recursive: true });
  // Without this gcc calls atomics of libgcc, which is not linked (gcc(1), "AArch64 Options").
  const own = execFileSync(cc, ["-dumpmachine"], { encoding: "utf8" }).startsWith("aarch64") ? ["-mno-outline-atomics"] : [];
  execFileSync(cc, [...flags, ...own, "-o", `${output}.new`, join(root, "native/keel/keel.c")], { stdio: "inherit" });
  renameSync(`${output}.new`, output);
}

if (import.meta.main) buildKeel(join(root, "dist/keel"));

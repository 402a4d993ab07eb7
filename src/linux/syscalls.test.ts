import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { SampanError } from "../base/errors.ts";
import { findSyscall, type SeccompArch, syscallNumber, syscallTable, X32_SYSCALL_BIT } from "./syscalls.ts";

const arches: readonly SeccompArch[] = ["x64", "x32", "i386", "arm64", "arm"];

/** `#define __NR_name 12` lines of a uapi header, an x32 sum included. */
function readHeader(path: string): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const [, name, x32, number] of readFileSync(path, "utf8").matchAll(
    /^#define __NR_(\w+)\s+(\(__X32_SYSCALL_BIT \+ )?(\d+)\)?$/gm,
  )) {
    numbers.set(name ?? "", Number(number) + (x32 === undefined ? 0 : X32_SYSCALL_BIT));
  }
  return numbers;
}

const headers: readonly [SeccompArch, string][] = [
  ["x64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"],
  ["x32", "/usr/include/x86_64-linux-gnu/asm/unistd_x32.h"],
  ["i386", "/usr/include/x86_64-linux-gnu/asm/unistd_32.h"],
];

for (const [arch, path] of headers) {
  test.skipIf(!existsSync(path))(`${arch}: every call of this machine's kernel headers has their number`, () => {
    const header = readHeader(path);
    expect(header.size).toBeGreaterThan(300);
    const table = syscallTable(arch);
    for (const [name, number] of header) expect([name, table.get(name)]).toEqual([name, number]);
    const last = Math.max(...header.values());
    // Calls that a header never listed although the kernel had them when it was made.
    const unlisted = new Set(["uprobe", "uretprobe"]);
    for (const [name, number] of table) {
      if (number <= last && number % 0x4000_0000 < 451) expect([name, header.has(name) || unlisted.has(name)]).toEqual([name, true]);
    }
  });
}

const generic = "/usr/include/asm-generic/unistd.h";
test.skipIf(!existsSync(generic))("arm64: the generic header's numbers", () => {
  const text = readFileSync(generic, "utf8");
  const table = syscallTable("arm64");
  let seen = 0;
  for (const [, name, number] of text.matchAll(/^#define __NR_(\w+) (\d+)$/gm)) {
    // Names the generic header keeps for other architectures, and the 32-bit time calls.
    if (/time64|^(arch_specific_syscall|syscalls|sync_file_range2|riscv_.*)$/.test(name ?? "") || !table.has(name ?? "")) continue;
    expect([name, table.get(name ?? "")]).toEqual([name, Number(number)]);
    seen++;
  }
  expect(seen).toBeGreaterThan(280);
});

test("no two names of an ABI share a number", () => {
  for (const arch of arches) {
    const numbers = [...syscallTable(arch).values()];
    expect(new Set(numbers).size).toBe(numbers.length);
  }
});

test("known numbers", () => {
  expect(syscallNumber("x64", "execve")).toBe(59);
  expect(syscallNumber("arm64", "execve")).toBe(221);
  expect(findSyscall("i386", "socketcall")).toBe(102);
  expect(findSyscall("i386", "socket")).toBe(359);
  expect(findSyscall("i386", "clock_gettime64")).toBe(403);
  expect(findSyscall("arm", "clock_gettime64")).toBe(403);
  expect(findSyscall("x64", "clock_gettime64")).toBeUndefined();
  expect(findSyscall("arm", "set_tls")).toBe(0x0f0005);
  expect(findSyscall("arm", "memfd_secret")).toBeUndefined();
  expect(findSyscall("x32", "execve")).toBe(X32_SYSCALL_BIT + 520);
  expect(findSyscall("x32", "read")).toBe(X32_SYSCALL_BIT);
  expect(findSyscall("x32", "uselib")).toBeUndefined();
  for (const arch of ["x64", "i386", "arm64", "arm"] as const) {
    expect(findSyscall(arch, "clone3")).toBe(435);
    expect(findSyscall(arch, "mseal")).toBe(462);
    expect(findSyscall(arch, "file_setattr")).toBe(469);
  }
});

test("an unknown name is our own mistake", () => {
  expect(() => syscallNumber("x64", "opne")).toThrow(SampanError);
  expect(() => syscallNumber("arm64", "open")).toThrow('Cannot find system call "open": arm64 has none of that name');
});

import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Arch } from "../../linux/arch.ts";
import {
  AUDIT_ARCH_AARCH64,
  AUDIT_ARCH_ARM,
  AUDIT_ARCH_I386,
  AUDIT_ARCH_X86_64,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from "../../linux/bpf.ts";
import { findSyscall, type SeccompArch, syscallTable, X32_SYSCALL_BIT } from "../../linux/syscalls.ts";
import type { Seccomp, SeccompArg, SeccompRule } from "../../oci/runtime-config.ts";
import { compileSeccomp } from "./compile.ts";
import { BpfInterpreter } from "./interpreter.ts";
import { NaiveProfile } from "./naive.ts";

const audit: Record<SeccompArch, number> = {
  x64: AUDIT_ARCH_X86_64,
  x32: AUDIT_ARCH_X86_64,
  i386: AUDIT_ARCH_I386,
  arm64: AUDIT_ARCH_AARCH64,
  arm: AUDIT_ARCH_ARM,
};
const EPERM = SECCOMP_RET_ERRNO | 1;
const ENOSYS = SECCOMP_RET_ERRNO | 38;

const filterOf = (profile: Seccomp, arch: Arch = "x64"): BpfInterpreter => new BpfInterpreter(compileSeccomp(profile, arch).program);
const verdict = (filter: BpfInterpreter, nr: number, ...args: bigint[]): number => filter.run({ arch: AUDIT_ARCH_X86_64, nr, args }).result;
const allow = (...names: string[]): SeccompRule => ({ names, action: "SCMP_ACT_ALLOW" });

test("every action has the kernel's result", () => {
  const rules: [SeccompRule["action"], number | undefined, number][] = [
    ["SCMP_ACT_ALLOW", undefined, SECCOMP_RET_ALLOW],
    ["SCMP_ACT_ERRNO", undefined, EPERM],
    ["SCMP_ACT_ERRNO", 13, SECCOMP_RET_ERRNO | 13],
    ["SCMP_ACT_ERRNO", 0, SECCOMP_RET_ERRNO],
    ["SCMP_ACT_TRACE", undefined, SECCOMP_RET_TRACE | 1],
    ["SCMP_ACT_TRACE", 7, SECCOMP_RET_TRACE | 7],
    ["SCMP_ACT_TRAP", 7, SECCOMP_RET_TRAP],
    ["SCMP_ACT_KILL", undefined, SECCOMP_RET_KILL_THREAD],
    ["SCMP_ACT_KILL_THREAD", undefined, SECCOMP_RET_KILL_THREAD],
    ["SCMP_ACT_KILL_PROCESS", undefined, SECCOMP_RET_KILL_PROCESS],
    ["SCMP_ACT_LOG", undefined, SECCOMP_RET_LOG],
    ["SCMP_ACT_NOTIFY", undefined, SECCOMP_RET_USER_NOTIF],
  ];
  for (const [action, errnoRet, result] of rules) {
    const rule: SeccompRule = { names: ["read"], action, ...(errnoRet !== undefined && { errnoRet }) };
    const filter = filterOf({ defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 95, syscalls: [rule, allow("exit_group")] });
    expect([action, verdict(filter, 0)]).toEqual([action, result]);
    expect(verdict(filter, 1)).toBe(SECCOMP_RET_ERRNO | 95);
    if (action === "SCMP_ACT_NOTIFY") continue;
    const fallback: Seccomp = {
      defaultAction: action,
      ...(errnoRet !== undefined && { defaultErrnoRet: errnoRet }),
      syscalls: [{ names: ["exit_group"], action: "SCMP_ACT_ERRNO", errnoRet: 95 }],
    };
    expect([action, verdict(filterOf(fallback), 5)]).toEqual([action, result]);
  }
});

test("flags: SPEC_ALLOW unless the profile says otherwise; NOTIFY asks for a listener", () => {
  const flags = (profile: Partial<Seccomp>): number => compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW", ...profile }, "x64").flags;
  expect(flags({})).toBe(4);
  expect(flags({ flags: [] })).toBe(0);
  expect(flags({ flags: ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"] })).toBe(2);
  const notify = compileSeccomp(
    { defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" }] },
    "x64",
  );
  expect([notify.flags, notify.notify]).toEqual([40, true]);
  expect(compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW" }, "x64").notify).toBe(false);
});

test("a foreign ABI kills: i386 and x32 where they are not listed, and anything the machine is not", () => {
  const profile: Seccomp = { defaultAction: "SCMP_ACT_ERRNO", architectures: ["SCMP_ARCH_X86_64"], syscalls: [allow("read", "getpid", "execve")] };
  const alone = filterOf(profile);
  expect(verdict(alone, 39)).toBe(SECCOMP_RET_ALLOW);
  for (const nr of [0, 39, 59, 520]) expect(verdict(alone, nr + X32_SYSCALL_BIT)).toBe(SECCOMP_RET_KILL_PROCESS);
  expect(verdict(alone, 0xc000_0000)).toBe(SECCOMP_RET_KILL_PROCESS);
  expect(verdict(alone, 0xffff_fffe)).toBe(SECCOMP_RET_KILL_PROCESS);
  for (const arch of [AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0]) expect(alone.run({ arch, nr: 20 }).result).toBe(SECCOMP_RET_KILL_PROCESS);

  const all = filterOf({ ...profile, architectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_MIPS64"] });
  expect(all.run({ arch: AUDIT_ARCH_I386, nr: 20 }).result).toBe(SECCOMP_RET_ALLOW);
  expect(all.run({ arch: AUDIT_ARCH_I386, nr: 39 }).result).toBe(ENOSYS);
  expect(verdict(all, X32_SYSCALL_BIT + 520)).toBe(SECCOMP_RET_ALLOW);
  expect(verdict(all, X32_SYSCALL_BIT + 59)).toBe(EPERM);
  // The x64 number of execve, then x32's read and getpid under x64's numbers with bit 30.
  expect(verdict(all, X32_SYSCALL_BIT + 39)).toBe(SECCOMP_RET_ALLOW);

  const arm = filterOf({ ...profile, architectures: ["SCMP_ARCH_ARM"] }, "arm64");
  expect(arm.run({ arch: AUDIT_ARCH_ARM, nr: 20 }).result).toBe(SECCOMP_RET_ALLOW);
  expect(filterOf(profile, "arm64").run({ arch: AUDIT_ARCH_ARM, nr: 20 }).result).toBe(SECCOMP_RET_KILL_PROCESS);
});

test("a tracer's skipped call, number -1, is not a foreign ABI", () => {
  expect(verdict(filterOf({ defaultAction: "SCMP_ACT_ERRNO", syscalls: [allow("read", "write")] }), 0xffff_ffff)).toBe(EPERM);
  expect(verdict(filterOf({ defaultAction: "SCMP_ACT_ALLOW" }), 0xffff_ffff)).toBe(SECCOMP_RET_ALLOW);
});

test("calls above all that the profile mentions: ENOSYS where the default refuses, else the default", () => {
  const syscalls: SeccompRule[] = [allow("read", "getpid"), { names: ["clone3"], action: "SCMP_ACT_ERRNO" }];
  for (const defaultAction of ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"] as const) {
    const filter = filterOf({ defaultAction, syscalls });
    expect(verdict(filter, 436)).toBe(ENOSYS);
    expect(verdict(filter, 0x3fff_ffff)).toBe(ENOSYS);
    expect(verdict(filter, 0x8000_0000)).toBe(ENOSYS);
    expect(verdict(filter, 1)).not.toBe(ENOSYS);
    // A rule that says what the default says still makes its call known.
    expect(verdict(filter, 435)).not.toBe(ENOSYS);
  }
  for (const defaultAction of ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"] as const) {
    expect(verdict(filterOf({ defaultAction, syscalls }), 500)).not.toBe(ENOSYS);
  }
  expect(verdict(filterOf({ defaultAction: "SCMP_ACT_ERRNO" }), 500)).toBe(EPERM);
});

test("a rule without conditions outweighs those with, wherever it stands; rules that say the default do not", () => {
  const conditional: SeccompRule = { names: ["getpid"], action: "SCMP_ACT_ERRNO", errnoRet: 5, args: [{ index: 0, value: 1, op: "SCMP_CMP_EQ" }] };
  for (const syscalls of [[conditional, allow("getpid")], [allow("getpid"), conditional]]) {
    expect(verdict(filterOf({ defaultAction: "SCMP_ACT_ERRNO", syscalls }), 39, 1n)).toBe(SECCOMP_RET_ALLOW);
  }
  const refused: SeccompRule = { names: ["getpid"], action: "SCMP_ACT_ERRNO", errnoRet: 1 };
  expect(verdict(filterOf({ defaultAction: "SCMP_ACT_ERRNO", syscalls: [refused, allow("getpid")] }), 39)).toBe(SECCOMP_RET_ALLOW);
});

test("two conditions on one argument are alternatives, as in runc", () => {
  const args: SeccompArg[] = [
    { index: 0, value: 1, op: "SCMP_CMP_EQ" },
    { index: 0, value: 7, op: "SCMP_CMP_EQ" },
    { index: 1, value: 9, op: "SCMP_CMP_EQ" },
  ];
  const filter = filterOf({ defaultAction: "SCMP_ACT_ERRNO", syscalls: [{ names: ["getpid"], action: "SCMP_ACT_ALLOW", args }] });
  expect([verdict(filter, 39, 1n), verdict(filter, 39, 7n), verdict(filter, 39, 0n, 9n), verdict(filter, 39, 2n, 8n)]).toEqual([
    SECCOMP_RET_ALLOW,
    SECCOMP_RET_ALLOW,
    SECCOMP_RET_ALLOW,
    EPERM,
  ]);
});

test("i386's socketcall and ipc obey the rules for the calls they stand for", () => {
  const socketOnly: SeccompRule = { names: ["socket"], action: "SCMP_ACT_ALLOW", args: [{ index: 0, value: 2, op: "SCMP_CMP_EQ" }] };
  const filter = filterOf({ defaultAction: "SCMP_ACT_ERRNO", architectures: ["SCMP_ARCH_X86"], syscalls: [socketOnly, allow("bind", "recv", "shmat")] });
  const i386 = (name: string, ...args: bigint[]): number => filter.run({ arch: AUDIT_ARCH_I386, nr: findSyscall("i386", name) ?? -1, args }).result;
  expect([1n, 2n, 3n, 10n, 9n].map((call) => i386("socketcall", call))).toEqual([SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW, EPERM, SECCOMP_RET_ALLOW, EPERM]);
  expect([i386("socket", 2n), i386("socket", 38n), i386("ipc", 21n), i386("ipc", 22n)]).toEqual([SECCOMP_RET_ALLOW, EPERM, SECCOMP_RET_ALLOW, EPERM]);
});

test("a program beyond the kernel's limit is refused with its size", () => {
  const args = (index: number): SeccompArg[] => [0, 1, 2, 3, 4].map((position) => ({ index: position, value: 1000 + index, op: "SCMP_CMP_GE" }));
  const syscalls = Array.from({ length: 200 }, (_, index): SeccompRule => ({
    names: ["read"],
    action: "SCMP_ACT_ERRNO",
    errnoRet: index + 2,
    args: args(index),
  }));
  expect(() => compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW", syscalls }, "x64")).toThrow(/needs \d+ BPF instructions, the kernel takes 4096/);
  const fits = compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW", syscalls: syscalls.slice(0, 150) }, "x64");
  expect(fits.program.length / 8).toBeGreaterThan(3000);
  expect(verdict(new BpfInterpreter(fits.program), 0, 1149n, 1149n, 1149n, 1149n, 1149n)).toBe(SECCOMP_RET_ERRNO | 2);
  expect(verdict(new BpfInterpreter(fits.program), 0, 999n)).toBe(SECCOMP_RET_ALLOW);
});

// Words around the numbers that comparisons turn on, in both halves of an argument.
const words = [0n, 1n, 2n, 7n, 8n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_fffen, 0xffff_ffffn];
const value = fc.tuple(fc.constantFrom(...words), fc.constantFrom(...words)).map(([high, low]) => (high << 32n) | low);
const operators = ["SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"];
const mask = fc.oneof(value, fc.integer({ min: 0, max: 32 }).map((size) => 0xffff_ffffn ^ ((1n << BigInt(size)) - 1n)));
const condition: fc.Arbitrary<SeccompArg> = fc
  .record({ index: fc.integer({ min: 0, max: 2 }), op: fc.constantFrom(...operators), plain: value, mask, valueTwo: value })
  .map(({ index, op, plain, mask: masked, valueTwo }) =>
    op === "SCMP_CMP_MASKED_EQ" ? { index, op, value: masked, valueTwo } : { index, op, value: plain <= 0xffff_ffffn ? Number(plain) : plain },
  );
// Conditions that hold for everything on some ABI turn a rule into one without; the naive evaluator does not look that far.
const meaningful = condition.filter(({ op, value: of }) => op !== "SCMP_CMP_MASKED_EQ" || (BigInt(of) & 0xffff_ffffn) !== 0n);
const callNames = ["read", "write", "getpid", "execve", "ioctl", "socket", "clone", "clone3", "mseal", "set_tls", "stime", "no_such_call", "semop", "openat"];
const rule: fc.Arbitrary<SeccompRule> = fc.record(
  {
    names: fc.subarray(callNames, { minLength: 1 }),
    action: fc.constantFrom<SeccompRule["action"]>("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"),
    errnoRet: fc.constantFrom(1, 2, 38),
    args: fc.array(meaningful, { maxLength: 3 }),
  },
  { requiredKeys: ["names", "action"] },
);
const profile: fc.Arbitrary<Seccomp> = fc.record(
  {
    defaultAction: fc.constantFrom<Seccomp["defaultAction"]>("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"),
    defaultErrnoRet: fc.constantFrom(1, 2, 38),
    architectures: fc.subarray(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]),
    syscalls: fc.array(rule, { maxLength: 8 }),
  },
  { requiredKeys: ["defaultAction", "syscalls"] },
);

for (const arch of ["x64", "arm64"] as const) {
  test(`${arch}: any profile's program says what the profile says`, () => {
    const abis: readonly SeccompArch[] = arch === "x64" ? ["x64", "x32", "i386"] : ["arm64", "arm"];
    fc.assert(
      fc.property(profile, fc.array(fc.tuple(value, value, value), { minLength: 3, maxLength: 3 }), (anyProfile, samples) => {
        const filter = filterOf(anyProfile, arch);
        const naive = new NaiveProfile(anyProfile, arch);
        for (const abi of abis) {
          for (const name of callNames) {
            const number = syscallTable(abi).get(name);
            if (number === undefined) continue;
            for (const nr of [number, number + 1]) {
              const names = nr === number ? [name] : [...syscallTable(abi)].filter(([, of]) => of === nr).map(([of]) => of);
              for (const args of samples) {
                if (names.includes("socketcall") || names.includes("ipc")) continue;
                expect([abi, nr, args, filter.run({ arch: audit[abi], nr, args }).result]).toEqual([abi, nr, args, naive.verdict(abi, nr, names, args)]);
              }
            }
          }
        }
      }),
      { numRuns: 150 },
    );
  });
}

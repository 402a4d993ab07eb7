import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS } from "../../linux/bpf.ts";
import type { Arch } from "../../linux/arch.ts";
import { type SeccompArch, syscallTable } from "../../linux/syscalls.ts";
import type { Seccomp, SeccompArg, SeccompRule } from "../../oci/runtime-config.ts";

/**
 * For tests: what a profile says, worked out call by call in the plainest way, sharing nothing with the compiler. Knows the
 * actions ALLOW, ERRNO and (as its number) KILL_PROCESS.
 */
export class NaiveProfile {
  readonly #profile: Seccomp;
  readonly #abis: Set<SeccompArch>;
  readonly #rules = new Map<string, SeccompRule[]>();
  readonly #highest = new Map<SeccompArch, number>();

  constructor(profile: Seccomp, arch: Arch) {
    this.#profile = profile;
    const listed = profile.architectures ?? [];
    const all: readonly [string, SeccompArch, Arch][] = [
      ["SCMP_ARCH_X86_64", "x64", "x64"],
      ["SCMP_ARCH_X86", "i386", "x64"],
      ["SCMP_ARCH_X32", "x32", "x64"],
      ["SCMP_ARCH_AARCH64", "arm64", "arm64"],
      ["SCMP_ARCH_ARM", "arm", "arm64"],
    ];
    this.#abis = new Set(all.filter(([name, abi, on]) => on === arch && (abi === arch || listed.includes(name))).map(([, abi]) => abi));
    for (const rule of profile.syscalls ?? []) {
      for (const name of rule.names) this.#rules.set(name, [...(this.#rules.get(name) ?? []), rule]);
    }
    for (const abi of this.#abis) {
      const table = syscallTable(abi);
      this.#highest.set(abi, Math.max(0, ...[...this.#rules.keys()].map((name) => table.get(name) ?? 0)));
    }
  }

  /** @param names the call's name, or on i386's multiplexing calls those of both layers, the outer one first */
  verdict(abi: SeccompArch, number: number, names: readonly string[], args: readonly bigint[]): number {
    if (!this.#abis.has(abi)) return SECCOMP_RET_KILL_PROCESS;
    const highest = this.#highest.get(abi) ?? 0;
    if (this.#profile.defaultAction === "SCMP_ACT_ERRNO" && highest > 0 && number > highest) return SECCOMP_RET_ERRNO | 38;
    const fallback = this.#result(this.#profile.defaultAction, this.#profile.defaultErrnoRet);
    const rules = names.flatMap((name, layer) =>
      (this.#rules.get(name) ?? [])
        .filter((rule) => this.#result(rule.action, rule.errnoRet) !== fallback)
        .map((rule) => ({ rule, layer, unconditional: layer === 0 && (rule.args ?? []).length === 0 })),
    );
    const bits = abi === "x64" || abi === "arm64" ? 64 : 32;
    const found = rules.find(({ unconditional }) => unconditional) ?? rules.find(({ rule, layer }) => holds(rule, bits, args, layer));
    return found === undefined ? fallback : this.#result(found.rule.action, found.rule.errnoRet);
  }

  #result(action: string, errno: number | undefined): number {
    if (action === "SCMP_ACT_ALLOW") return SECCOMP_RET_ALLOW;
    if (action === "SCMP_ACT_ERRNO") return SECCOMP_RET_ERRNO | (errno ?? 1);
    if (action === "SCMP_ACT_KILL_PROCESS") return SECCOMP_RET_KILL_PROCESS;
    throw new RangeError(`Not for ${action}`);
  }
}

function holds(rule: SeccompRule, bits: 32 | 64, args: readonly bigint[], layer: number): boolean {
  const conditions = rule.args ?? [];
  const isAny = new Set(conditions.map(({ index }) => index)).size < conditions.length;
  // Behind socketcall and ipc the first argument says which call is meant, so no condition on it can be kept.
  const tests = conditions.map((condition) => (layer > 0 && condition.index === 0) || compare(condition, bits, args[condition.index] ?? 0n));
  return isAny ? tests.includes(true) : !tests.includes(false);
}

function compare({ op, value, valueTwo }: SeccompArg, bits: 32 | 64, argument: bigint): boolean {
  const left = BigInt.asUintN(bits, argument);
  const right = BigInt.asUintN(bits, BigInt(value));
  const datum = BigInt.asUintN(bits, BigInt(valueTwo ?? 0));
  switch (op) {
    case "SCMP_CMP_EQ":
      return left === right;
    case "SCMP_CMP_NE":
      return left !== right;
    case "SCMP_CMP_LT":
      return left < right;
    case "SCMP_CMP_LE":
      return left <= right;
    case "SCMP_CMP_GT":
      return left > right;
    case "SCMP_CMP_GE":
      return left >= right;
    case "SCMP_CMP_MASKED_EQ":
      return (left & right) === (datum & right);
    default:
      throw new RangeError(`Not for ${op}`);
  }
}

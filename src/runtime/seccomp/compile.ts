import type { Seccomp } from "../../oci/runtime-config.ts";
import type { Arch } from "../../linux/arch.ts";
import {
  BPF_JMP_JEQ_K,
  SECCOMP_DATA_ARCH,
  SECCOMP_DATA_NR,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
} from "../../linux/bpf.ts";
import { type SeccompArch, syscallTable, X32_SYSCALL_BIT } from "../../linux/syscalls.ts";
import { isPermissive, resultOf } from "./actions.ts";
import { abisOf, argumentBits, auditArch } from "./arches.ts";
import { Assembler, type Target } from "./assembler.ts";
import { checkSeccomp } from "./check.ts";
import { emitCondition, isAlways } from "./conditions.ts";
import { emitAnyOf } from "./intervals.ts";
import { multiplexedCalls } from "./multiplex.ts";
import { emitRanges, RangeMap } from "./tree.ts";
import { type NamedVerdicts, readRules, type Verdict, verdictsOf } from "./verdicts.ts";

export interface CompiledSeccomp {
  /** `struct sock_filter[]`, 8 bytes each; the count of instructions is a sock_fprog's `len`. */
  readonly program: Uint8Array;
  /** SECCOMP_FILTER_FLAG_* for seccomp(SECCOMP_SET_MODE_FILTER). */
  readonly flags: number;
  /** Whether loading it returns a listener's descriptor (flag NEW_LISTENER). */
  readonly notify: boolean;
  /** Names in the profile that no ABI in use has: skipped, as libseccomp does with names from newer kernels. */
  readonly unknown: readonly string[];
}

const ENOSYS = 38;

/**
 * Compiles an OCI seccomp profile to the filter that runc and libseccomp make of it (docs/decisions/seccomp.md has the
 * differences). Pure and quick: it runs at a container's start.
 *
 * @param where what messages call the profile: its file, or the field that holds it
 * @throws SampanError `invalid` for unknown actions, comparisons, architectures and flags, argument
 *   indices out of range, and programs over the kernel's 4096 instructions
 */
export function compileSeccomp(profile: Seccomp, arch: Arch, where = "linux.seccomp"): CompiledSeccomp {
  checkSeccomp(profile, where);
  const abis = abisOf(arch, profile.architectures);
  // checkSeccomp has seen to it that the action has a result.
  const defaultResult = resultOf(profile.defaultAction, profile.defaultErrnoRet) ?? SECCOMP_RET_KILL_PROCESS;
  const rules = profile.syscalls ?? [];
  const named = readRules(rules, defaultResult);
  const assembler = new Assembler();
  const context: Context = {
    assembler,
    named,
    fallback: assembler.result(defaultResult),
    // A call that the profile's author could not know: programs take ENOSYS for "use the older call", EPERM for failure.
    future: isPermissive(profile.defaultAction) ? undefined : assembler.result(SECCOMP_RET_ERRNO | ENOSYS),
    wrongAbi: assembler.result(SECCOMP_RET_KILL_PROCESS),
    emitted: new Map(),
  };
  // Backwards: what is placed last stands first, and the machine's own ABI shall be found first.
  let dispatch = context.wrongAbi;
  for (const abi of abis.toReversed()) {
    if (abi === "x32") continue;
    const section = assembler.load(SECCOMP_DATA_NR, emitAbi(context, abi, abis.includes("x32")));
    dispatch = assembler.branch(BPF_JMP_JEQ_K, auditArch(abi), section, dispatch);
  }
  const program = assembler.finish(assembler.load(SECCOMP_DATA_ARCH, dispatch));
  const notify = rules.some((rule) => rule.action === "SCMP_ACT_NOTIFY");
  return { program, flags: filterFlags(profile, notify), notify, unknown: unknownNames(named, abis) };
}

interface Context {
  readonly assembler: Assembler;
  readonly named: NamedVerdicts;
  /** The default action. */
  readonly fallback: Target;
  /** ENOSYS, or undefined where calls beyond the profile's knowledge get the default action. */
  readonly future: Target | undefined;
  readonly wrongAbi: Target;
  /** Code for argument conditions, shared by ABIs that compare the same words. */
  readonly emitted: Map<Verdict, Partial<Record<32 | 64, Target>>>;
}

/** The search tree over an ABI's numbers; x32's numbers are a part of x64's. */
function emitAbi(context: Context, abi: SeccompArch, withX32: boolean): Target {
  const map = new RangeMap();
  const after = addNumbers(context, map, abi, 0);
  if (abi === "x64") addX32(context, map, withX32, after);
  return emitRanges(context.assembler, map);
}

/**
 * Adds what the profile says about one ABI's numbers from `base` on.
 * @returns what holds above the highest number that it mentions
 */
function addNumbers(context: Context, map: RangeMap, abi: SeccompArch, base: number): Target {
  const { byNumber, highest } = verdictsOf(context.named, abi);
  // As in runc: an ABI of which the profile mentions nothing has no future either, but the default action throughout.
  const after = highest > 0 ? (context.future ?? context.fallback) : context.fallback;
  const numbers = Uint32Array.from(byNumber.keys()).sort();
  const bits = argumentBits(abi);
  map.from(base, context.fallback);
  // Runs of neighbours with one verdict are most of a profile: only their borders go into the map.
  let gap = context.fallback;
  let run = context.fallback;
  let next = base;
  for (const number of numbers) {
    const verdict = byNumber.get(number);
    if (verdict === undefined) continue;
    const target = verdict.result !== undefined && verdict.result === run.result ? run : emitVerdict(context, verdict, bits);
    if (number === next && target === run && number <= highest) {
      next++;
      continue;
    }
    if (number !== next) map.from(next, gap);
    // Only a door of multiplex.ts can lie above the calls that the profile mentions itself.
    if (number > highest && gap !== after) {
      gap = after;
      map.from(highest + 1, gap);
    }
    map.from(number, target);
    run = target;
    next = number + 1;
  }
  map.from(next, gap);
  map.from(Math.max(next, highest + 1), after);
  return after;
}

/**
 * Numbers with bit 30 are x32 calls on an x64 kernel. Not listed in the profile they
 * are a foreign ABI: a filter that forgot them could be passed by. Number -1 is no call but a tracer's way to skip one
 * (seccomp(2)); it must not kill.
 */
function addX32(context: Context, map: RangeMap, listed: boolean, aboveX64: Target): void {
  if (listed) {
    addNumbers(context, map, "x32", X32_SYSCALL_BIT);
    return;
  }
  map.from(X32_SYSCALL_BIT, context.wrongAbi);
  if (aboveX64 === context.future) {
    map.from(2 * X32_SYSCALL_BIT, aboveX64);
    map.from(3 * X32_SYSCALL_BIT, context.wrongAbi);
  }
  map.from(0xffff_ffff, context.fallback);
}

function emitVerdict(context: Context, verdict: Verdict, bits: 32 | 64): Target {
  const { assembler, fallback } = context;
  if (verdict.result !== undefined) return assembler.result(verdict.result);
  const shared = context.emitted.get(verdict) ?? {};
  const known = shared[bits];
  if (known !== undefined) return known;
  const target = emitRules(assembler, verdict, bits, fallback);
  shared[bits] = target;
  context.emitted.set(verdict, shared);
  return target;
}

function emitRules(assembler: Assembler, verdict: Verdict, bits: 32 | 64, fallback: Target): Target {
  const rules = verdict.rules.map(({ result, conditions }) => ({ result, conditions: conditions.filter((condition) => !isAlways(condition, bits)) }));
  const always = rules.find(({ conditions }) => conditions.length === 0);
  if (always !== undefined) return assembler.result(always.result);
  const [first] = rules;
  if (first !== undefined && rules.every(({ result, conditions }) => result === first.result && conditions.length === 1)) {
    const any = rules.flatMap(({ conditions }) => conditions);
    const target = emitAnyOf(assembler, any, bits, assembler.result(first.result), fallback);
    if (target !== undefined) return target;
  }
  let next = fallback;
  for (const { result, conditions } of rules.toReversed()) {
    const otherwise = next;
    next = assembler.result(result);
    for (const condition of conditions.toReversed()) next = emitCondition(assembler, condition, bits, next, otherwise);
  }
  return next;
}

/** Without a `flags` field SPEC_ALLOW, as in runc: the speculation barriers would cost every program in the container. */
function filterFlags(profile: Seccomp, notify: boolean): number {
  const names = profile.flags ?? ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"];
  let flags = notify ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  if (names.includes("SECCOMP_FILTER_FLAG_LOG")) flags |= SECCOMP_FILTER_FLAG_LOG;
  if (names.includes("SECCOMP_FILTER_FLAG_SPEC_ALLOW")) flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  if (names.includes("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")) flags |= SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  return flags;
}

function unknownNames(named: NamedVerdicts, abis: readonly SeccompArch[]): string[] {
  const tables = abis.map(syscallTable);
  const unknown = [...named.mentioned].filter((name) => !tables.some((table) => table.has(name)));
  if (unknown.length === 0 || !abis.includes("i386")) return unknown;
  const multiplexed = new Set(multiplexedCalls().map(({ name }) => name));
  return unknown.filter((name) => !multiplexed.has(name));
}

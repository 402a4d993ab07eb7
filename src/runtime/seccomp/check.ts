import { ProblemsError, SampanError } from "../../base/errors.ts";
import type { Seccomp, SeccompArg, SeccompRule } from "../../oci/runtime-config.ts";
import { resultOf } from "./actions.ts";
import { isArchitectureName } from "./arches.ts";
import { isOperator } from "./conditions.ts";

/** Flags that a profile may set, those of runtime-spec and TSYNC, which runc takes and ignores. */
const FLAGS = [
  "SECCOMP_FILTER_FLAG_TSYNC",
  "SECCOMP_FILTER_FLAG_LOG",
  "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
  "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
];

const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;
/** The kernel reports no greater errno (include/linux/err.h, MAX_ERRNO). */
const MAX_ERRNO = 4095;

/**
 * Checks that a profile can be compiled.
 * @param where what the profile is called in messages: a file name, or the field of config.json that holds it
 * @throws SampanError `invalid`, every problem told at once
 */
export function checkSeccomp(profile: Seccomp, where: string): void {
  const problems = findProblems(profile).map((problem) => `Cannot use seccomp profile "${where}": ${problem}`);
  throwProblems(problems);
}

/** Throws one error for one problem or for many; returns where there is none. */
export function throwProblems(problems: readonly string[]): void {
  const [first] = problems;
  if (first === undefined) return;
  if (problems.length === 1) throw new SampanError("invalid", first);
  throw new ProblemsError(problems);
}

function findProblems(profile: Seccomp): string[] {
  const problems: string[] = [];
  if (resultOf(profile.defaultAction, undefined) === undefined) problems.push(`defaultAction ${quote(profile.defaultAction)} is no seccomp action`);
  // The listener could not be handed over: that takes system calls which the filter would hold up (runc refuses these too).
  if (profile.defaultAction === "SCMP_ACT_NOTIFY") problems.push("SCMP_ACT_NOTIFY cannot be the defaultAction");
  checkErrno(problems, "defaultErrnoRet", profile.defaultErrnoRet);
  for (const [index, name] of (profile.architectures ?? []).entries()) {
    if (!isArchitectureName(name)) problems.push(`architectures[${index}] ${quote(name)} is no architecture of the runtime specification`);
  }
  for (const [index, flag] of (profile.flags ?? []).entries()) {
    if (!FLAGS.includes(flag)) problems.push(`flags[${index}] ${quote(flag)} is no seccomp filter flag`);
  }
  for (const [index, rule] of (profile.syscalls ?? []).entries()) checkRule(problems, `syscalls[${index}]`, rule);
  return problems;
}

function checkRule(problems: string[], at: string, rule: SeccompRule): void {
  if (rule.names.length === 0) problems.push(`${at}.names is empty`);
  if (rule.names.includes("")) problems.push(`${at}.names has an empty name`);
  if (resultOf(rule.action, undefined) === undefined) problems.push(`${at}.action ${quote(rule.action)} is no seccomp action`);
  if (rule.action === "SCMP_ACT_NOTIFY" && rule.names.includes("write")) {
    problems.push(`${at}: SCMP_ACT_NOTIFY cannot be used for write, by which the listener is handed over`);
  }
  checkErrno(problems, `${at}.errnoRet`, rule.errnoRet);
  for (const [index, arg] of (rule.args ?? []).entries()) checkArgument(problems, `${at}.args[${index}]`, arg);
}

function checkArgument(problems: string[], at: string, arg: SeccompArg): void {
  if (!Number.isInteger(arg.index) || arg.index < 0 || arg.index > 5) {
    problems.push(`${at}.index ${arg.index} is out of range: a system call has the arguments 0 to 5`);
  }
  if (!isOperator(arg.op)) problems.push(`${at}.op ${quote(arg.op)} is no comparison`);
  if (!isUint64(arg.value)) problems.push(`${at}.value ${arg.value} is not an integer of 64 bits without sign`);
  if (arg.valueTwo !== undefined && !isUint64(arg.valueTwo)) problems.push(`${at}.valueTwo ${arg.valueTwo} is not an integer of 64 bits without sign`);
}

function checkErrno(problems: string[], at: string, errno: number | undefined): void {
  if (errno === undefined || (Number.isInteger(errno) && errno >= 0 && errno <= MAX_ERRNO)) return;
  problems.push(`${at} ${errno} is no errno: the kernel takes 0 to ${MAX_ERRNO}`);
}

function isUint64(value: number | bigint): boolean {
  if (typeof value === "bigint") return value >= 0n && value <= MAX_UINT64;
  // A double beyond 2^53 no longer says which integer was meant; the parser gives such numbers as bigint.
  return Number.isSafeInteger(value) && value >= 0;
}

function quote(value: unknown): string {
  return value === undefined ? "(missing)" : JSON.stringify(value);
}

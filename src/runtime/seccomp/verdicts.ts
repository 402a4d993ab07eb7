import type { SeccompRule } from "../../oci/runtime-config.ts";
import { syscallTable, type SeccompArch } from "../../linux/syscalls.ts";
import { resultOf } from "./actions.ts";
import { type Condition, readCondition } from "./conditions.ts";
import { multiplexedCalls } from "./multiplex.ts";

/** All of `conditions` lead to `result`. */
export interface ConditionalResult {
  readonly result: number;
  readonly conditions: readonly Condition[];
}

/**
 * What a profile says of one call. A rule without conditions decides alone, wherever it stands, and the first such one
 * counts: so libseccomp reads a profile. Otherwise the first rule whose conditions hold, else the default.
 */
export interface Verdict {
  result: number | undefined;
  readonly rules: ConditionalResult[];
}

/** A profile by call: what applies to each name, and every name it mentions. */
export interface NamedVerdicts {
  readonly byName: ReadonlyMap<string, Verdict>;
  /** In rules of whatever action: ENOSYS starts above the highest of these (see compile.ts). */
  readonly mentioned: ReadonlySet<string>;
}

/** Sorts the rules of a checked profile by call. Rules that say what the default says change nothing, as in runc. */
export function readRules(rules: readonly SeccompRule[], defaultResult: number): NamedVerdicts {
  const byName = new Map<string, Verdict>();
  const mentioned = new Set<string>();
  for (const rule of rules) {
    const result = resultOf(rule.action, rule.errnoRet);
    const conditional = result === undefined || result === defaultResult ? [] : splitRule(rule, result);
    for (const name of rule.names) {
      mentioned.add(name);
      if (result === undefined || result === defaultResult) continue;
      let verdict = byName.get(name);
      if (verdict === undefined) {
        verdict = { result: undefined, rules: [] };
        byName.set(name, verdict);
      }
      if (conditional.length === 0) verdict.result ??= result;
      else verdict.rules.push(...conditional);
    }
  }
  return { byName, mentioned };
}

/**
 * The alternatives of a rule. Its conditions must all hold, unless two of them are about the same argument: then any one
 * of all will do, as runc has it for the sake of old profiles.
 */
function splitRule(rule: SeccompRule, result: number): ConditionalResult[] {
  const conditions = (rule.args ?? []).map(readCondition);
  if (conditions.length === 0) return [];
  if (new Set(conditions.map(({ index }) => index)).size === conditions.length) return [{ result, conditions }];
  return conditions.map((condition) => ({ result, conditions: [condition] }));
}

/** What a profile says of an ABI's calls by number, and the highest number it mentions (0 where it mentions none). */
export function verdictsOf(named: NamedVerdicts, abi: SeccompArch): { byNumber: Map<number, Verdict>; highest: number } {
  const table = syscallTable(abi);
  const byNumber = new Map<number, Verdict>();
  let highest = 0;
  for (const name of named.mentioned) {
    const number = table.get(name);
    if (number === undefined) continue;
    if (number > highest) highest = number;
    const verdict = named.byName.get(name);
    if (verdict !== undefined) byNumber.set(number, verdict);
  }
  if (abi === "i386") addMultiplexed(named, table, byNumber);
  return { byNumber, highest };
}

function addMultiplexed(named: NamedVerdicts, table: ReadonlyMap<string, number>, byNumber: Map<number, Verdict>): void {
  const doors = new Map<number, Verdict>();
  for (const { name, through, call } of multiplexedCalls()) {
    const verdict = named.byName.get(name);
    const number = table.get(through);
    if (verdict === undefined || number === undefined) continue;
    let door = doors.get(number);
    if (door === undefined) {
      const own = byNumber.get(number);
      door = { result: own?.result, rules: [...(own?.rules ?? [])] };
      doors.set(number, door);
    }
    const isCall: Condition = { index: 0, operator: "EQ", high: 0, low: call, highMask: 0xffff_ffff, lowMask: 0xffff_ffff };
    const rules = verdict.result === undefined ? verdict.rules : [{ result: verdict.result, conditions: [] }];
    for (const { result, conditions } of rules) {
      door.rules.push({ result, conditions: [isCall, ...conditions.filter(({ index }) => index !== 0)] });
    }
  }
  for (const [number, door] of doors) byNumber.set(number, door);
}

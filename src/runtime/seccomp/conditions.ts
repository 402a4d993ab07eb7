import { argumentOffset, BPF_JMP_JEQ_K, BPF_JMP_JGE_K, BPF_JMP_JGT_K, BPF_JMP_JSET_K } from "../../linux/bpf.ts";
import type { SeccompArg } from "../../oci/runtime-config.ts";
import type { Assembler, Target } from "./assembler.ts";

export type Operator = "NE" | "LT" | "LE" | "EQ" | "GE" | "GT" | "MASKED_EQ";

/** A comparison of one argument, its 64-bit numbers split into the 32-bit words that BPF compares. */
export interface Condition {
  readonly index: number;
  readonly operator: Operator;
  readonly high: number;
  readonly low: number;
  /** All ones but for MASKED_EQ. */
  readonly highMask: number;
  readonly lowMask: number;
}

const ONES = 0xffff_ffff;

export function isOperator(op: string): boolean {
  return /^SCMP_CMP_(NE|LT|LE|EQ|GE|GT|MASKED_EQ)$/.test(op);
}

/** An OCI argument condition that has been checked. For MASKED_EQ `value` is the mask and `valueTwo` the datum. */
export function readCondition(arg: SeccompArg): Condition {
  // "SCMP_CMP_" has been checked by isOperator, which knows the same seven names.
  const operator = arg.op.slice(9) as Operator;
  const value = words(arg.value);
  if (operator !== "MASKED_EQ") {
    return { index: arg.index, operator, high: value.high, low: value.low, highMask: ONES, lowMask: ONES };
  }
  const datum = words(arg.valueTwo ?? 0);
  return {
    index: arg.index,
    operator,
    // A datum bit outside the mask would never match; libseccomp drops such bits.
    high: (datum.high & value.high) >>> 0,
    low: (datum.low & value.low) >>> 0,
    highMask: value.high,
    lowMask: value.low,
  };
}

function words(value: number | bigint): { high: number; low: number } {
  if (typeof value === "number") return { high: Math.floor(value / 0x1_0000_0000), low: value >>> 0 };
  return { high: Number(value >> 32n), low: Number(value & 0xffff_ffffn) };
}

/** Whether a condition holds for every argument: it masks all that is compared. */
export function isAlways(condition: Condition, bits: 32 | 64): boolean {
  return condition.lowMask === 0 && (bits === 32 || condition.highMask === 0);
}

/** Code that goes to `yes` where the condition holds, else to `no`. With 32 bits the high words do not count. */
export function emitCondition(assembler: Assembler, condition: Condition, bits: 32 | 64, yes: Target, no: Target): Target {
  switch (condition.operator) {
    case "EQ":
    case "MASKED_EQ":
      return emitEqual(assembler, condition, bits, yes, no);
    case "NE":
      return emitEqual(assembler, condition, bits, no, yes);
    case "GT":
      return emitAbove(assembler, condition, bits, BPF_JMP_JGT_K, yes, no);
    case "GE":
      return emitAbove(assembler, condition, bits, BPF_JMP_JGE_K, yes, no);
    case "LE":
      return emitAbove(assembler, condition, bits, BPF_JMP_JGT_K, no, yes);
    case "LT":
      return emitAbove(assembler, condition, bits, BPF_JMP_JGE_K, no, yes);
  }
}

function emitEqual(assembler: Assembler, condition: Condition, bits: 32 | 64, equal: Target, different: Target): Target {
  const { index, low, lowMask, high, highMask } = condition;
  let next = equal;
  if (lowMask !== 0) next = emitWord(assembler, argumentOffset(index, "low"), low, lowMask, next, different);
  if (bits === 64 && highMask !== 0) next = emitWord(assembler, argumentOffset(index, "high"), high, highMask, next, different);
  return next;
}

function emitWord(assembler: Assembler, offset: number, datum: number, mask: number, equal: Target, different: Target): Target {
  if (mask === ONES) return assembler.load(offset, assembler.branch(BPF_JMP_JEQ_K, datum, equal, different));
  if (datum === 0) return assembler.load(offset, assembler.branch(BPF_JMP_JSET_K, mask, different, equal));
  return assembler.load(offset, assembler.and(mask, assembler.branch(BPF_JMP_JEQ_K, datum, equal, different)));
}

/** The high words decide unless they are equal. */
function emitAbove(
  assembler: Assembler,
  { index, low, high }: Condition,
  bits: 32 | 64,
  op: typeof BPF_JMP_JGT_K | typeof BPF_JMP_JGE_K,
  above: Target,
  below: Target,
): Target {
  const byLow = assembler.load(argumentOffset(index, "low"), assembler.branch(op, low, above, below));
  if (bits === 32) return byLow;
  const unlessAbove = assembler.branch(BPF_JMP_JEQ_K, high, byLow, below);
  return assembler.load(argumentOffset(index, "high"), assembler.branch(BPF_JMP_JGT_K, high, above, unlessAbove));
}

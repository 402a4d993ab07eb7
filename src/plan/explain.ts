import { errnoName } from "../linux/errno.ts";
import type { Plan } from "./build.ts";
import { Names } from "./explain-names.ts";
import { argumentText, plainText } from "./explain-values.ts";
import type { Call, Condition, Op, Side } from "./model.ts";
import { Block } from "./model.ts";
import type { Signatures } from "./signatures.ts";
import { manualPage, readSignatures } from "./signatures.ts";

/** One instruction of a plan, in words. */
export interface ExplainedCall {
  /** Position in the whole plan, the outer side first: as reports and messages count. */
  readonly number: number;
  readonly side: Side;
  readonly stage: string;
  readonly op: Op;
  /** Name of the system call or of keel's operation. */
  readonly name: string;
  readonly arguments: readonly { readonly name: string; readonly text: string }[];
  /** As C: `openat(AT_FDCWD, "/dev/null", O_RDONLY, 0)`. */
  readonly text: string;
  /** "openat2(2)"; "keel" for what is no system call. */
  readonly manual: string;
  readonly why: string;
  /** "only if #3 said ENOENT"; undefined where it is always done. */
  readonly condition: string | undefined;
  /** Errnos that do not matter. */
  readonly tolerates: readonly string[];
  /** The only result that is no failure. */
  readonly expects: number | undefined;
  readonly waits: boolean;
  /** How many skips it lies within. */
  readonly depth: number;
}

export interface ExplainedStage {
  readonly side: Side;
  readonly stage: string;
  readonly calls: readonly ExplainedCall[];
}

/** "if #3 said ENOENT". */
function conditionText({ of, is }: Condition, names: Names): string {
  const call = `#${names.number(of)}`;
  if (is === "ok") return `if ${call} succeeded`;
  if (is === "failed") return `if ${call} failed`;
  if (typeof is === "string") return `if ${call} said ${is}`;
  return "equal" in is ? `if ${call} gave ${is.equal}` : `unless ${call} said ${is.not}`;
}

function operationText(call: Call, names: Names): string {
  const show = (n: number): string => (call.args[n] === undefined ? "" : plainText(call.args[n], names));
  const [first] = call.args;
  const code = typeof first === "number" ? first : 0;
  switch (call.op) {
    case "patch":
      return `patch(${first instanceof Block ? first.label : "bytes"} + ${show(1)}, ${call.name}, ${show(2)})`;
    case "skip": {
      const to = names.number(call) + code + 1;
      return `skip(${code === 1 ? "1 call" : `${code} calls`}, to #${to})`;
    }
    case "fail":
      return `fail(${errnoName(code)})`;
    case "find":
      return `find(${show(2)})`;
    case "wait":
    case "init":
      return `${call.name}()`;
    default:
      return `${call.name}(${call.args.map((_, n) => show(n)).join(", ")})`;
  }
}

function explainArguments(call: Call, names: Names, signatures: Signatures): { name: string; text: string }[] {
  const parameters = signatures.get(call.name) ?? [];
  const shown = call.args.map((arg, n) => ({
    name: parameters[n]?.name ?? `arg${n + 1}`,
    text: argumentText(call, n, arg, parameters[n], names),
    kind: parameters[n]?.kind,
  }));
  // prctl(2) takes five whatever the option needs: those that it does not use are 0.
  while (shown.at(-1)?.kind === "rest" && shown.at(-1)?.text === "0") shown.pop();
  return shown.map(({ name, text }) => ({ name, text }));
}

function explainCall(call: Call, names: Names, signatures: Signatures, depth: number): ExplainedCall {
  const { options } = call;
  const isSystemCall = call.op === "call" || call.op === "clone";
  const args = isSystemCall ? explainArguments(call, names, signatures) : call.args.map((arg, n) => ({ name: `arg${n + 1}`, text: plainText(arg, names) }));
  return {
    number: names.number(call), side: call.side, stage: call.stage, op: call.op, name: isSystemCall ? call.name : call.op, arguments: args,
    text: isSystemCall ? `${call.name}(${args.map(({ text }) => text).join(", ")})` : operationText(call, names),
    manual: isSystemCall ? manualPage(call.name) : "keel",
    why: options.why ?? options.what ?? "",
    condition: options.when === undefined ? undefined : `${call.op === "skip" ? "" : "only "}${conditionText(options.when, names)}`,
    tolerates: options.tolerate === "any" ? ["any errno"] : [...(options.tolerate ?? [])],
    expects: options.expect,
    waits: options.waits === true,
    depth,
  };
}

/** A plan in words, by stages: every call with its arguments, flags by name, its man page and its reason. Pure. */
export function explainPlan(plan: Plan): ExplainedStage[] {
  const names = new Names(plan);
  const signatures = readSignatures();
  const stages: { side: Side; stage: string; calls: ExplainedCall[] }[] = [];
  for (const line of [plan.outer, plan.inner]) {
    const ends: number[] = []; // where the skips that a call lies within end
    for (const call of line.calls) {
      while (ends.length > 0 && call.index >= (ends.at(-1) ?? 0)) ends.pop();
      const last = stages.at(-1);
      const into = last?.side === call.side && last.stage === call.stage ? last : { side: call.side, stage: call.stage, calls: [] };
      if (into !== last) stages.push(into);
      into.calls.push(explainCall(call, names, signatures, ends.length));
      if (call.op === "skip") ends.push(call.index + 1 + Number(call.args[0]));
    }
  }
  return stages;
}

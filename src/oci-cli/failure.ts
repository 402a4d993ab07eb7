import { SampanError } from "../base/errors.ts";
import type { Report } from "../plan/index.ts";
import type { PlanError } from "../plan/run.ts";

/** What seccomp kills with. */
const SIGSYS = 31;

/** A wait(2) status in words. */
function ending(status: number): string {
  const signal = status & 0x7f;
  if (signal !== 0) return `it was killed by signal ${signal}${signal === SIGSYS ? " (bad system call)" : ""}`;
  const code = (status >> 8) & 0xff;
  return `exit status ${code}${code === 127 ? " (no such program)" : code === 126 ? " (it cannot be executed)" : ""}`;
}

/** What a plan's failure means to a caller: a hook's end, with what it said, instead of an errno that is ours. */
export function explain(failure: PlanError, report: Report, output: string): SampanError {
  if (failure.call?.op !== "spawn" || failure.index === undefined) return failure;
  const { value } = report.result(failure.index);
  const reason = failure.code === "ETIMEDOUT" ? "it took too long and was killed" : value >= 0 ? ending(value) : failure.code ?? "it failed";
  const what = failure.call.options.what ?? "run a hook";
  const hook = /^run (\w+) hook (\d+) /.exec(what);
  // runc's words, with its count from 0: callers look for them.
  const words = hook ? `error running ${hook[1] ?? ""} hook #${Number(hook[2]) - 1}: ` : "";
  return new SampanError("unavailable", `Cannot ${what}: ${words}${reason}${output === "" ? "" : `: ${output.replaceAll("\n", "; ")}`}`, { cause: failure });
}

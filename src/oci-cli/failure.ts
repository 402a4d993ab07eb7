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

/** What a plan's failure means to a caller: a program's or a hook's, in the words that callers look for. */
export function explain(failure: PlanError, report: Report, output: string): SampanError {
  const path = failure.call?.name === "execve" || failure.call?.name === "faccessat2" ? failure.call.args.find((arg) => typeof arg === "string") : undefined;
  // runc's words here as for hooks: its callers look for "exec PATH: REASON".
  if (typeof path === "string")
    return new SampanError(failure.kind, failure.message.replace(/: (?:execve|faccessat2): /, () => `: exec ${path}: `), {
      code: failure.code,
      cause: failure,
    });
  if (failure.call?.op !== "spawn" || failure.index === undefined) return failure;
  const { value } = report.result(failure.index);
  const reason = failure.code === "ETIMEDOUT" ? "it took too long and was killed" : value >= 0 ? ending(value) : failure.code ?? "it failed";
  const what = failure.call.options.what ?? "run a hook";
  const hook = /^run (\w+) hook (\d+) /.exec(what);
  // runc's words, with its count from 0: callers look for them.
  const words = hook ? `error running ${hook[1] ?? ""} hook #${Number(hook[2]) - 1}: ` : "";
  return new SampanError("unavailable", `Cannot ${what}: ${words}${reason}${output === "" ? "" : `: ${output.replaceAll("\n", "; ")}`}`, { cause: failure });
}

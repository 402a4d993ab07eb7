import { type ErrorKind, ProblemsError, SampanError, messageOf } from "../../base/errors.ts";

/** Exit codes where a failure brings none of its own. */
const exitCodes: Readonly<Record<ErrorKind, number>> = {
  "not-found": 1,
  invalid: 1,
  conflict: 1,
  "already-exists": 1,
  "wrong-state": 1,
  denied: 1,
  unavailable: 1,
  unsupported: 1,
  // 128 + SIGINT: what a shell says of an interrupted command.
  cancelled: 130,
  internal: 1,
};

/** The exit code of a failed command; `fallback` is the command's own for failures without one ("run" has 125). */
export function exitCodeOf(error: unknown, fallback?: number): number {
  if (!(error instanceof SampanError)) return fallback ?? 1;
  if (error.exitCode !== undefined) return error.exitCode;
  return error.kind === "cancelled" ? exitCodes.cancelled : (fallback ?? exitCodes[error.kind]);
}

/** "sampan: message" for every problem, the hint once. With `debug` the stack and causes too. */
export function formatError(error: unknown, options: { readonly debug?: boolean } = {}): string {
  const problems = error instanceof ProblemsError ? error.problems : [messageOf(error)];
  let text = problems.map((problem) => `sampan: ${problem}\n`).join("");
  if (error instanceof SampanError && error.hint !== undefined) text += `${error.hint}\n`;
  if (options.debug === true) {
    for (let at: unknown = error; at instanceof Error; at = at.cause) text += `${at === error ? "" : "caused by: "}${at.stack ?? at.message}\n`;
  }
  return text;
}

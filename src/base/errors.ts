/**
 * Every failure that a person or a program is told about.
 *
 * The kinds are a closed set: the CLI maps each to an exit code and the API to an HTTP status, once.
 * Facts are fields; nobody has to parse them out of the message.
 */
export type ErrorKind =
  | "not-found"
  | "invalid"
  | "conflict"
  | "already-exists"
  | "wrong-state"
  | "denied"
  | "unavailable"
  | "unsupported"
  | "cancelled"
  | "internal";

export interface ErrorOptionsWithFacts {
  /** The next thing to type or to check, where one is known. */
  readonly hint?: string | undefined;
  /** A symbolic code: an errno name, a registry error code, or one of ours. */
  readonly code?: string | undefined;
  /** Exit code of the CLI, where Docker's convention gives this failure one of its own (125, 126, 127). */
  readonly exitCode?: number | undefined;
  readonly cause?: unknown;
}

/** What could not be done and why, in a sentence; what a program may want to know of it is in its fields. */
export class SampanError extends Error {
  static {
    nameClass(this, "SampanError");
  }

  override readonly name = "SampanError";
  readonly kind: ErrorKind;
  readonly hint: string | undefined;
  readonly code: string | undefined;
  readonly exitCode: number | undefined;

  constructor(kind: ErrorKind, message: string, options: ErrorOptionsWithFacts = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.hint = options.hint;
    this.code = options.code;
    this.exitCode = options.exitCode;
  }
}

/** Several problems of one request, told together so that nobody mends them one at a time. */
export class ProblemsError extends SampanError {
  static {
    nameClass(this, "ProblemsError");
  }

  readonly problems: readonly string[];

  constructor(problems: readonly string[], options: ErrorOptionsWithFacts = {}) {
    super("invalid", problems.join("\n"), options);
    this.problems = problems;
  }
}

/** A bundler gives a class another name where two modules have one of the same, and runtimes print that with the error. */
function nameClass(one: object, name: string): void {
  Object.defineProperty(one, "name", { value: name });
}

/** The errno name ("ENOENT") of a Node system error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return undefined;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** For the default branch of an exhaustive switch: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new SampanError("internal", `Unexpected value ${JSON.stringify(value)}`);
}

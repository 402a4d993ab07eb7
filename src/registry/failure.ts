import { SampanError, errnoOf, messageOf, type ErrorKind, type ErrorOptionsWithFacts } from "../base/index.ts";

/** What is being done, for messages: `Cannot pull "nginx:1": …`. */
export interface Operation {
  readonly verb: string;
  readonly name: string;
  /** The repository as people say it, where there is one. */
  readonly repository?: string;
}

/** The house's one sentence. */
export function cannot(operation: Operation, kind: ErrorKind, reason: string, options: ErrorOptionsWithFacts = {}): SampanError {
  return new SampanError(kind, `Cannot ${operation.verb} "${operation.name}": ${reason}`, options);
}

/** Gives an error from below ("Cannot read manifest: …") the name of what was being done, once. */
export function during(operation: Operation, error: unknown): SampanError {
  if (!(error instanceof SampanError)) return cannot(operation, "internal", messageOf(error), { cause: error });
  const prefix = `Cannot ${operation.verb} "${operation.name}": `;
  if (error.message.startsWith(prefix)) return error;
  const { kind, hint, code } = error;
  return cannot(operation, kind, error.message.replace(/^Cannot /, "cannot "), { hint, code, cause: error });
}

/** One line of a stranger's text: no control characters that would drive a terminal, and not too much of it. */
export function cleanText(text: string, maxLength = 300): string {
  const clean = text.replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  return clean.length > maxLength ? `${clean.slice(0, maxLength)}…` : clean;
}

/** A connection that could not be made or did not last. Never leaves this folder. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  /** An errno or TLS code. */
  readonly code: string;
  /** True where the same request may succeed a moment later. */
  readonly transient: boolean;
  readonly hint: string | undefined;

  constructor(message: string, code: string, options: { transient: boolean; hint?: string | undefined; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.code = code;
    this.transient = options.transient;
    this.hint = options.hint;
  }
}

/** Says in words what Node or Bun say in codes. `where` is "host:port". */
export function transportError(error: unknown, where: string): TransportError {
  if (error instanceof TransportError) return error;
  const code = errnoOf(error) ?? "";
  const made = (message: string, transient: boolean, hint?: string): TransportError => new TransportError(message, code, { transient, hint, cause: error });
  switch (code) {
    case "ENOTFOUND":
      return made(`no such host "${where}"`, false);
    case "EAI_AGAIN":
      return made(`the name of "${where}" could not be looked up: the name server does not answer`, false);
    case "ECONNREFUSED":
      return made(`connection refused by ${where}`, false);
    case "ENETUNREACH":
    case "EHOSTUNREACH":
      return made(`no route to ${where}`, false);
    case "ETIMEDOUT":
      return made(`${where} did not answer in time`, true);
    case "ECONNRESET":
    case "ECONNABORTED":
    case "EPIPE":
    case "UND_ERR_SOCKET":
      return made(`${where} closed the connection`, true);
    default:
      break;
  }
  if (/CERT|SELF_SIGNED|ISSUER|ALTNAME|UNABLE_TO_VERIFY/.test(code)) {
    return made(
      `the certificate of ${where} is not trusted (${cleanText(messageOf(error), 120)})`,
      false,
      `name its authority with "ca" for this registry in registries.conf, or set "insecure" there`,
    );
  }
  if (/SSL|EPROTO/.test(code))
    return made(`${where} does not speak TLS`, false, `set "insecure" for this registry in registries.conf if it is meant to be plain HTTP`);
  if (/^HPE_|PARSE/i.test(code)) return made(`${where} does not speak HTTP`, true);
  return made(`${where}: ${cleanText(messageOf(error))}`, false);
}

/** An error answer's content, as far as it is of the standard form (distribution-spec "Error Codes"). */
export interface ErrorBody {
  readonly code: string | undefined;
  readonly message: string | undefined;
}

export function parseErrorBody(text: string): ErrorBody {
  try {
    const value: unknown = JSON.parse(text);
    const first = firstError(value);
    const field = (name: "code" | "message" | "details" | "detail"): string | undefined => {
      // just checked to be an object
      const it = typeof first === "object" && first !== null && name in first ? (first as Record<string, unknown>)[name] : undefined;
      return typeof it === "string" ? cleanText(it) : undefined;
    };
    return { code: field("code"), message: field("message") ?? field("details") };
  } catch {
    // Not JSON: a proxy's page. The status says enough.
    return { code: undefined, message: undefined };
  }
}

function firstError(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  if ("errors" in value && Array.isArray(value.errors)) return value.errors[0] as unknown;
  return value;
}

export interface FailedAnswer {
  readonly status: number;
  readonly body: ErrorBody;
  readonly host: string;
  readonly attempts: number;
  /** What was asked for, where its absence has words of its own. */
  readonly about: "manifest" | "blob" | "other";
}

/** Turns an answer that is no success into the words that people and scripts know from Docker. */
export function answerError(operation: Operation, answer: FailedAnswer): SampanError {
  const { status, body, host } = answer;
  const code = body.code ?? `HTTP_${status}`;
  const detail = [body.code?.toLowerCase().replaceAll("_", " "), body.message].filter((part) => part !== undefined && part !== "").join(": ");
  const fail = (kind: ErrorKind, reason: string, hint?: string): SampanError => cannot(operation, kind, reason, { code, hint });
  if (status === 429)
    return fail("unavailable", `toomanyrequests: ${body.message ?? `${host} limits how often it may be asked`}`, "wait a while, or log in with `sampan login`");
  if (status === 401 || status === 403) {
    const why = detail || (status === 401 ? "unauthorized: authentication required" : "denied: requested access to the resource is denied");
    // Whoever is just logging in knows how to.
    const hint = operation.verb === "log in to" ? undefined : `sampan login ${host}`;
    if (operation.verb !== "pull") return fail("denied", why, hint);
    return fail(
      "denied",
      `pull access denied for ${operation.repository ?? operation.name}, repository does not exist or may require "sampan login": ${why}`,
      hint,
    );
  }
  if (status === 404 && body.code === "NAME_UNKNOWN") return fail("not-found", detail);
  if (status === 404 && answer.about === "manifest")
    return fail("not-found", `manifest for ${operation.name} not found: manifest unknown${body.message === undefined ? "" : `: ${body.message}`}`);
  if (status === 404 && answer.about === "blob") return fail("not-found", `blob unknown to registry ${host}`);
  const tried = answer.attempts > 1 ? ` after ${answer.attempts} attempts` : "";
  if (status >= 500 || status === 408) return fail("unavailable", `${host} answered with status ${status}${tried}${detail === "" ? "" : `: ${detail}`}`);
  return fail(status === 404 ? "not-found" : "invalid", `${host} answered with status ${status}${detail === "" ? "" : `: ${detail}`}`);
}

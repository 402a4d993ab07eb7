import { SampanError } from "../base/index.ts";
import { answerError, cannot, parseErrorBody, TransportError, type Operation } from "./failure.ts";
import { schemesFor, type RegistryPlace, type SchemeChoice } from "./hosts.ts";
import { readDocument, sendFollowing, type Target } from "./redirect.ts";
import { Once } from "./once.ts";
import { backoffMs, delay, isTransientStatus, parseRetryAfter, type RetryPolicy } from "./retry.ts";
import { Authorizer } from "./token.ts";
import type { HttpRequest, HttpResponse, TlsTrust, Transport } from "./transport.ts";
import type { CredentialSource, WaitOptions } from "./types.ts";

const ERROR_BYTES_MAX = 64 * 1024;

export interface SessionOptions {
  readonly place: RegistryPlace;
  readonly transport: Transport;
  readonly credentials: CredentialSource | undefined;
  readonly retry: RetryPolicy;
  /** PEM of further authorities for this host. */
  readonly ca: string | undefined;
  readonly tlsVerify: boolean | undefined;
}

export interface SessionRequest {
  readonly method: HttpRequest["method"];
  /** A path beginning with /v2/, or a whole URL that the registry gave (uploads, next pages). */
  readonly url: string | URL;
  readonly scopes: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for every attempt. Without `retryBody` a failed attempt is final. */
  readonly body?: (() => HttpRequest["body"]) | undefined;
  readonly operation: Operation;
  /** Statuses that the caller handles; all others become errors. */
  readonly accept: readonly number[];
  readonly about?: "manifest" | "blob" | "other";
  /** False for requests that must not be sent twice. */
  readonly retry?: boolean;
}

/** Talks to one registry host: finds out the scheme, answers challenges, follows redirects, tries again. */
export class Session implements Target {
  readonly host: string;
  readonly transport: Transport;
  readonly #options: SessionOptions;
  readonly #schemes: readonly SchemeChoice[];
  readonly #authorizer: Authorizer;
  #chosen: SchemeChoice;
  #connected = new Once<void>();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.host = options.place.host;
    this.transport = options.transport;
    this.#schemes = schemesFor(options.place, options.tlsVerify);
    // schemesFor never returns an empty list.
    this.#chosen = this.#schemes[0] ?? { scheme: "https", verify: true };
    const { domain } = options.place;
    this.#authorizer = new Authorizer({
      target: this,
      credential: async (signal) => options.credentials?.get(domain, { signal }),
      insecure: this.#schemes.some(({ scheme }) => scheme === "http"),
    });
  }

  base(): URL {
    return new URL(`${this.#chosen.scheme}://${this.host}/`);
  }

  readonly trustFor = (url: URL): TlsTrust => {
    const own = url.hostname === this.base().hostname;
    return own ? { verify: this.#schemes.every(({ verify }) => verify), ca: this.#options.ca } : { verify: true };
  };

  get authorizer(): Authorizer {
    return this.#authorizer;
  }

  /** Asks `/v2/` once: which scheme answers, and what it wants to see before it says more. */
  async connect(operation: Operation, wait: WaitOptions): Promise<void> {
    await this.#connected.get(() => this.#ping(operation, wait), wait.signal);
  }

  /** Sends a request with credentials as needed; the answer's status is one of `accept`. */
  async send(request: SessionRequest, wait: WaitOptions): Promise<HttpResponse> {
    const { operation } = request;
    await this.connect(operation, wait);
    const url = typeof request.url === "string" ? new URL(request.url, this.base()) : request.url;
    // An upload may live elsewhere; what is ours to say to the registry is not for that host.
    const own = url.origin === this.base().origin;
    let scopes = request.scopes;
    let challenged = false;
    for (let attempt = 1; ; attempt++) {
      let answer: HttpResponse;
      try {
        const authorization = own ? await this.#authorizer.header(scopes, operation, wait.signal) : undefined;
        const headers = { ...request.headers, ...(authorization === undefined ? {} : { authorization }) };
        answer = await sendFollowing(
          this.transport,
          operation,
          { method: request.method, url, headers, body: request.body?.(), trust: this.trustFor(url), signal: wait.signal },
          this.trustFor,
        );
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        await this.#pause(error.message, undefined, attempt, request, wait, () => unreachableError(operation, error, attempt));
        continue;
      }
      if (request.accept.includes(answer.status)) return answer;
      if (answer.status === 401 && own && !challenged && answer.url.origin === url.origin && this.#authorizer.learn(answer.header("www-authenticate"))) {
        // A token may have run out, or the request needs a scope that we did not think of. Only the registry itself may
        // say so: the target of a redirect would name its own token server, and be sent the registry's password.
        challenged = true;
        answer.discard();
        this.#authorizer.forget();
        const asked = this.#authorizer.challengedScope?.split(" ").filter((scope) => scope !== "") ?? [];
        scopes = [...new Set([...scopes, ...asked])];
        attempt--;
        continue;
      }
      const failure = await this.#failure(answer, request, attempt, wait);
      if (!isTransientStatus(answer.status)) throw failure;
      await this.#pause(`status ${answer.status}`, parseRetryAfter(answer.header("retry-after")), attempt, request, wait, () => failure);
    }
  }

  /** Waits before the next attempt, or throws what went wrong if there is to be none. */
  async #pause(
    reason: string,
    retryAfterMs: number | undefined,
    attempt: number,
    request: SessionRequest,
    wait: WaitOptions,
    failure: () => SampanError,
  ): Promise<void> {
    const policy = this.#options.retry;
    const final = attempt >= policy.attempts || request.retry === false || (retryAfterMs ?? 0) > policy.maxRetryAfterMs;
    const error = failure();
    if (final || error.kind !== "unavailable" || error.code === "UNREACHABLE") throw error;
    const delayMs = Math.max(retryAfterMs ?? 0, backoffMs(policy, attempt));
    wait.onProgress?.({ kind: "retry", host: this.host, attempt: attempt + 1, delayMs, reason });
    await delay(delayMs, wait.signal);
  }

  async #failure(answer: HttpResponse, request: SessionRequest, attempts: number, wait: WaitOptions): Promise<SampanError> {
    const { status, url } = answer;
    let text = "";
    try {
      const bytes = request.method === "HEAD"
        ? new Uint8Array()
        : await readDocument(answer, ERROR_BYTES_MAX, request.operation, this.transport.timeouts, wait.signal);
      text = new TextDecoder().decode(bytes);
    } catch (error) {
      if (error instanceof SampanError && error.kind === "cancelled") throw error;
      // What the server has to say about its refusal is lost; that it refused is not.
    }
    answer.discard();
    return answerError(request.operation, { status, body: parseErrorBody(text), host: url.host, attempts, about: request.about ?? "other" });
  }

  async #ping(operation: Operation, wait: WaitOptions): Promise<void> {
    const reasons: string[] = [];
    for (const [index, choice] of this.#schemes.entries()) {
      this.#chosen = choice;
      const next = this.#schemes[index + 1];
      let reason: string;
      try {
        const answer = await this.#pingOnce(operation, wait, next === undefined);
        // A TLS server answers plain HTTP with 400, if at all.
        if (answer.status !== 400 || choice.scheme === "https" || next === undefined) {
          if (answer.status === 401 && answer.url.origin === this.base().origin) this.#authorizer.learn(answer.header("www-authenticate"));
          answer.discard();
          return;
        }
        answer.discard();
        reason = "status 400";
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        reason = error.message;
        // Another scheme would find the same closed door.
        if (next === undefined || error.code === "ENOTFOUND" || error.code === "EAI_AGAIN" || (error.code === "ECONNREFUSED" && /:\d+$/.test(this.host))) {
          const before = reasons.length === 0 ? "" : ` (before that, ${reasons.join("; ")})`;
          throw unreachableError(operation, new TransportError(error.message + before, error.code, { transient: false, hint: error.hint, cause: error }), 1);
        }
      }
      reasons.push(`over ${choice.scheme}: ${reason}`);
      if (next !== undefined) wait.onProgress?.({ kind: "fallback", from: `${choice.scheme}://${this.host}`, to: `${next.scheme}://${this.host}`, reason });
    }
    throw cannot(operation, "unavailable", `${this.host} does not answer`, { code: "UNREACHABLE" });
  }

  async #pingOnce(operation: Operation, wait: WaitOptions, patient: boolean): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt++) {
      const url = new URL("/v2/", this.base());
      try {
        const answer = await sendFollowing(this.transport, operation, { method: "GET", url, trust: this.trustFor(url), signal: wait.signal }, this.trustFor);
        // Trouble here is left to the request that follows, which knows how to wait.
        return answer;
      } catch (error) {
        if (!(error instanceof TransportError) || !error.transient || !patient || attempt >= this.#options.retry.attempts) throw error;
        const delayMs = backoffMs(this.#options.retry, attempt);
        wait.onProgress?.({ kind: "retry", host: this.host, attempt: attempt + 1, delayMs, reason: error.message });
        await delay(delayMs, wait.signal);
      }
    }
  }
}

function unreachableError(operation: Operation, error: TransportError, attempts: number): SampanError {
  const tried = attempts > 1 ? ` (${attempts} attempts)` : "";
  return cannot(operation, "unavailable", `${error.message}${tried}`, { code: error.transient ? error.code : "UNREACHABLE", hint: error.hint, cause: error });
}

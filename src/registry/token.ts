import { parseChallenges, type Challenge } from "./challenge.ts";
import { cannot, cleanText, parseErrorBody, type Operation } from "./failure.ts";
import { isLoopback } from "./hosts.ts";
import { Once } from "./once.ts";
import { readDocument, sendFollowing, type Target } from "./redirect.ts";
import type { Credential } from "./types.ts";

/** Tokens live at least this long unless the server says otherwise (distribution token specification). */
const TOKEN_LIFE_DEFAULT_S = 60;
/** Renewed this long before their end, so that none ends on the way; short ones at half their life. */
const TOKEN_MARGIN_S = 10;
const TOKEN_BYTES_MAX = 1024 * 1024;

export interface TokenAnswer {
  readonly token: string;
  readonly refreshToken: string | undefined;
  readonly renewAtMs: number;
}

export interface AuthorizerOptions {
  readonly target: Target;
  /** Looked up once, when the registry first asks for it. */
  readonly credential: (signal: AbortSignal | undefined) => Promise<Credential | undefined>;
  /** True if this registry may be spoken to without verified TLS; then so may a token server on the same host. */
  readonly insecure: boolean;
}

/**
 * Answers one registry's challenges. Keeps a token per scope. Credentials go to the registry itself (Basic) or to the
 * token server that it names (Bearer), never further: redirects to another origin are followed without them.
 */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #tokens = new Map<string, Once<TokenAnswer>>();
  #challenge: Challenge | undefined;
  readonly #credential = new Once<Credential | undefined>();

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** Takes in the WWW-Authenticate of a 401; returns false if it names no way that we know. */
  learn(header: string | undefined): boolean {
    const challenges = parseChallenges(header);
    const found = challenges.find(({ scheme }) => scheme === "bearer") ?? challenges.find(({ scheme }) => scheme === "basic");
    if (found !== undefined) this.#challenge = found;
    return found !== undefined;
  }

  /** The scope that the last challenge asked for, if any. */
  get challengedScope(): string | undefined {
    return this.#challenge?.parameters.get("scope");
  }

  /** The value of Authorization for a request that needs `scopes`, or undefined. */
  async header(scopes: readonly string[], operation: Operation, signal: AbortSignal | undefined): Promise<string | undefined> {
    const challenge = this.#challenge;
    if (challenge === undefined) return undefined;
    const credential = await this.#credential.get(() => this.#options.credential(signal), signal);
    if (credential?.kind === "registry-token") return `Bearer ${headerSafe(credential.token, operation)}`;
    if (challenge.scheme === "basic") return credential?.kind === "password" ? basic(credential) : undefined;
    const key = scopes.join(" ");
    const ask = (): Promise<TokenAnswer> => this.#ask(challenge, scopes, credential, operation, signal, false);
    const kept = this.#tokens.get(key) ?? new Once<TokenAnswer>();
    this.#tokens.set(key, kept);
    const answer = await kept.get(ask, signal);
    if (answer.renewAtMs > Date.now()) return `Bearer ${answer.token}`;
    const fresh = new Once<TokenAnswer>();
    if (this.#tokens.get(key) === kept) this.#tokens.set(key, fresh);
    return `Bearer ${(await (this.#tokens.get(key) ?? fresh).get(ask, signal)).token}`;
  }

  /** Forgets the tokens: the registry did not accept one. */
  forget(): void {
    this.#tokens.clear();
  }

  /** For login: exchanges the credential for a token, and for a refresh token where the server gives one. */
  async exchange(
    credential: Credential,
    operation: Operation,
    signal: AbortSignal | undefined,
  ): Promise<{ authorization: string | undefined; identityToken: string | undefined }> {
    if (credential.kind === "registry-token") return { authorization: `Bearer ${headerSafe(credential.token, operation)}`, identityToken: undefined };
    if (this.#challenge === undefined) return { authorization: undefined, identityToken: undefined };
    if (this.#challenge.scheme === "basic") return { authorization: credential.kind === "password" ? basic(credential) : undefined, identityToken: undefined };
    const answer = await this.#ask(this.#challenge, [], credential, operation, signal, true);
    return { authorization: `Bearer ${answer.token}`, identityToken: answer.refreshToken };
  }

  async #ask(
    challenge: Challenge,
    scopes: readonly string[],
    credential: Credential | undefined,
    operation: Operation,
    signal: AbortSignal | undefined,
    offline: boolean,
  ): Promise<TokenAnswer> {
    const realm = this.#realm(challenge, operation);
    const service = challenge.parameters.get("service");
    const body = new URLSearchParams();
    const query = credential?.kind === "identity-token" ? body : realm.searchParams;
    if (service !== undefined) query.set("service", service);
    if (credential?.kind === "identity-token") {
      body.set("grant_type", "refresh_token");
      body.set("refresh_token", credential.token);
      body.set("client_id", "sampan");
      if (scopes.length > 0) body.set("scope", scopes.join(" "));
    } else {
      for (const scope of scopes) query.append("scope", scope);
      if (credential?.kind === "password") query.set("account", credential.username);
      if (offline) {
        query.set("offline_token", "true");
        query.set("client_id", "sampan");
      }
    }
    const post = credential?.kind === "identity-token";
    const response = await sendFollowing(this.#options.target.transport, operation, {
      method: post ? "POST" : "GET",
      url: realm,
      headers: {
        accept: "application/json",
        ...(post ? { "content-type": "application/x-www-form-urlencoded" } : {}),
        ...(credential?.kind === "password" ? { authorization: basic(credential) } : {}),
      },
      body: post ? new TextEncoder().encode(body.toString()) : undefined,
      trust: this.#options.target.trustFor(realm),
      signal,
    }, this.#options.target.trustFor);
    const text = new TextDecoder().decode(await readDocument(response, TOKEN_BYTES_MAX, operation, this.#options.target.transport.timeouts, signal));
    if (response.status !== 200) return refused(operation, response.status, text, realm, credential !== undefined, this.#options.target.host);
    return parseToken(text, operation, realm);
  }

  /**
   * The token server may be anybody (Docker Hub's is auth.docker.io), but it is asked over verified TLS. Plain HTTP is
   * for a registry that is itself on loopback or insecure, on its own host; and only a registry on loopback may send us
   * to loopback, for a stranger's words must not make us call on local services.
   */
  #realm(challenge: Challenge, operation: Operation): URL {
    const text = challenge.parameters.get("realm") ?? "";
    const { host } = this.#options.target;
    const refuse = (reason: string): never => {
      throw cannot(operation, "denied", `${host} names the token server ${JSON.stringify(cleanText(text, 200))}, ${reason}`, { code: "TOKEN_REALM_REFUSED" });
    };
    if (!URL.canParse(text)) return refuse("which is not a URL");
    const realm = new URL(text);
    const registry = this.#options.target.base();
    if (realm.username !== "" || realm.password !== "") refuse("which carries a user of its own");
    if (isLoopback(realm.host) && !isLoopback(registry.host)) refuse("which is on this machine");
    if (realm.protocol === "https:") return realm;
    const near = isLoopback(realm.host) || (this.#options.insecure && realm.hostname === registry.hostname);
    if (realm.protocol !== "http:" || !near || registry.protocol !== "http:") refuse("which is not asked over TLS");
    return realm;
  }
}

function basic(credential: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`, "utf8").toString("base64")}`;
}

/** A token goes into a header: nothing but visible ASCII (RFC 6750 section 2.1 allows fewer still). */
function headerSafe(token: string, operation: Operation): string {
  if (/^[\x21-\x7e]{1,65536}$/.test(token)) return token;
  throw cannot(operation, "invalid", "the token is not one that a header can hold", { code: "TOKEN_INVALID" });
}

function parseToken(text: string, operation: Operation, realm: URL): TokenAnswer {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  // an object by the check before
  const field = (name: string): unknown =>
    (typeof value === "object" && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined);
  const given = [field("token"), field("access_token")].find((it) => typeof it === "string" && it !== "");
  if (typeof given !== "string") throw cannot(operation, "invalid", `the token server ${realm.host} gave no token`, { code: "TOKEN_INVALID" });
  const seconds = field("expires_in");
  const life = typeof seconds === "number" && Number.isFinite(seconds) && seconds > 0 ? seconds : TOKEN_LIFE_DEFAULT_S;
  const refresh = field("refresh_token");
  // Counted from now, not from `issued_at`: the clocks need not agree.
  return {
    token: headerSafe(given, operation),
    refreshToken: typeof refresh === "string" && refresh !== "" ? refresh : undefined,
    renewAtMs: Date.now() + Math.max(life - TOKEN_MARGIN_S, life / 2) * 1000,
  };
}

function refused(operation: Operation, status: number, text: string, realm: URL, known: boolean, host: string): never {
  const body = parseErrorBody(text);
  if (status === 401 || status === 403) {
    const why = known ? "unauthorized: incorrect username or password" : "unauthorized: authentication required";
    const hint = `sampan login ${host}`;
    if (operation.verb === "pull") {
      throw cannot(
        operation,
        "denied",
        `pull access denied for ${operation.repository ?? operation.name}, repository does not exist or may require "sampan login": ${why}`,
        { code: "UNAUTHORIZED", hint },
      );
    }
    throw cannot(operation, "denied", why, { code: "UNAUTHORIZED", hint });
  }
  if (status === 429)
    throw cannot(
      operation,
      "unavailable",
      `toomanyrequests: ${body.message ?? `the token server ${realm.host} limits how often it may be asked`}`,
      { code: "TOOMANYREQUESTS" },
    );
  throw cannot(
    operation,
    "unavailable",
    `the token server ${realm.host} answered with status ${status}${body.message === undefined ? "" : `: ${body.message}`}`,
    { code: `HTTP_${status}` },
  );
}

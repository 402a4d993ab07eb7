import type { IncomingMessage, ServerResponse } from "node:http";
import { endless } from "./serve.ts";
import { fail, json, readAll, type RegistryState } from "./registry.ts";

export interface RegistryAuth {
  readonly kind: "basic" | "token";
  readonly username: string;
  readonly password: string;
  /** Token: anyone may pull. */
  readonly anonymousPull?: boolean;
  /** Token: given to those who ask for offline access, and accepted in place of the password. */
  readonly refreshToken?: string;
  /** Seconds; default 300. */
  readonly expiresIn?: number;
}

/** A token that says what it is good for: the tests can read it. */
const tokenFor = (scopes: readonly string[]): string => `t.${Buffer.from(scopes.join(" ")).toString("base64url")}`;
const scopesOf = (token: string): string[] => Buffer.from(token.slice(2), "base64url").toString().split(" ");

function isBasic(auth: RegistryAuth, header: string | undefined): boolean {
  return header === `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}`;
}

/** Answers 401 and returns false unless the request may go on. */
export function authorized(state: RegistryState, request: IncomingMessage, response: ServerResponse, url: URL): boolean {
  const { auth } = state;
  if (auth === undefined) return true;
  const header = request.headers.authorization;
  if (auth.kind === "basic") {
    if (isBasic(auth, header)) return true;
    fail(response, 401, "UNAUTHORIZED", "authentication required", { "www-authenticate": `Basic realm="test"` });
    request.resume();
    return false;
  }
  const repository = /^\/v2\/(.+)\/(?:manifests|blobs|tags)\//.exec(url.pathname)?.[1];
  const action = request.method === "GET" || request.method === "HEAD" ? "pull" : "push";
  const needed = url.pathname === "/v2/_catalog" ? "registry:catalog:*" : repository === undefined ? undefined : `repository:${repository}:${action === "push" ? "pull,push" : "pull"}`;
  const token = header?.startsWith("Bearer t.") === true ? scopesOf(header.slice("Bearer ".length)) : undefined;
  if (token !== undefined && (needed === undefined || token.includes(needed) || (action === "pull" && token.includes(`repository:${repository ?? ""}:pull,push`)))) return true;
  const scope = needed === undefined ? "" : `,scope="${needed}"`;
  fail(response, 401, "UNAUTHORIZED", "authentication required", { "www-authenticate": `Bearer realm="${state.hostile.realm ?? `${state.url}/token`}",service="test"${scope}` });
  request.resume();
  return false;
}

export async function answerToken(state: RegistryState, request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const { auth } = state;
  const form = new URLSearchParams((await readAll(request)).toString());
  if (state.hostile.endless === "token") return endless(response, "application/json");
  if (state.hostile.tokenBody !== undefined) {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(state.hostile.tokenBody);
    return;
  }
  const scopes = [...url.searchParams.getAll("scope"), ...(form.get("scope") ?? "").split(" ")].filter((scope) => scope !== "");
  const byRefresh = request.method === "POST" && auth?.refreshToken !== undefined && form.get("refresh_token") === auth.refreshToken;
  const known = auth === undefined || byRefresh || isBasic(auth, request.headers.authorization);
  const pullOnly = scopes.length > 0 && scopes.every((scope) => scope.endsWith(":pull"));
  const anonymous = request.headers.authorization === undefined && request.method === "GET" && auth?.anonymousPull === true && pullOnly;
  if (!known && !anonymous) return fail(response, 401, "UNAUTHORIZED", "who are you?");
  const refresh = url.searchParams.get("offline_token") === "true" && auth?.refreshToken !== undefined ? { refresh_token: auth.refreshToken } : {};
  json(response, { token: tokenFor(scopes), expires_in: auth?.expiresIn ?? 300, ...refresh });
}

import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { digestOf, type Digest } from "../../../src/oci/index.ts";
import { answerToken, authorized, type RegistryAuth } from "./auth.ts";
import type { Hostile } from "./hostile.ts";
import { sendBlob, sendManifest } from "./serve.ts";
import { handleUpload, type Upload } from "./uploads.ts";

export type { RegistryAuth } from "./auth.ts";

export interface RecordedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface StoredManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

export interface TestRegistry extends AsyncDisposable {
  /** "127.0.0.1:port": the domain of references to it. */
  readonly host: string;
  readonly url: string;
  readonly requests: RecordedRequest[];
  readonly hostile: Hostile;
  readonly blobs: Map<string, Map<Digest, Uint8Array>>;
  readonly manifests: Map<string, Map<string, StoredManifest>>;
  readonly uploads: Map<string, Upload>;
  addBlob(repository: string, bytes: Uint8Array): Digest;
  addManifest(repository: string, bytes: Uint8Array, mediaType: string, tag?: string): Digest;
  /** Requests whose "METHOD /url" matches. */
  count(pattern: RegExp): number;
}

export interface RegistryState extends Omit<TestRegistry, keyof AsyncDisposable> {
  readonly auth: RegistryAuth | undefined;
}

/** Starts one on a free port of 127.0.0.1. */
export async function startRegistry(options: { auth?: RegistryAuth; tls?: { key: string; cert: string } } = {}): Promise<TestRegistry> {
  const blobs: RegistryState["blobs"] = new Map();
  const manifests: RegistryState["manifests"] = new Map();
  const state: RegistryState & { host: string; url: string } = {
    host: "", url: "", requests: [], hostile: { failNext: [] }, blobs, manifests, uploads: new Map(), auth: options.auth,
    addBlob(repository, bytes) {
      const digest = digestOf(bytes);
      child(blobs, repository).set(digest, bytes);
      return digest;
    },
    addManifest(repository, bytes, mediaType, tag) {
      const digest = digestOf(bytes);
      for (const name of tag === undefined ? [digest] : [digest, tag]) child(manifests, repository).set(name, { bytes, mediaType });
      return digest;
    },
    count: (pattern) => state.requests.filter(({ method, url }) => pattern.test(`${method} ${url}`)).length,
  };
  const listener: RequestListener = (request, response) => {
    state.requests.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers });
    // A client that goes away in the middle is what many tests are about.
    handle(state, request, response).catch(() => response.destroy());
  };
  const server: Server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  state.host = `127.0.0.1:${address.port}`;
  state.url = `${options.tls === undefined ? "http" : "https"}://${state.host}`;
  return Object.assign(state, {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

export function child<V>(map: Map<string, Map<string, V>>, key: string): Map<string, V>;
export function child<V>(map: Map<string, Map<Digest, V>>, key: string): Map<Digest, V>;
export function child<V>(map: Map<string, Map<string, V>>, key: string): Map<string, V> {
  const inner = map.get(key) ?? new Map<string, V>();
  map.set(key, inner);
  return inner;
}

export function fail(response: ServerResponse, status: number, code: string, message: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}

export function json(response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(200, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(value));
}

async function handle(state: RegistryState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", state.url);
  const method = request.method ?? "GET";
  response.setHeader("docker-distribution-api-version", "registry/2.0");
  const fault = state.hostile.failNext.find((it) => it.path.test(url.pathname) && (it.method ?? method) === method && (it.times ?? 1) > 0);
  if (fault !== undefined) {
    fault.times = (fault.times ?? 1) - 1;
    request.resume();
    return fail(response, fault.status, fault.status === 429 ? "TOOMANYREQUESTS" : "UNAVAILABLE", "not now", fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter });
  }
  if (url.pathname === "/token") return answerToken(state, request, response, url);
  if (!authorized(state, request, response, url)) return;
  if (url.pathname === "/v2/") return json(response, {});
  if (url.pathname === "/v1/search" && state.hostile.searchAnswer !== undefined) return json(response, state.hostile.searchAnswer);
  if (url.pathname === "/v1/search") return fail(response, 404, "UNSUPPORTED", "no search");
  if (url.pathname === "/v2/_catalog") return json(response, { repositories: [...state.manifests.keys()].sort() });
  const match = /^\/v2\/(.+)\/(manifests|blobs|tags)\/(.*)$/.exec(url.pathname.replace("/blobs/uploads/", "/blobs/uploads%2F"));
  if (match === null) return fail(response, 404, "NOT_FOUND", "no such thing");
  const [, repository = "", kind = "", name = ""] = match;
  if (kind === "tags") return sendTags(state, response, url, repository);
  if (kind === "manifests" && method === "PUT") return putManifest(state, request, response, repository, name);
  if (kind === "manifests") return sendManifest(state, request, response, repository, name);
  if (name.startsWith("uploads%2F")) return handleUpload(state, request, response, url, repository, name.slice("uploads%2F".length));
  return sendBlob(state, request, response, repository, name);
}

/** Two at a time, so that following pages is tested with three. */
function sendTags(state: RegistryState, response: ServerResponse, url: URL, repository: string): void {
  const all = state.manifests.get(repository);
  if (all === undefined) return fail(response, 404, "NAME_UNKNOWN", "repository name not known to registry");
  const tags = [...all.keys()].filter((name) => !name.includes(":")).sort();
  const last = url.searchParams.get("last") ?? "";
  const page = tags.filter((tag) => tag > last).slice(0, 2);
  const more = state.hostile.nextPage ?? (tags.at(-1) === page.at(-1) ? undefined : `/v2/${repository}/tags/list?last=${page.at(-1) ?? ""}`);
  json(response, { name: repository, tags: page }, more === undefined ? {} : { link: `<${more}>; rel="next"` });
}

export async function readAll(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) parts.push(chunk); // no encoding is set: Buffers
  return Buffer.concat(parts);
}

async function putManifest(state: RegistryState, request: IncomingMessage, response: ServerResponse, repository: string, name: string): Promise<void> {
  const bytes = await readAll(request);
  const digest = state.addManifest(repository, bytes, request.headers["content-type"] ?? "", name.includes(":") ? undefined : name);
  if (name.includes(":") && name !== String(digest)) return fail(response, 400, "DIGEST_INVALID", "provided digest did not match uploaded content");
  response.writeHead(201, { location: `/v2/${repository}/manifests/${digest}`, "docker-content-digest": state.hostile.digestHeader ?? digest });
  response.end();
}

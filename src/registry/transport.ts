import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { Duplex } from "node:stream";
import type { ConnectionOptions } from "node:tls";
import { TransportError, transportError } from "./failure.ts";
import { hostnameOf } from "./hosts.ts";
import { proxyAuthorization, proxyFor, type Environment } from "./proxy.ts";
import { cancelled, throwIfCancelled } from "./retry.ts";

export interface Timeouts {
  /** From the end of a request to the head of its answer, connecting included. */
  readonly headerMs: number;
  /** Between two pieces of a body, while we wait for one. */
  readonly idleMs: number;
  /** For the whole of a small body (manifests, tokens, errors). */
  readonly documentMs: number;
}

export const DEFAULT_TIMEOUTS: Timeouts = { headerMs: 30_000, idleMs: 30_000, documentMs: 60_000 };

/** How far to trust the other end of a TLS connection. */
export interface TlsTrust {
  readonly verify: boolean;
  /** PEM of further authorities, beside the system's. */
  readonly ca?: string | undefined;
}

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | { readonly length: number; readonly bytes: AsyncIterable<Uint8Array> } | undefined;
  readonly trust: TlsTrust;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly url: URL;
  /** By lower-case name; several of one name are joined with ", ". */
  header(name: string): string | undefined;
  /** The body, once; throws `TransportError` when it breaks off and `cancelled` when asked to. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of a body that nobody wants. */
  discard(): void;
}

/**
 * One HTTP/1.1 exchange at a time over node:http(s), which Bun and Node share: no redirects, no retries, no decoding of
 * bodies, no cookies. Connections are kept and reused until the transport is closed.
 */
export class Transport {
  readonly #env: Environment;
  readonly timeouts: Timeouts;
  readonly #agents = new Map<string, Promise<Agent>>();

  constructor(options: { env: Environment; timeouts?: Timeouts | undefined }) {
    this.#env = options.env;
    this.timeouts = options.timeouts ?? DEFAULT_TIMEOUTS;
  }

  /** Sends a request and waits for the head of the answer. Throws `TransportError`, or `cancelled`. */
  async request(request: HttpRequest): Promise<HttpResponse> {
    throwIfCancelled(request.signal);
    const { url } = request;
    const proxy = proxyFor(url, this.#env);
    const where = proxy === undefined ? url.host : `${url.host} (by proxy ${proxy.host})`;
    const agent = await this.#agent(url, request.trust, proxy);
    const headers: Record<string, string> = { host: url.host, "user-agent": "sampan", "accept-encoding": "identity", ...request.headers };
    const length = request.body?.length ?? (request.method === "GET" || request.method === "HEAD" ? undefined : 0);
    if (length !== undefined) headers["content-length"] = String(length);
    const options: RequestOptions = {
      method: request.method, headers, agent, host: hostnameOf(url.host), port: url.port === "" ? undefined : url.port,
      path: url.pathname + url.search,
    };
    const plainProxy = url.protocol === "http:" ? proxy : undefined;
    if (plainProxy !== undefined) {
      // RFC 9112 section 3.2.2: a proxy is asked for the absolute form.
      Object.assign(options, { host: plainProxy.hostname, port: plainProxy.port, path: url.href });
      const authorization = proxyAuthorization(plainProxy);
      if (authorization !== undefined) headers["proxy-authorization"] = authorization;
    }
    const secure = plainProxy === undefined ? url.protocol === "https:" : plainProxy.protocol === "https:";
    const { request: open } = secure ? await import("node:https") : await import("node:http");
    try {
      const { message, clientRequest } = await exchange(open(options), request, this.timeouts);
      return responseOf(message, clientRequest, request, where, this.timeouts);
    } catch (error) {
      if (request.signal?.aborted === true) throw cancelled(request.signal);
      // What the source of the body throws is not the connection's fault and passes unchanged.
      if (error instanceof SourceFailure) throw error.cause;
      throw transportError(error, where);
    }
  }

  /** Closes the connections that are kept. */
  async close(): Promise<void> {
    for (const agent of this.#agents.values()) (await agent).destroy();
    this.#agents.clear();
  }

  #agent(url: URL, trust: TlsTrust, proxy: URL | undefined): Promise<Agent> {
    const key = [url.protocol, trust.verify, trust.ca ?? "", proxy?.href ?? ""].join("\n");
    const agent = this.#agents.get(key) ?? createAgent(url, trust, proxy, this.timeouts);
    this.#agents.set(key, agent);
    return agent;
  }
}

async function createAgent(url: URL, trust: TlsTrust, proxy: URL | undefined, timeouts: Timeouts): Promise<Agent> {
  const secure = url.protocol === "https:" || (proxy !== undefined && proxy.protocol === "https:");
  if (!secure) return new (await import("node:http")).Agent({ keepAlive: true });
  const https = await import("node:https");
  const { connect, rootCertificates } = await import("node:tls");
  // Bun's types and Node's both declare `connect`; this is the form that they share.
  const secureOver: (options: ConnectionOptions) => Duplex = connect;
  const options = { keepAlive: true, rejectUnauthorized: trust.verify, ...(trust.ca === undefined ? {} : { ca: [...rootCertificates, trust.ca] }) };
  if (proxy === undefined || url.protocol === "http:") return new https.Agent(options);
  const { isIP } = await import("node:net");
  class TunnelAgent extends https.Agent {
    override createConnection(to: RequestOptions, done?: (error: Error | null, socket: Duplex) => void): undefined {
      const host = to.host ?? "";
      const target = `${host.includes(":") ? `[${host}]` : host}:${to.port ?? 443}`;
      openTunnel(proxy as URL, target, timeouts).then( // narrowed above; a class body does not see it
        // RFC 6066 section 3: an address is no server name.
        (socket) => {
          done?.(null, secureOver({ ...options, ...(isIP(host) === 0 ? { servername: host } : {}), socket }));
        },
        // The callback's second parameter exists only on success (node:http, agent.createConnection).
        (error: unknown) => done?.(transportError(error, `${target} (by proxy ${(proxy as URL).host})`), undefined as unknown as Duplex),
      );
      return undefined;
    }
  }
  return new TunnelAgent(options);
}

/** RFC 9110 section 9.3.6. The proxy sees which host is asked, and nothing else. */
async function openTunnel(proxy: URL, target: string, timeouts: Timeouts): Promise<Duplex> {
  const { request } = proxy.protocol === "https:" ? await import("node:https") : await import("node:http");
  const authorization = proxyAuthorization(proxy);
  const headers = { host: target, ...(authorization === undefined ? {} : { "proxy-authorization": authorization }) };
  return new Promise((resolve, reject) => {
    const connect = request({ host: hostnameOf(proxy.host), port: proxy.port, method: "CONNECT", path: target, headers, agent: false });
    const timer = setTimeout(
      () => connect.destroy(new TransportError(`the proxy ${proxy.host} did not answer in time`, "ETIMEDOUT", { transient: true })),
      timeouts.headerMs,
    );
    connect.on("connect", (answer, socket) => {
      clearTimeout(timer);
      if (answer.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new TransportError(`the proxy ${proxy.host} refused to connect to ${target} (status ${answer.statusCode ?? 0})`, "EPROXY", { transient: false }));
    });
    connect.on("error", (error) => {
      clearTimeout(timer);
      reject(transportError(error, `the proxy ${proxy.host}`));
    });
    connect.end();
  });
}

/** Wraps what the caller's own body source threw, to tell it from the connection's errors. */
class SourceFailure extends Error {}

/** Sends the body, waits for the answer's head, and gives up when neither moves for too long. */
function exchange(clientRequest: ClientRequest, request: HttpRequest, timeouts: Timeouts): Promise<{ message: IncomingMessage; clientRequest: ClientRequest }> {
  return new Promise((resolve, reject) => {
    let answered = false;
    const timer = setTimeout(() => clientRequest.destroy(Object.assign(new Error("timed out"), { code: "ETIMEDOUT" })), timeouts.headerMs);
    const onAbort = (): void => void clientRequest.destroy(cancelled(request.signal));
    request.signal?.addEventListener("abort", onAbort, { once: true });
    const settled = new Promise<void>((settle) => {
      const leave = (): void => {
        clearTimeout(timer);
        answered = true;
        settle();
      };
      clientRequest.once("response", (message) => {
        leave();
        message.once("close", () => request.signal?.removeEventListener("abort", onAbort));
        resolve({ message, clientRequest });
      });
      clientRequest.on("error", (error) => {
        leave();
        request.signal?.removeEventListener("abort", onAbort);
        reject(error);
      });
    });
    const { body } = request;
    if (body === undefined || body instanceof Uint8Array) {
      clientRequest.end(body);
      return;
    }
    const send = async (): Promise<void> => {
      for await (const chunk of body.bytes) {
        // An answer before the end is a refusal, or a connection that is gone: the rest is not wanted.
        if (answered) return;
        if (!clientRequest.write(chunk)) await Promise.race([settled, new Promise<void>((drained) => clientRequest.once("drain", drained))]);
        timer.refresh();
      }
      if (!answered) clientRequest.end();
    };
    send().catch((cause: unknown) => {
      clientRequest.destroy();
      reject(new SourceFailure("body", { cause }));
    });
  });
}

function responseOf(message: IncomingMessage, clientRequest: ClientRequest, request: HttpRequest, where: string, timeouts: Timeouts): HttpResponse {
  return {
    status: message.statusCode ?? 0,
    url: request.url,
    header: (name) => {
      const value = message.headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    },
    body: bodyOf(message, request.signal, where, timeouts.idleMs),
    discard: () => {
      // A HEAD has no body, and what has ended already leaves its connection for the next request; but not where the
      // server answered before it had all of ours.
      if (clientRequest.writableEnded && (request.method === "HEAD" || message.complete || message.headers["content-length"] === "0")) message.resume();
      else clientRequest.destroy();
    },
  };
}

async function* bodyOf(message: IncomingMessage, signal: AbortSignal | undefined, where: string, idleMs: number): AsyncGenerator<Uint8Array, void, undefined> {
  let waiting = true;
  let timedOut = false;
  const timer = setTimeout(() => {
    // Time that the reader takes is not time that the server takes.
    if (!waiting) return void timer.refresh();
    timedOut = true;
    message.destroy();
  }, idleMs);
  try {
    // A stream's chunks are unknown to the type system; without an encoding they are Buffers (node:stream).
    for await (const chunk of message as AsyncIterable<Uint8Array>) {
      waiting = false;
      yield chunk;
      waiting = true;
      timer.refresh();
    }
    // Bun ends the iteration without an error when its own side destroyed the stream.
    if (timedOut || signal?.aborted === true) throw new Error("destroyed");
  } catch (error) {
    if (signal?.aborted === true) throw cancelled(signal);
    throw timedOut ? new TransportError(`${where} stopped sending`, "ETIMEDOUT", { transient: true }) : transportError(error, where);
  } finally {
    clearTimeout(timer);
    if (!message.complete) message.destroy();
  }
}

import type { SampanError } from "../base/index.ts";
import { cannot, cleanText, TransportError, type Operation } from "./failure.ts";
import { cancelled } from "./retry.ts";
import type { HttpRequest, HttpResponse, Timeouts, TlsTrust, Transport } from "./transport.ts";

const REDIRECTS_MAX = 5;

/** Where a registry is, and how it and its helpers are to be spoken to. */
export interface Target {
  /** host[:port], for messages. */
  readonly host: string;
  readonly transport: Transport;
  /** The scheme and host that turned out to answer. */
  base(): URL;
  /** How far to trust the host of a URL: the registry's own settings for its own host, full verification elsewhere. */
  readonly trustFor: (url: URL) => TlsTrust;
}

/**
 * Sends a request and follows redirects of GET and HEAD. Authorization goes only to the origin it was made for
 * (RFC 9110 section 15.4), and a redirect from TLS to plain HTTP
 * is refused. Uploads are not redirected: their answer is returned as it is. Throws `denied`, `TransportError`, `cancelled`.
 */
export async function sendFollowing(transport: Transport, operation: Operation, request: HttpRequest, trustFor: (url: URL) => TlsTrust): Promise<HttpResponse> {
  let current = request;
  for (let hops = 0; ; hops++) {
    const response = await transport.request(current);
    const location = response.header("location");
    const followable = [301, 302, 303, 307, 308].includes(response.status) && (current.method === "GET" || current.method === "HEAD");
    if (!followable || location === undefined) return response;
    response.discard();
    const refuse = (reason: string): SampanError =>
      cannot(operation, "denied", `${current.url.host} redirects to ${JSON.stringify(cleanText(location, 200))}, ${reason}`, { code: "REDIRECT_REFUSED" });
    if (!URL.canParse(location, current.url.href)) throw refuse("which is not a URL");
    if (hops === REDIRECTS_MAX) throw refuse(`which is one redirect more than the ${REDIRECTS_MAX} allowed`);
    const url = new URL(location, current.url);
    if (url.protocol !== "https:" && (url.protocol !== "http:" || current.url.protocol === "https:")) throw refuse("which is not over TLS");
    if (url.username !== "" || url.password !== "") throw refuse("which carries a user");
    const { authorization, ...others } = current.headers ?? {};
    const keep = url.origin === current.url.origin && authorization !== undefined;
    current = { ...current, url, headers: keep ? { ...others, authorization } : others, trust: trustFor(url) };
  }
}

/**
 * Reads a small body whole, within `maxBytes` and the time for a document. Throws `invalid` (code "TOO_LARGE"),
 * `TransportError`, `cancelled`.
 */
export async function readDocument(
  response: HttpResponse,
  maxBytes: number,
  operation: Operation,
  timeouts: Timeouts,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const tooLarge = (): SampanError => cannot(operation, "invalid", `${response.url.host} sends more than the ${maxBytes} bytes allowed`, { code: "TOO_LARGE" });
  if (Number(response.header("content-length") ?? 0) > maxBytes) {
    response.discard();
    throw tooLarge();
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  let late = false;
  // A server that sends a byte now and then is never idle; a document has to end some time.
  const timer = setTimeout(() => {
    late = true;
    response.discard();
  }, timeouts.documentMs);
  try {
    for await (const chunk of response.body) {
      length += chunk.length;
      if (length > maxBytes) throw tooLarge();
      parts.push(chunk);
    }
  } catch (error) {
    if (signal?.aborted === true) throw cancelled(signal);
    if (late) throw new TransportError(`${response.url.host} takes too long to send its answer`, "ETIMEDOUT", { transient: true, cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(parts, length);
}

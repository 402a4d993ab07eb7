import type { IncomingMessage, ServerResponse } from "node:http";
import { digestOf, isDigest } from "../../../src/oci/index.ts";
import { fail, type RegistryState } from "./registry.ts";

/** Sends until the other side has had enough. */
export function endless(response: ServerResponse, type: string, status = 200): void {
  response.writeHead(status, { "content-type": type });
  const chunk = Buffer.alloc(256 * 1024, "x");
  const more = (): void => {
    for (let i = 0; i < 16 && !response.destroyed; i++) if (!response.write(chunk)) return void response.once("drain", more);
    setImmediate(more);
  };
  response.on("error", () => undefined);
  response.on("close", () => response.removeAllListeners("drain"));
  more();
}

export async function sendManifest(state: RegistryState, request: IncomingMessage, response: ServerResponse, repository: string, name: string): Promise<void> {
  const { hostile } = state;
  if (hostile.redirectManifests !== undefined) {
    response.writeHead(307, { location: hostile.redirectManifests });
    response.end();
    return;
  }
  if (hostile.endless === "error") return endless(response, "text/plain", 404);
  const found = state.manifests.get(repository)?.get(name);
  if (found === undefined) return fail(response, 404, "MANIFEST_UNKNOWN", "manifest unknown");
  if (request.method === "HEAD" && hostile.noHead === true) return fail(response, 405, "UNSUPPORTED", "no HEAD");
  if (hostile.hang === "manifest" && request.method === "GET") return;
  if (hostile.endless === "manifest" && request.method === "GET") return endless(response, found.mediaType);
  const bytes = hostile.manifestBytes ?? found.bytes;
  const digest = hostile.digestHeader ?? digestOf(bytes);
  response.writeHead(200, { "content-type": hostile.manifestType ?? found.mediaType, "content-length": String(bytes.length), ...(digest === "" ? {} : { "docker-content-digest": digest }) });
  if (hostile.dripMs !== undefined && request.method === "GET") {
    for (const byte of bytes) {
      if (response.destroyed) return;
      response.write(Uint8Array.of(byte));
      await new Promise((resolve) => setTimeout(resolve, hostile.dripMs));
    }
  }
  response.end(request.method === "HEAD" || hostile.dripMs !== undefined ? undefined : bytes);
}

export async function sendBlob(state: RegistryState, request: IncomingMessage, response: ServerResponse, repository: string, name: string): Promise<void> {
  const { hostile } = state;
  const honest = isDigest(name) ? state.blobs.get(repository)?.get(name) : undefined;
  if (honest === undefined) return fail(response, 404, "BLOB_UNKNOWN", "blob unknown to registry");
  if (hostile.redirectBlobs !== undefined && request.method === "GET") {
    response.writeHead(307, { location: hostile.redirectBlobs.replace("%s", name) });
    response.end();
    return;
  }
  if (request.method === "HEAD") {
    response.writeHead(200, { "content-length": String(honest.length), "docker-content-digest": name });
    response.end();
    return;
  }
  if (hostile.late?.digest === name) await hostile.late.until;
  if (hostile.endless === "blob") return endless(response, "application/octet-stream");
  const bytes = hostile.blobBytes?.(honest) ?? honest;
  const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  const start = asked === null || hostile.noRange === true ? 0 : Number(asked[1]);
  if (start > 0 && start >= bytes.length) return fail(response, 416, "RANGE_INVALID", "no such range", { "content-range": `bytes */${bytes.length}` });
  const part = bytes.subarray(start);
  const length = hostile.blobContentLength ?? part.length;
  response.writeHead(start > 0 ? 206 : 200, {
    ...(hostile.blobChunked === true ? {} : { "content-length": String(length) }),
    ...(start > 0 ? { "content-range": `bytes ${hostile.wrongRange === true ? start + 1 : start}-${bytes.length - 1}/${bytes.length}` } : {}),
  });
  const cut = hostile.hang === "blob" || (hostile.breaks ?? 0) > 0 ? hostile.breakAfterBytes : undefined;
  if (cut !== undefined) {
    hostile.breaks = (hostile.breaks ?? 0) - 1;
    response.write(part.subarray(0, cut));
    // Long enough for the bytes to leave before the connection goes.
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (hostile.hang !== "blob") request.socket.destroy();
    return;
  }
  if (hostile.blobContentLength !== undefined) {
    // Past node:http's own checks.
    response.flushHeaders();
    request.socket.end(part);
    return;
  }
  response.end(part);
}

import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { digestOf, digestAlgorithm, parseDigest } from "../../../src/oci/index.ts";
import { fail, type RegistryState } from "./registry.ts";

export interface Upload {
  readonly id: string;
  bytes: Buffer;
}

export async function handleUpload(state: RegistryState, request: IncomingMessage, response: ServerResponse, url: URL, repository: string, id: string): Promise<void> {
  const { hostile } = state;
  const locationOf = (upload: Upload): string => hostile.uploadLocation ?? `/v2/${repository}/blobs/uploads/${upload.id}?state=${upload.bytes.length}`;
  const accepted = (upload: Upload, status: number): void => {
    response.writeHead(status, { location: locationOf(upload), range: `0-${Math.max(upload.bytes.length - 1, 0)}`, "content-length": "0" });
    response.end();
  };
  if (request.method === "POST") {
    request.resume();
    const mount = url.searchParams.get("mount");
    const mounted = mount === null || hostile.noMount === true ? undefined : state.blobs.get(url.searchParams.get("from") ?? "")?.get(parseDigest(mount));
    if (mounted !== undefined) {
      state.addBlob(repository, mounted);
      response.writeHead(201, { location: `/v2/${repository}/blobs/${mount ?? ""}`, "content-length": "0" });
      response.end();
      return;
    }
    const upload = { id: randomUUID(), bytes: Buffer.alloc(0) };
    state.uploads.set(upload.id, upload);
    return accepted(upload, 202);
  }
  const upload = state.uploads.get(id);
  if (upload === undefined) {
    request.resume();
    return fail(response, 404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
  }
  if (request.method === "GET") return accepted(upload, 204);
  if (request.method === "DELETE") {
    state.uploads.delete(id);
    response.writeHead(204);
    response.end();
    return;
  }
  const range = /^(\d+)-(\d+)$/.exec(request.headers["content-range"] ?? "");
  if (range !== null && Number(range[1]) !== upload.bytes.length) {
    request.resume();
    return fail(response, 416, "RANGE_INVALID", "out of order");
  }
  const parts: Buffer[] = [upload.bytes];
  let received = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) { // no encoding is set: Buffers
    parts.push(chunk);
    received += chunk.length;
    if ((hostile.breakUploads ?? 0) > 0 && received >= (hostile.breakUploadAfterBytes ?? 0)) {
      hostile.breakUploads = (hostile.breakUploads ?? 0) - 1;
      upload.bytes = Buffer.concat(parts);
      if (hostile.forgetUploads === true) state.uploads.delete(id);
      request.socket.destroy();
      return;
    }
  }
  upload.bytes = Buffer.concat(parts);
  if (request.method === "PATCH") return accepted(upload, 202);
  const digest = parseDigest(url.searchParams.get("digest") ?? "");
  if (digestOf(upload.bytes, digestAlgorithm(digest)) !== digest) return fail(response, 400, "DIGEST_INVALID", "provided digest did not match uploaded content");
  state.uploads.delete(id);
  state.addBlob(repository, upload.bytes);
  response.writeHead(201, { location: `/v2/${repository}/blobs/${digest}`, "docker-content-digest": digest, "content-length": "0" });
  response.end();
}

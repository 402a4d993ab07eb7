import { SampanError } from "../base/index.ts";
import type { Descriptor } from "../oci/index.ts";
import { cannot, during, TransportError, type Operation } from "./failure.ts";
import { pullScope, type Repository } from "./manifests.ts";
import { backoffMs, delay, type RetryPolicy } from "./retry.ts";
import type { HttpResponse } from "./transport.ts";
import type { BlobOptions } from "./types.ts";
import { BlobVerifier, sizeMismatch } from "./verify.ts";

/** However little each connection brings, there is an end to them. */
const RESUMES_MAX = 30;

/**
 * The bytes of a blob after those its keeper has, from the first repository that has it; a broken connection is taken up again
 * where it broke. Yields at most `descriptor.size` bytes in all and ends without error only if all were right.
 * Never looks at `descriptor.urls` (CVE-2020-15157).
 */
export async function* readBlob(
  repositories: readonly Repository[],
  descriptor: Descriptor,
  operation: Operation,
  retry: RetryPolicy,
  options: BlobOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const verifier = new BlobVerifier(descriptor, options.keeper);
  try {
    for (const [index, repository] of repositories.entries()) {
      if (verifier.remaining === 0) break;
      try {
        yield* readFrom(repository, verifier, descriptor, operation, retry, options);
      } catch (error) {
        const next = repositories[index + 1];
        if (next === undefined || !(error instanceof SampanError) || error.kind === "cancelled") throw error;
        options.onProgress?.({ kind: "fallback", from: repository.session.host, to: next.session.host, reason: error.message });
      }
    }
    verifier.finish();
  } catch (error) {
    throw during(operation, error);
  }
}

async function* readFrom(
  repository: Repository,
  verifier: BlobVerifier,
  descriptor: Descriptor,
  operation: Operation,
  retry: RetryPolicy,
  options: BlobOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { session } = repository;
  let fruitless = 0;
  for (let connection = 1; verifier.remaining > 0; connection++) {
    const before = verifier.bytes;
    const answer = await session.send(
      {
        method: "GET", url: `/v2/${repository.name}/blobs/${descriptor.digest}`, scopes: pullScope(repository), operation,
        accept: [200, 206, 416], about: "blob",
        headers: before > 0 ? { range: `bytes=${before}-` } : {},
      },
      options,
    );
    let reason: string;
    try {
      yield* pass(answer, verifier, descriptor, options);
      if (verifier.remaining === 0) return;
      reason = `${session.host} ended after ${verifier.bytes} of ${descriptor.size} bytes`;
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      // All of it is here; what became of the connection afterwards does not matter.
      if (verifier.remaining === 0) return;
      reason = error.message;
    } finally {
      answer.discard();
    }
    fruitless = verifier.bytes > before ? 0 : fruitless + 1;
    if (fruitless >= retry.attempts - 1 || connection >= RESUMES_MAX) {
      throw cannot(operation, "unavailable", `blob ${descriptor.digest}: ${reason} (${connection} attempts)`, { code: "TRUNCATED" });
    }
    const delayMs = backoffMs(retry, fruitless + 1);
    options.onProgress?.({ kind: "retry", host: session.host, attempt: connection + 1, delayMs, reason });
    await delay(delayMs, options.signal);
  }
}

/** Passes on what is new in one answer. */
async function* pass(answer: HttpResponse, verifier: BlobVerifier, descriptor: Descriptor, options: BlobOptions): AsyncGenerator<Uint8Array, void, undefined> {
  let skip = checkHead(answer, verifier, descriptor);
  for await (let chunk of answer.body) {
    if (skip > 0) {
      // The server does not know ranges and began again: what has been passed on is not passed on twice.
      const dropped = Math.min(skip, chunk.length);
      skip -= dropped;
      chunk = chunk.subarray(dropped);
      if (chunk.length === 0) continue;
    }
    verifier.update(chunk);
    options.onProgress?.({ kind: "transfer", digest: descriptor.digest, doneBytes: verifier.bytes, totalBytes: descriptor.size });
    yield chunk;
  }
}

/** Refuses an answer that announces another size; returns how many of its first bytes are already here. */
function checkHead(answer: HttpResponse, verifier: BlobVerifier, descriptor: Descriptor): number {
  if (answer.status === 416) throw sizeMismatch(descriptor, `the registry has none after the first ${verifier.bytes}`);
  const header = answer.header("content-length");
  const length = header === undefined ? undefined : Number(header);
  if (answer.status === 200) {
    if (length !== undefined && length !== descriptor.size) throw sizeMismatch(descriptor, `the registry announces ${header ?? ""}`);
    return verifier.bytes;
  }
  // RFC 9110 section 14.4: a part is only what it says it is.
  const range = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/.exec(answer.header("content-range") ?? "");
  if (range === null || Number(range[1]) !== verifier.bytes) throw sizeMismatch(descriptor, "the registry sends another part than was asked for");
  if (range[3] !== "*" && Number(range[3]) !== descriptor.size) throw sizeMismatch(descriptor, `the registry announces ${range[3] ?? ""}`);
  return 0;
}

import { SampanError } from "../base/index.ts";
import { digestAlgorithm, type Descriptor } from "../oci/index.ts";
import { cannot, during, TransportError, type Operation } from "./failure.ts";
import type { Repository } from "./manifests.ts";
import { backoffMs, delay, type RetryPolicy } from "./retry.ts";
import type { HttpResponse } from "./transport.ts";
import type { BlobSource, PushBlobOptions, PushOutcome } from "./types.ts";
import { verified } from "./verify.ts";

/** A piece after a failure: small enough that a bad line gets it through. */
const RESUME_CHUNK_BYTES = 16 * 1024 * 1024;

interface Upload {
  readonly repository: Repository;
  readonly descriptor: Descriptor;
  readonly source: BlobSource;
  readonly operation: Operation;
  readonly options: PushBlobOptions;
}

const scopesOf = ({ name }: Repository, from: readonly string[] = []): string[] => [
  `repository:${name}:pull,push`,
  ...from.map((other) => `repository:${other}:pull`),
];

/**
 * Makes sure that the registry has a blob: looks, tries to mount it, else sends it (distribution-spec "Pushing blobs").
 * A broken upload is taken up where the registry says that it stands.
 */
export async function uploadBlob(upload: Upload, retry: RetryPolicy): Promise<PushOutcome> {
  const { repository, descriptor, operation } = upload;
  try {
    if (await hasBlob(upload)) return "exists";
    const started = await start(upload);
    if (typeof started === "string") return started;
    await transfer(upload, started, retry);
    return "uploaded";
  } catch (error) {
    if (error instanceof TransportError)
      throw cannot(operation, "unavailable", `${error.message} while sending blob ${descriptor.digest} to ${repository.session.host}`, {
        code: error.code,
        cause: error,
      });
    throw during(operation, error);
  }
}

async function hasBlob({ repository, descriptor, operation, options }: Upload): Promise<boolean> {
  const answer = await repository.session.send(
    { method: "HEAD", url: `/v2/${repository.name}/blobs/${descriptor.digest}`, scopes: scopesOf(repository), operation, accept: [200, 404] },
    options,
  );
  answer.discard();
  const length = answer.header("content-length");
  return answer.status === 200 && (length === undefined || Number(length) === descriptor.size);
}

/** Where an upload stands: the URL to go on with, and how much the registry has. */
interface Position {
  readonly location: URL;
  readonly offset: number;
  readonly minChunkBytes: number;
}

async function start({ repository, descriptor, operation, options }: Upload): Promise<Position | `mounted from ${string}`> {
  const { session, name } = repository;
  for (const from of options.mountFrom ?? []) {
    const query = new URLSearchParams({ mount: descriptor.digest, from });
    const answer = await session.send(
      {
        method: "POST",
        url: `/v2/${name}/blobs/uploads/?${query.toString()}`,
        scopes: scopesOf(repository, [from]),
        operation,
        accept: [201, 202, 400, 401, 403, 404, 405],
      },
      options,
    );
    answer.discard();
    if (answer.status === 201) return `mounted from ${from}`;
    // Not there, and an upload is open instead: use it rather than leave it behind.
    if (answer.status === 202) return positionOf(answer, 0, operation);
  }
  const algorithm = digestAlgorithm(descriptor.digest);
  const query = algorithm === "sha256" ? "" : `?digest-algorithm=${algorithm}`;
  const answer = await session.send(
    { method: "POST", url: `/v2/${name}/blobs/uploads/${query}`, scopes: scopesOf(repository), operation, accept: [202] },
    options,
  );
  answer.discard();
  return positionOf(answer, 0, operation);
}

function positionOf(answer: HttpResponse, offset: number, operation: Operation): Position {
  const location = answer.header("location");
  const fail = (why: string): SampanError => cannot(operation, "invalid", `${answer.url.host} ${why}`, { code: "UPLOAD_LOCATION" });
  if (location === undefined || !URL.canParse(location, answer.url.href)) throw fail("does not say where to send the blob");
  const url = new URL(location, answer.url);
  // The content goes there: as with redirects, not from TLS to plain HTTP.
  if (url.protocol !== "https:" && (url.protocol !== "http:" || answer.url.protocol === "https:")) throw fail("wants the blob sent without TLS");
  const minimum = Number(answer.header("oci-chunk-min-length") ?? 0);
  return { location: url, offset, minChunkBytes: Number.isSafeInteger(minimum) && minimum > 0 ? minimum : 0 };
}

async function transfer(upload: Upload, started: Position, retry: RetryPolicy): Promise<void> {
  const { repository, descriptor, operation, options } = upload;
  let position = started;
  let chunkBytes = options.chunkBytes;
  for (let attempt = 1; ; attempt++) {
    try {
      if (chunkBytes === undefined) return await sendWhole(upload, position);
      position = await sendChunks(upload, position, Math.max(chunkBytes, position.minChunkBytes), (reached) => {
        // Progress earns patience.
        if (reached.offset > position.offset) attempt = 1;
        position = reached;
      });
      return await finish(upload, position, undefined);
    } catch (error) {
      const transient = error instanceof SampanError && (error.kind === "unavailable" || error.code === "HTTP_416") && error.code !== "UNREACHABLE";
      if (!transient || attempt >= retry.attempts) {
        await cancel(upload, position);
        throw error;
      }
      const delayMs = backoffMs(retry, attempt);
      options.onProgress?.({ kind: "retry", host: repository.session.host, attempt: attempt + 1, delayMs, reason: error.message });
      await delay(delayMs, options.signal);
      // Perhaps all of it arrived and only the answer was lost.
      if (await hasBlob(upload)) return;
      chunkBytes ??= RESUME_CHUNK_BYTES;
      const reached = await askPosition(upload, position);
      if (reached === undefined) {
        const again = await start({ ...upload, options: { ...options, mountFrom: [] } });
        if (typeof again === "string") return;
        position = again;
      } else position = reached;
      if (position.offset > descriptor.size)
        throw cannot(operation, "invalid", `the registry says that it has ${position.offset} of ${descriptor.size} bytes`, { code: "SIZE_MISMATCH" });
    }
  }
}

/** Bytes from `offset` on, at most `length`, with progress. */
async function* counted({ source, descriptor, options }: Upload, offset: number, length: number): AsyncGenerator<Uint8Array, void, undefined> {
  // A whole blob is checked on its way: the registry would refuse it anyway, but could not say why.
  const whole = offset === 0 && length === descriptor.size;
  const bytes = source.open(offset);
  let done = 0;
  for await (const chunk of whole ? verified(descriptor, bytes) : bytes) {
    const part = chunk.length > length - done ? chunk.subarray(0, length - done) : chunk;
    if (part.length === 0) break;
    done += part.length;
    options.onProgress?.({ kind: "transfer", digest: descriptor.digest, doneBytes: offset + done, totalBytes: descriptor.size });
    yield part;
    if (done === length && !whole) break;
  }
  if (done < length)
    throw new SampanError(
      "invalid",
      `Cannot send blob "${descriptor.digest}": it ends after ${offset + done} of ${descriptor.size} bytes`,
      { code: "SIZE_MISMATCH" },
    );
}

async function sendWhole(upload: Upload, position: Position): Promise<void> {
  await finish(upload, position, { offset: 0, length: upload.descriptor.size });
}

async function sendChunks(upload: Upload, from: Position, chunkBytes: number, reached: (position: Position) => void): Promise<Position> {
  const { repository, descriptor, operation, options } = upload;
  let position = from;
  while (position.offset < descriptor.size) {
    const { offset } = position;
    const length = Math.min(chunkBytes, descriptor.size - offset);
    const answer = await repository.session.send(
      {
        method: "PATCH", url: position.location, scopes: scopesOf(repository), operation, accept: [202, 204], retry: false,
        headers: { "content-type": "application/octet-stream", "content-range": `${offset}-${offset + length - 1}` },
        body: () => ({ length, bytes: counted(upload, offset, length) }),
      },
      options,
    );
    answer.discard();
    const next = positionOf(answer, endOf(answer) ?? offset + length, operation);
    // Where it says to go on is believed, as long as it is further on.
    if (next.offset <= offset || next.offset > descriptor.size)
      throw cannot(operation, "invalid", `the registry says that it has ${next.offset} bytes after ${offset + length} were sent`, { code: "SIZE_MISMATCH" });
    position = { ...next, minChunkBytes: position.minChunkBytes };
    reached(position);
  }
  return position;
}

/** `Range: 0-N`: N is the last byte that the registry has. Docker's registry says "0-0" when it has none. */
function endOf(answer: HttpResponse): number | undefined {
  const match = /^(?:bytes=)?0-(\d{1,16})$/.exec(answer.header("range") ?? "");
  return match === null ? undefined : Number(match[1]) + 1;
}

async function finish(
  { repository, descriptor, operation, options, source }: Upload,
  position: Position,
  body: { readonly offset: number; readonly length: number } | undefined,
): Promise<void> {
  const url = new URL(position.location);
  url.searchParams.set("digest", descriptor.digest);
  const upload = { repository, descriptor, operation, options, source };
  const answer = await repository.session.send(
    {
      method: "PUT", url, scopes: scopesOf(repository), operation, accept: [201, 204], retry: false,
      headers: body === undefined ? {} : { "content-type": "application/octet-stream" },
      body: body === undefined ? undefined : () => ({ length: body.length, bytes: counted(upload, body.offset, body.length) }),
    },
    options,
  );
  answer.discard();
}

/** How far a broken upload came; undefined if the registry no longer knows of it. */
async function askPosition({ repository, operation, options }: Upload, position: Position): Promise<Position | undefined> {
  const answer = await repository.session.send(
    { method: "GET", url: position.location, scopes: scopesOf(repository), operation, accept: [204, 200, 202, 400, 404, 405] },
    options,
  );
  answer.discard();
  if (answer.status !== 204 && answer.status !== 202) return undefined;
  const end = endOf(answer);
  // "0-0" is one byte or none: to begin again is right in both cases.
  if (end === undefined || end <= 1) return undefined;
  return { ...positionOf(answer, end, operation), minChunkBytes: position.minChunkBytes };
}

/** A courtesy to the registry (distribution-spec "Cancel a blob upload"); what comes of it does not matter. */
async function cancel({ repository, operation }: Upload, position: Position): Promise<void> {
  try {
    const signal = AbortSignal.timeout(2_000);
    (await repository.session.send({
      method: "DELETE", url: position.location, scopes: scopesOf(repository), operation, accept: [204, 202, 200], retry: false,
    }, { signal })).discard();
  } catch {
    // The upload's own failure is what is told.
  }
}

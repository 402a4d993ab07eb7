import { SampanError } from "../base/index.ts";
import {
  bareMediaType, choosePlatform, descriptorOf, digestAlgorithm, digestOf, hostPlatform, isDigest, MANIFEST_BYTES_MAX, manifestKindOf,
  MEDIA_TYPE, parseManifest, tagOrDigest,
  type Descriptor, type ImageIndex, type ImageManifest, type Platform, type Reference,
} from "../oci/index.ts";
import { cannot, TransportError, type Operation } from "./failure.ts";
import { readDocument } from "./redirect.ts";
import { delay } from "./retry.ts";
import type { Session } from "./session.ts";
import type { ResolvedImage, ResolveOptions, WaitOptions } from "./types.ts";

/** An index in an index is allowed (image-spec image-index.md); a tower of them is not an image. */
const NESTING_MAX = 3;
const READ_ATTEMPTS = 3;

const ACCEPT = [MEDIA_TYPE.ociIndex, MEDIA_TYPE.dockerManifestList, MEDIA_TYPE.ociManifest, MEDIA_TYPE.dockerManifest].join(", ");

/** One repository on one host. */
export interface Repository {
  readonly session: Session;
  readonly name: string;
}

const pathOf = (repository: Repository, rest: string): string => `/v2/${repository.name}/${rest}`;
export const pullScope = (repository: Repository): string[] => [`repository:${repository.name}:pull`];

/** What the registry says by HEAD: undefined where it says too little to be of use. */
export async function headManifest(repository: Repository, reference: Reference, operation: Operation, wait: WaitOptions): Promise<Descriptor | undefined> {
  const answer = await repository.session.send(
    {
      method: "HEAD", url: pathOf(repository, `manifests/${tagOrDigest(reference)}`), scopes: pullScope(repository),
      headers: { accept: ACCEPT }, operation, accept: [200, 405], about: "manifest",
    },
    wait,
  );
  answer.discard();
  const digest = answer.header("docker-content-digest");
  const size = Number(answer.header("content-length") ?? NaN);
  const mediaType = bareMediaType(answer.header("content-type"));
  if (answer.status !== 200 || !isDigest(digest) || !Number.isSafeInteger(size) || size < 0 || manifestKindOf(mediaType) === undefined) return undefined;
  return { mediaType, digest, size };
}

/**
 * Fetches one manifest and checks it: against `expected` (a descriptor from an index), against the digest of the
 * reference, and against what the registry says of it.
 */
export async function getManifest(
  repository: Repository,
  reference: Reference,
  expected: Descriptor | undefined,
  operation: Operation,
  wait: WaitOptions,
): Promise<ImageManifest | ImageIndex> {
  for (let attempt = 1; ; attempt++) {
    const answer = await repository.session.send(
      {
        method: "GET", url: pathOf(repository, `manifests/${expected?.digest ?? tagOrDigest(reference)}`), scopes: pullScope(repository),
        headers: { accept: ACCEPT }, operation, accept: [200], about: "manifest",
      },
      wait,
    );
    try {
      const raw = await readDocument(answer, MANIFEST_BYTES_MAX, operation, repository.session.transport.timeouts, wait.signal);
      const wanted = expected?.digest ?? reference.digest;
      checkAnnounced(raw, answer.header("docker-content-digest"), operation);
      if (wanted !== undefined) checkDigest(raw, wanted, "asked for", operation);
      return checkExpected(parseManifest(raw, answer.header("content-type")), expected, operation);
    } catch (error) {
      if (!(error instanceof TransportError) || !error.transient) throw error;
      if (attempt >= READ_ATTEMPTS) throw cannot(operation, "unavailable", `${error.message} (${attempt} attempts)`, { code: error.code, cause: error });
      wait.onProgress?.({ kind: "retry", host: repository.session.host, attempt: attempt + 1, delayMs: 0, reason: error.message });
      await delay(0, wait.signal);
    }
  }
}

function checkDigest(raw: Uint8Array, digest: Descriptor["digest"], what: string, operation: Operation): void {
  const found = digestOf(raw, digestAlgorithm(digest));
  if (found !== digest) throw cannot(operation, "invalid", `the manifest ${what} is ${digest}, but what came has digest ${found}`, { code: "DIGEST_MISMATCH" });
}

/** The header is optional and may be of an algorithm that we do not know; what we can check has to be right. */
function checkAnnounced(raw: Uint8Array, header: string | undefined, operation: Operation): void {
  if (header !== undefined && isDigest(header)) checkDigest(raw, header, "announced", operation);
}

/** A parent's descriptor promises size and type besides the digest (CVE-2021-41190). */
function checkExpected<T extends ImageManifest | ImageIndex>(found: T, expected: Descriptor | undefined, operation: Operation): T {
  if (expected === undefined) return found;
  if (found.size !== expected.size)
    throw cannot(operation, "invalid", `manifest ${expected.digest} should have ${expected.size} bytes and has ${found.size}`, { code: "SIZE_MISMATCH" });
  if (found.mediaType !== expected.mediaType) {
    throw cannot(
      operation,
      "invalid",
      `manifest ${expected.digest} should be ${JSON.stringify(expected.mediaType)} and is ${JSON.stringify(found.mediaType)}`,
      { code: "MEDIA_TYPE_MISMATCH" },
    );
  }
  return found;
}

/** From a reference to one platform's manifest. Bytes that the caller already holds are not fetched again. */
export async function resolveImage(repository: Repository, reference: Reference, operation: Operation, options: ResolveOptions): Promise<ResolvedImage> {
  const wanted = options.platform ?? hostPlatform();
  const load = async (descriptor: Descriptor): Promise<ImageManifest | ImageIndex> =>
    (await loadLocal(descriptor, operation, options)) ?? (await getManifest(repository, reference, descriptor, operation, options));
  // Without a store to look into, HEAD would only tell what GET tells too. A digest needs no HEAD: it is the answer.
  const head = options.readLocal === undefined ? undefined : await headOrKnown(repository, reference, operation, options);
  let document = head === undefined ? await getManifest(repository, reference, undefined, operation, options) : await load(head);
  const root: Descriptor = { ...descriptorOf(document), digest: reference.digest ?? head?.digest ?? document.digest };
  const indexes: ImageIndex[] = [];
  let platform: Platform | undefined;
  while (document.kind === "index") {
    if (indexes.length === NESTING_MAX) throw cannot(operation, "unsupported", `its indexes are nested more than ${NESTING_MAX} deep`);
    indexes.push(document);
    const chosen = choosePlatform(document, wanted);
    platform = chosen.platform ?? platform;
    document = await load(chosen);
  }
  return { reference, root, indexes, manifest: document, platform };
}

async function headOrKnown(repository: Repository, reference: Reference, operation: Operation, options: ResolveOptions): Promise<Descriptor | undefined> {
  const { digest } = reference;
  if (digest !== undefined) {
    const raw = await options.readLocal?.(digest);
    return raw !== undefined && digestOf(raw, digestAlgorithm(digest)) === digest ? describeLocal(raw, digest) : undefined;
  }
  return headManifest(repository, reference, operation, options);
}

/** undefined for a document that leaves its media type to whoever points to it: the registry has to say it. */
function describeLocal(raw: Uint8Array, digest: Descriptor["digest"]): Descriptor | undefined {
  try {
    return { ...descriptorOf(parseManifest(raw)), digest };
  } catch (error) {
    if (error instanceof SampanError) return undefined;
    throw error;
  }
}

async function loadLocal(descriptor: Descriptor, operation: Operation, options: ResolveOptions): Promise<ImageManifest | ImageIndex | undefined> {
  const raw = await options.readLocal?.(descriptor.digest);
  // A store that has gone bad is mended by fetching anew; nothing of it is used.
  if (raw === undefined || digestOf(raw, digestAlgorithm(descriptor.digest)) !== descriptor.digest) return undefined;
  try {
    return checkExpected(parseManifest(raw, descriptor.mediaType), descriptor, operation);
  } catch (error) {
    if (error instanceof SampanError) return undefined;
    throw error;
  }
}

/** Stores a manifest under the reference's tag or digest, or under its own digest when the reference names neither. */
export async function putManifest(
  repository: Repository,
  reference: Reference,
  manifest: ImageManifest | ImageIndex,
  operation: Operation,
  wait: WaitOptions,
): Promise<void> {
  const targets = [reference.digest ?? (reference.tag === undefined ? manifest.digest : undefined), reference.tag].filter((target) => target !== undefined);
  if (reference.digest !== undefined) checkDigest(manifest.raw, reference.digest, "to be pushed", operation);
  for (const target of targets) {
    const answer = await repository.session.send(
      {
        method: "PUT", url: pathOf(repository, `manifests/${target}`), scopes: [`repository:${repository.name}:pull,push`],
        headers: { "content-type": manifest.mediaType },
        body: () => manifest.raw, operation, accept: [200, 201, 202],
      },
      wait,
    );
    answer.discard();
    const announced = answer.header("docker-content-digest");
    if (announced !== undefined && isDigest(announced) && digestOf(manifest.raw, digestAlgorithm(announced)) !== announced) {
      throw cannot(operation, "invalid", `the registry stored the manifest as ${announced}, but its digest is ${manifest.digest}`, { code: "DIGEST_MISMATCH" });
    }
  }
}

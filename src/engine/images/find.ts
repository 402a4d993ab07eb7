import { SampanError } from "../../base/errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { familiarReference, formatReference, parseReference, repositoryName, withDefaultTag, type Reference } from "../../oci/reference.ts";
import type { ImageRecord } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";

export interface FoundImage {
  readonly image: ImageRecord;
  /** The name that led to it; undefined when it was an id. */
  readonly reference: Reference | undefined;
}

/** What a person calls an image: a name with tag or digest, an id or its beginning. Names come first, as Docker's do. */
export function lookUpImage(context: EngineContext, name: string): FoundImage | undefined {
  const { images } = context.store;
  const id = /^sha256:[0-9a-f]{64}$/.test(name) ? name : /^[0-9a-f]{64}$/.test(name) ? `sha256:${name}` : undefined;
  if (id !== undefined) {
    const image = images.get(id as Digest); // just checked to be one
    return image === undefined ? undefined : { image, reference: undefined };
  }
  const reference = tryReference(name);
  if (reference !== undefined) {
    const image = reference.digest === undefined ? images.tagged(formatReference(reference)) : withRepoDigest(context, reference);
    if (image !== undefined) return { image, reference };
  }
  const image = images.withIdPrefix(name);
  return image === undefined ? undefined : { image, reference: undefined };
}

/** As `lookUpImage`. Throws "not-found" in Docker's words. */
export function findImage(context: EngineContext, name: string): FoundImage {
  const found = lookUpImage(context, name);
  if (found === undefined) throw noSuchImage(name);
  return found;
}

export function noSuchImage(name: string): SampanError {
  // Docker says the tag that it looked for.
  const reference = /^(sha256:)?[0-9a-f]{64}$/.test(name) ? undefined : tryReference(name);
  return new SampanError("not-found", `No such image: ${reference === undefined ? name : familiarReference(reference)}`, { code: "NO_SUCH_IMAGE" });
}

function withRepoDigest(context: EngineContext, reference: Reference): ImageRecord | undefined {
  const { digest } = reference;
  if (digest === undefined) return undefined;
  const wanted = `${repositoryName(reference)}@${digest}`;
  return context.store.images.list().find(({ repoDigests }) => repoDigests.includes(wanted));
}

/** undefined for what can only be an id, or nothing at all. */
function tryReference(name: string): Reference | undefined {
  try {
    return withDefaultTag(parseReference(name));
  } catch (error) {
    if (error instanceof SampanError && error.kind === "invalid") return undefined;
    throw error;
  }
}

/** The names of an image as people write them. */
export function familiarTags(context: EngineContext, id: Digest): string[] {
  return context.store.images.tags(id).map(({ reference }) => familiarReference(parseReference(reference)));
}

/** "nginx@sha256:…" */
export function familiarDigests(image: ImageRecord): string[] {
  return image.repoDigests.map((text) => familiarReference(parseReference(text)));
}

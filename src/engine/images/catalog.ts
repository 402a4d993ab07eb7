import { SampanError } from "../../base/errors.ts";
import { MEDIA_TYPE } from "../../oci/media-types.ts";
import { parseManifest, descriptorOf, MANIFEST_BYTES_MAX } from "../../oci/manifest.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ImageConfig } from "../../oci/image-config.ts";
import { chainIds, platformOfConfig } from "../../oci/image-config.ts";
import { formatPlatform, normalizePlatform } from "../../oci/platform.ts";
import { familiarReference, formatReference, type Reference } from "../../oci/reference.ts";
import type { Image } from "../../images/index.ts";
import { openContentStore, type ContentStore } from "../../storage/content/index.ts";
import type { ImageRecord } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";

/** Opens the blobs' store, an OCI image layout. */
export function openContent(context: EngineContext): Promise<ContentStore> {
  return openContentStore(context.paths.images);
}

export interface Registration {
  readonly image: Image;
  /** Names to give it, whole. */
  readonly tags: readonly Reference[];
  /** "docker.io/library/nginx@sha256:…" where it came from a registry. */
  readonly repoDigest?: string | undefined;
  /** Further blobs that belong to it: the index that it was chosen from. */
  readonly indexes?: readonly Digest[];
  readonly action: "pull" | "import" | "load" | "commit";
}

/** Writes an image whose blobs and layers are there into the store, and gives it its names. True if it or a name is new. */
export async function registerImage(context: EngineContext, content: ContentStore, registration: Registration): Promise<boolean> {
  const { image, tags, repoDigest, indexes = [], action } = registration;
  const { config, imageId } = image.config;
  const { images, layers, events } = context.store;
  const chain = chainIds(config.rootfs.diff_ids);
  const { manifest } = image;
  const blobs = [manifest.digest, manifest.config.digest, ...manifest.layers.map(({ digest }) => digest), ...indexes];
  const changed = context.store.transaction(
    () => {
      const before = images.get(imageId);
      const names = tags.map((tag) => formatReference(tag));
      const isNew = before === undefined || names.some((name) => images.tagged(name)?.id !== imageId);
      images.put({
        id: imageId,
        manifestDigest: manifest.digest,
        platform: formatPlatform(normalizePlatform(platformOfConfig(config))),
        createdMs: createdMs(config),
        storedMs: before?.storedMs ?? Date.now(),
        sizeBytes: chain.reduce((sum, chainId) => sum + (layers.get(chainId)?.sizeBytes ?? 0), 0),
        chainIds: chain,
        blobs: [...new Set([...blobs, ...(before?.blobs ?? [])])],
        repoDigests: [...new Set([...(before?.repoDigests ?? []), ...(repoDigest === undefined ? [] : [repoDigest])])],
        labels: config.config?.Labels ?? {},
      });
      for (const name of names) images.tag(name, imageId, Date.now());
      // Of a commit the container tells; its image is tagged, or just there.
      const actor = { type: "image" as const, timeNs: BigInt(Date.now()) * 1_000_000n, action: action === "commit" ? "tag" : action };
      const told = names.length > 0 ? tags.map((tag) => familiarReference(tag)) : action === "commit" ? [] : [imageId as string];
      for (const name of told) events.append({ ...actor, actorId: action === "pull" ? name : imageId, attributes: { ...config.config?.Labels, name } });
      return isNew;
    },
    { durable: true },
  );
  await publishReferences(context, content);
  return changed;
}

function createdMs(config: ImageConfig): number | null {
  const ms = Date.parse(config.created ?? "");
  return Number.isNaN(ms) ? null : ms;
}

/**
 * Makes index.json of the layout say what the tags say, so that `skopeo` and `umoci` find images by name. The tags are the truth:
 * whatever a crash left different is mended by the next call.
 */
export async function publishReferences(context: EngineContext, content: ContentStore): Promise<void> {
  const documents = new Map<Digest, Descriptor | undefined>();
  for (const { manifestDigest } of context.store.images.list()) documents.set(manifestDigest, await descriptorAt(content, manifestDigest));
  await content.updateReferences(() =>
    context.store.images.tags().flatMap(({ reference, imageId }) => {
      const image = context.store.images.get(imageId);
      const descriptor = image === undefined ? undefined : documents.get(image.manifestDigest);
      return descriptor === undefined ? [] : [{ name: reference, descriptor }];
    }),
  );
}

async function descriptorAt(content: ContentStore, digest: Digest): Promise<Descriptor | undefined> {
  const known = content.references().find(({ descriptor }) => descriptor.digest === digest)?.descriptor;
  if (known !== undefined) return { mediaType: known.mediaType, digest, size: known.size };
  return content.has(digest) ? descriptorOf(parseStored(await content.get(digest, MANIFEST_BYTES_MAX))) : undefined;
}

/** A manifest may leave its media type to whoever points to it (image-spec manifest.md): umoci's do. Then it is OCI's. */
function parseStored(raw: Uint8Array): ReturnType<typeof parseManifest> {
  try {
    return parseManifest(raw);
  } catch (error) {
    if (error instanceof SampanError && error.code === "MEDIA_TYPE") return parseManifest(raw, MEDIA_TYPE.ociManifest);
    throw error;
  }
}

/** Manifest and config of an image in the store. */
export async function openStoredImage(content: ContentStore, record: ImageRecord): Promise<Image> {
  const { openImage } = await import("../../images/index.ts");
  const descriptor = await descriptorAt(content, record.manifestDigest);
  return openImage(content, descriptor ?? { mediaType: "", digest: record.manifestDigest, size: 0 });
}

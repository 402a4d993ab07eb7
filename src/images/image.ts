import { SampanError } from "../base/index.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { CONFIG_BYTES_MAX, parseImageConfig, requireMatchingLayers, type ImageConfig, type ParsedImageConfig } from "../oci/image-config.ts";
import { descriptorOf, encodeJson, encodeManifest, MANIFEST_BYTES_MAX, parseManifest, requireRunnable, type ImageManifest } from "../oci/manifest.ts";
import { manifestKindOf, MEDIA_TYPE } from "../oci/media-types.ts";
import type { BlobReader, BlobWriter } from "./ports.ts";

/** One image for one platform, wherever it is kept. */
export interface Image {
  readonly manifest: ImageManifest;
  readonly config: ParsedImageConfig;
  readonly blobs: BlobReader;
}

/** Reads manifest and config. Throws `not-found`, `invalid`, and `unsupported` for an index or something that is no image. */
export async function openImage(blobs: BlobReader, descriptor: Descriptor): Promise<Image> {
  const raw = await blobs.get(descriptor.digest, MANIFEST_BYTES_MAX);
  const manifest = parseManifest(raw, descriptor.mediaType);
  if (manifest.kind !== "manifest") throw new SampanError("unsupported", `Cannot open image "${descriptor.digest}": it is an index of several platforms`);
  requireRunnable(manifest);
  const config = parseImageConfig(await blobs.get(manifest.config.digest, CONFIG_BYTES_MAX));
  requireMatchingLayers(config.config, manifest.layers);
  return { manifest, config, blobs };
}

/** Stores a config and its manifest over layers that are stored already. */
export async function createImage(blobs: BlobReader & BlobWriter, config: ImageConfig, layers: readonly Descriptor[]): Promise<Image> {
  const raw = encodeJson(config);
  const manifest = encodeManifest({ config: await blobs.put(raw, MEDIA_TYPE.ociConfig), layers });
  const parsed = parseImageConfig(raw);
  requireMatchingLayers(parsed.config, layers);
  await blobs.put(manifest.raw, manifest.mediaType);
  return { manifest, config: parsed, blobs };
}

/**
 * Copies a manifest with all it refers to, or an index with those of its manifests that are there. What refers to something is written
 * after it. Resolves to the image manifests, in order.
 */
export async function copyDocument(descriptor: Descriptor, from: BlobReader, to: BlobWriter, signal?: AbortSignal): Promise<ImageManifest[]> {
  const document = parseManifest(await from.get(descriptor.digest, MANIFEST_BYTES_MAX), descriptor.mediaType);
  const copied: ImageManifest[] = [];
  if (document.kind === "index") {
    for (const child of document.manifests) {
      if (manifestKindOf(child.mediaType) !== undefined && from.has(child.digest)) copied.push(...(await copyDocument(child, from, to, signal)));
    }
  } else {
    for (const blob of [document.config, ...document.layers]) await copyBlob(blob, from, to, signal);
    copied.push(document);
  }
  await copyBlob(descriptorOf(document), from, to, signal);
  return copied;
}

async function copyBlob({ digest, size }: Descriptor, from: BlobReader, to: BlobWriter, signal?: AbortSignal): Promise<void> {
  await using ingest = await to.ingest(digest, size, signal);
  if (ingest === undefined) return;
  for await (const chunk of from.read(digest, ingest.offset)) {
    signal?.throwIfAborted();
    ingest.write(chunk);
  }
  await ingest.commit();
}

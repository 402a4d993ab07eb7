import { SampanError } from "../../base/errors.ts";
import { expectHeavyWork } from "../../base/heavy.ts";
import { chainIds, platformOfConfig } from "../../oci/image-config.ts";
import { descriptorOf, type ImageManifest } from "../../oci/manifest.ts";
import { bestPlatform, formatPlatform, hostPlatform, parsePlatform, type Platform } from "../../oci/platform.ts";
import { familiarReference, parseReference, withDefaultTag, type Reference } from "../../oci/reference.ts";
import { loadArchive, loadLayout, openImage, openLayout, type BlobWriter, type Image, type LoadedImage as LoadedDocument } from "../../images/index.ts";
import type { ContentStore } from "../../storage/content/index.ts";
import { tarFormat } from "../../storage/tar/index.ts";
import type { CopySource, LoadedImage, WithProgress } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { openContent, registerImage } from "./catalog.ts";
import { keepContent, type Keep } from "./keep.ts";
import { LayerStore } from "./layer-store.ts";
import { aboutArchive, isDirectory, seekable } from "./source.ts";
import { unpackImage } from "./unpack.ts";

type LoadOptions = WithProgress & { readonly platforms?: readonly string[] | undefined };

/** Every image of an archive, or of an OCI layout in a directory, with its names. */
export async function loadImages(context: EngineContext, source: CopySource, options: LoadOptions): Promise<readonly LoadedImage[]> {
  expectHeavyWork();
  const { signal } = options;
  const content = await openContent(context);
  await using keep = await keepContent(context, content);
  const into = keeping(content, keep);
  const documents = "path" in source && isDirectory(source.path) ? await loadLayout(await openLayout(source.path), into, signal) : await fromArchive(context, source, into, signal);
  if (documents.length === 0) throw new SampanError("invalid", "Cannot load archive: there is no image in it");
  const layers = new LayerStore(context);
  const loaded: LoadedImage[] = [];
  for (const document of documents) {
    const tags = document.names.map(tagOf);
    for (const image of await chosen(content, document, options.platforms)) {
      keep.layers(chainIds(image.config.config.rootfs.diff_ids));
      await unpackImage(content, layers, image, { signal, onStatus: ({ digest }, status) => options.onProgress?.({ id: digest.slice(7, 19), status }) });
      await registerImage(context, content, { image, tags, action: "load" });
      const { imageId } = image.config;
      if (tags.length === 0) loaded.push({ reference: "", id: imageId });
      for (const tag of tags) loaded.push({ reference: familiarReference(tag), id: imageId });
    }
  }
  return loaded;
}

async function fromArchive(context: EngineContext, source: CopySource, into: BlobWriter, signal: AbortSignal | undefined): Promise<LoadedDocument[]> {
  try {
    using archive = await seekable(context, source, "load archive", signal);
    try {
      return await loadArchive(archive.path, into, tarFormat, signal);
    } catch (error) {
      // A file of ours without a name means nothing to the person.
      if (!(error instanceof SampanError) || archive.path === archive.name) throw error;
      throw new SampanError(error.kind, error.message.replaceAll(archive.path, archive.name), { code: error.code, hint: error.hint, cause: error });
    }
  } catch (error) {
    throw aboutArchive(error, "load archive", "path" in source ? source.path : "-");
  }
}

/** Whatever is written is kept from the garbage collector before it is there. */
function keeping(content: ContentStore, keep: Keep): BlobWriter {
  return {
    has: (digest) => content.has(digest),
    async ingest(digest, size, signal) {
      await keep.blobs([digest]);
      return content.ingest(digest, size, signal);
    },
    async put(bytes, mediaType) {
      const { digestOf } = await import("../../oci/digest.ts");
      await keep.blobs([digestOf(bytes)]);
      return content.put(bytes, mediaType);
    },
  };
}

function tagOf(name: string): Reference {
  try {
    return withDefaultTag(parseReference(name));
  } catch (error) {
    if (!(error instanceof SampanError)) throw error;
    throw new SampanError("invalid", `Cannot load image: the archive calls it ${JSON.stringify(name.slice(0, 300))}, which is no name for an image`, { cause: error });
  }
}

/** Of several platforms the one for this machine, or those that were asked for. */
async function chosen(content: ContentStore, { manifests }: LoadedDocument, wanted: readonly string[] | undefined): Promise<Image[]> {
  const images = await Promise.all(manifests.map((manifest: ImageManifest) => openImage(content, descriptorOf(manifest))));
  const offered = images.map((image) => ({ image, platform: platformOfConfig(image.config.config) }));
  const pick = (platform: Platform): Image | undefined => bestPlatform(platform, offered)?.image;
  if (wanted === undefined) {
    const image = pick(hostPlatform()) ?? images[0];
    return image === undefined ? [] : [image];
  }
  return wanted.map((text) => {
    const image = pick(parsePlatform(text));
    if (image === undefined) throw new SampanError("not-found", `Cannot load image: it is not there for ${text}; offered: ${offered.map(({ platform }) => formatPlatform(platform)).join(", ")}`);
    return image;
  });
}

import { hostPlatform, parsePlatform } from "../../oci/platform.ts";
import { parseReference, withDefaultTag } from "../../oci/reference.ts";
import { SampanError } from "../../base/errors.ts";
import { expectHeavyWork } from "../../base/heavy.ts";
import { appendLayer, applyChanges, createImage, emptyConfig } from "../../images/index.ts";
import type { CopySource, ImportRequest, WithProgress } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { openContent, registerImage } from "./catalog.ts";
import { keepContent } from "./keep.ts";
import { LayerStore } from "./layer-store.ts";
import { makeLayer } from "./new-layer.ts";
import { aboutArchive, openSource, openUrl } from "./source.ts";

/** A root filesystem as an image of one layer. */
export async function importImage(context: EngineContext, source: CopySource | { readonly url: string }, request: ImportRequest, { signal, onProgress }: WithProgress): Promise<{ id: string }> {
  expectHeavyWork();
  // All that can be wrong with the request is found before anything is read.
  const tags = request.reference === "" ? [] : [withDefaultTag(parseReference(request.reference))];
  if (tags.some(({ digest }) => digest !== undefined)) throw new SampanError("invalid", "cannot import digest reference");
  const platform = request.platform === undefined ? hostPlatform() : parsePlatform(request.platform);
  const empty = applyChanges(emptyConfig(platform), request.changes);
  const content = await openContent(context);
  await using keep = await keepContent(context, content);
  const layers = new LayerStore(context);
  onProgress?.({ status: "Importing" });
  const name = "url" in source ? source.url : "path" in source ? source.path : "-";
  const tar = "url" in source ? openUrl(source.url, "import", { signal, onProgress }) : openSource(source, "import");
  const { descriptor, diffId } = await makeLayer(content, layers, keep, notEmpty(tar, name === "-" ? "standard input" : `"${name}"`), [], signal)
    .catch((error: unknown) => { throw aboutArchive(error, "import", name); });
  const config = appendLayer(empty, diffId, { created: new Date().toISOString(), comment: request.message === "" ? `Imported from ${name}` : request.message });
  const { digestOf } = await import("../../oci/digest.ts");
  const { encodeJson } = await import("../../oci/manifest.ts");
  await keep.blobs([digestOf(encodeJson(config))]);
  const image = await createImage(content, config, [descriptor]);
  await keep.blobs([image.manifest.digest]);
  await registerImage(context, content, { image, tags, action: "import" });
  return { id: image.config.imageId };
}

/** Not a byte is no archive, but what is left of a command that failed: an empty archive has two blocks of zeros. */
async function* notEmpty(tar: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  let isEmpty = true;
  for await (const chunk of tar) {
    isEmpty &&= chunk.length === 0;
    yield chunk;
  }
  if (isEmpty) throw new SampanError("invalid", `Cannot import ${name}: it is empty`);
}

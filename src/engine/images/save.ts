import { SampanError } from "../../base/errors.ts";
import { expectHeavyWork } from "../../base/heavy.ts";
import { familiarReference, formatReference, parseReference, repositoryName } from "../../oci/reference.ts";
import { writeArchive, writeLayout, type NamedImage } from "../../images/index.ts";
import { tarFormat } from "../../storage/tar/index.ts";
import type { WithProgress } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { openContent, openStoredImage } from "./catalog.ts";
import { findImage, type FoundImage } from "./find.ts";
import { keepContent } from "./keep.ts";

export type SaveOptions = WithProgress & { readonly platforms?: readonly string[] | undefined; readonly format?: "docker" | "oci" | undefined };

/** Images as one archive, with the names by which they were asked for. */
export async function* saveImages(context: EngineContext, names: readonly string[], options: SaveOptions): AsyncGenerator<Uint8Array> {
  expectHeavyWork();
  await using collected = await collectImages(context, names, options);
  for await (const chunk of writeArchive(collected.images, options.format ?? "docker", tarFormat)) {
    options.signal?.throwIfAborted();
    yield chunk;
  }
}

/** As an OCI layout in a directory. */
export async function saveDirectory(context: EngineContext, names: readonly string[], directory: string, options: SaveOptions): Promise<void> {
  await using collected = await collectImages(context, names, options);
  await writeLayout(directory, collected.images, options.signal);
}

async function collectImages(
  context: EngineContext,
  names: readonly string[],
  { platforms }: SaveOptions,
): Promise<AsyncDisposable & { readonly images: readonly NamedImage[] }> {
  const content = await openContent(context);
  const keep = await keepContent(context, content);
  try {
    // An image that is named twice is there once, with both names.
    const byId = new Map<string, { image: NamedImage["image"]; names: string[] }>();
    for (const { name, image: record, reference } of names.flatMap((given) => findAll(context, given))) {
      await checkPlatform(name, record.platform, platforms);
      await keep.blobs(record.blobs);
      const entry = byId.get(record.id) ?? { image: await openStoredImage(content, record), names: [] };
      byId.set(record.id, entry);
      if (reference?.tag === undefined) continue;
      // podman and skopeo want the whole name where Docker takes either.
      const saved = reference.domain === "docker.io" ? familiarReference(reference) : formatReference(reference);
      if (!entry.names.includes(saved)) entry.names.push(saved);
    }
    return { images: [...byId.values()], [Symbol.asyncDispose]: () => keep[Symbol.asyncDispose]() };
  } catch (error) {
    await keep[Symbol.asyncDispose]();
    throw error;
  }
}

interface Named extends FoundImage {
  /** As it was given. */
  readonly name: string;
}

/** What a name means here: a repository without a tag is all its tags, as Docker's `save` has it. Ids come second. */
function findAll(context: EngineContext, name: string): Named[] {
  const repository = bareRepository(name);
  const { images } = context.store;
  const tagged = repository === undefined ? [] : images.tags().flatMap(({ reference, imageId }) => {
    const tag = parseReference(reference);
    const image = images.get(imageId);
    return image !== undefined && repositoryName(tag) === repository ? [{ name, image, reference: tag }] : [];
  });
  return tagged.length > 0 ? tagged : [{ name, ...findImage(context, name) }];
}

/** The whole name of a repository; undefined for a name with tag or digest, an id, and what is no name at all. */
function bareRepository(name: string): string | undefined {
  try {
    const reference = parseReference(name);
    return reference.tag === undefined && reference.digest === undefined ? repositoryName(reference) : undefined;
  } catch (error) {
    if (error instanceof SampanError && error.kind === "invalid") return undefined;
    throw error;
  }
}

async function checkPlatform(name: string, platform: string, wanted: readonly string[] | undefined): Promise<void> {
  if (wanted === undefined) return;
  const { parsePlatform, runsOn } = await import("../../oci/platform.ts");
  if (!wanted.some((text) => runsOn(parsePlatform(text), parsePlatform(platform))))
    throw new SampanError("not-found", `Cannot save image "${name}": it is for ${platform}, not ${wanted.join(" or ")}`);
}

import { SampanError } from "../../base/errors.ts";
import { expectHeavyWork } from "../../base/heavy.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { digestHex } from "../../oci/digest.ts";
import { familiarName, formatReference, parseReference, repositoryName, withDefaultTag, type Reference } from "../../oci/reference.ts";
import type { Image } from "../../images/index.ts";
import type { RegistryClient } from "../../registry/index.ts";
import type { ImageRecord } from "../../storage/state/index.ts";
import type { PushedImage, PushOptions } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { openRegistryClient } from "../registries/client.ts";
import { openContent, openStoredImage } from "./catalog.ts";
import { keepContent } from "./keep.ts";

/** Blobs on their way at once, as Docker's. */
const UPLOADS_AT_ONCE = 5;

/** Pushes the image of a name, or with `allTags` every tag of its repository. */
export async function pushImages(context: EngineContext, name: string, options: PushOptions): Promise<readonly PushedImage[]> {
  expectHeavyWork();
  const given = parseReference(name);
  if (given.digest !== undefined) throw new SampanError("invalid", "cannot push a digest reference");
  const references = options.allTags ? tagsOf(context, given) : [withDefaultTag(given)];
  await using client = await openRegistryClient(options.tlsVerify);
  options.onProgress?.({ status: `The push refers to repository [${repositoryName(given)}]` });
  const pushed: PushedImage[] = [];
  for (const reference of references) pushed.push(await pushImage(context, client, reference, options));
  return pushed;
}

/** In Docker's words. */
function noSuchTag(reference: Reference): SampanError {
  const name = familiarName(reference);
  if (reference.tag === undefined) return new SampanError("not-found", `An image does not exist locally with the tag: ${name}`);
  return new SampanError(
    "not-found",
    `An image does not exist locally with the tag: ${name}:${reference.tag}`,
    { hint: `Give an image that name with: sampan tag IMAGE ${name}:${reference.tag}` },
  );
}

function tagsOf(context: EngineContext, given: Reference): Reference[] {
  const repository = repositoryName(given);
  const found = context.store.images.tags().map(({ reference }) => parseReference(reference)).filter((reference) => repositoryName(reference) === repository);
  if (found.length === 0) throw noSuchTag(given);
  return found;
}

async function pushImage(
  context: EngineContext,
  client: RegistryClient,
  reference: Reference,
  { signal, onProgress, platform }: PushOptions,
): Promise<PushedImage> {
  const record = context.store.images.tagged(formatReference(reference));
  if (record === undefined) throw noSuchTag(reference);
  if (platform !== undefined) {
    const { parsePlatform, runsOn } = await import("../../oci/platform.ts");
    if (!runsOn(parsePlatform(platform), parsePlatform(record.platform)))
      throw new SampanError("not-found", `Cannot push image "${familiarName(reference)}": it is for ${record.platform}, not ${platform}`);
  }
  const content = await openContent(context);
  await using keep = await keepContent(context, content);
  await keep.blobs(record.blobs);
  const image = await openStoredImage(content, record);
  const { manifest } = image;
  const mountFrom = siblings(context, reference);
  const push = async (blob: Descriptor, id: string | undefined): Promise<void> => {
    if (id !== undefined) onProgress?.({ id, status: "Preparing" });
    const outcome = await client.pushBlob(reference, blob, { open: (offset) => content.read(blob.digest, offset) }, {
      signal, mountFrom: mountFrom(blob),
      onProgress: (progress) => {
        if (progress.kind === "transfer" && id !== undefined) onProgress?.({
          id,
          status: "Pushing",
          currentBytes: progress.doneBytes,
          totalBytes: progress.totalBytes,
        });
        else if (progress.kind === "retry") onProgress?.({ status: `Retrying in ${Math.ceil(progress.delayMs / 1000)} seconds: ${progress.reason}` });
      },
    });
    if (id !== undefined)
      onProgress?.({ id, status: outcome === "exists" ? "Layer already exists" : outcome === "uploaded" ? "Pushed" : `M${outcome.slice(1)}` });
  };
  const blobs = new Map(manifest.layers.map((layer) => [layer.digest, layer]));
  await inParallel([...blobs.values()], UPLOADS_AT_ONCE, (layer) => push(layer, diffIdOf(image, layer)));
  await push(manifest.config, undefined);
  await client.pushManifest(reference, manifest, { signal });
  remember(context, record, `${repositoryName(reference)}@${manifest.digest}`);
  return { reference: formatReference(reference), digest: manifest.digest, sizeBytes: manifest.size };
}

/** Docker names layers by their diff IDs when it pushes. */
function diffIdOf({ manifest, config }: Image, layer: Descriptor): string {
  const diffId = config.config.rootfs.diff_ids[manifest.layers.indexOf(layer)];
  return digestHex(diffId ?? layer.digest).slice(0, 12);
}

/** Other repositories of the same registry that had a blob when we last saw them. */
function siblings(context: EngineContext, reference: Reference): (blob: Descriptor) => string[] {
  const images = context.store.images.list();
  return ({ digest }) => {
    const paths = images.filter(({ blobs }) => blobs.includes(digest)).flatMap(({ repoDigests }) => repoDigests.map(parseReference));
    return [...new Set(paths.filter(({ domain, path }) => domain === reference.domain && path !== reference.path).map(({ path }) => path))].slice(0, 3);
  };
}

function remember(context: EngineContext, { id }: ImageRecord, digest: string): void {
  const { images, events } = context.store;
  context.store.transaction(() => {
    const now = images.get(id);
    if (now !== undefined && !now.repoDigests.includes(digest)) images.put({ ...now, repoDigests: [...now.repoDigests, digest] });
    events.append({
      type: "image",
      action: "push",
      actorId: digest.slice(0, digest.indexOf("@")),
      timeNs: BigInt(Date.now()) * 1_000_000n,
      attributes: { name: digest.slice(0, digest.indexOf("@")) },
    });
  });
}

async function inParallel<T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  const results = await Promise.allSettled(Array.from({ length: limit }, worker));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

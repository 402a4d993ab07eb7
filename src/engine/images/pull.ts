import { SampanError } from "../../base/errors.ts";
import { expectHeavyWork } from "../../base/heavy.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { digestHex, type Digest } from "../../oci/digest.ts";
import { CONFIG_BYTES_MAX, chainIds, parseImageConfig, platformOfConfig, requireMatchingLayers, type ImageConfig } from "../../oci/image-config.ts";
import { requireRunnable } from "../../oci/manifest.ts";
import { formatPlatform, parsePlatform, runsOn } from "../../oci/platform.ts";
import { familiarReference, formatReference, parseReference, repositoryName, withDefaultTag, withTag, type Reference } from "../../oci/reference.ts";
import type { RegistryClient, RegistryProgress, ResolvedImage } from "../../registry/index.ts";
import type { ContentStore } from "../../storage/content/index.ts";
import type { Progress, PulledImage, PullOptions } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { openRegistryClient } from "../registries/client.ts";
import { openContent, registerImage } from "./catalog.ts";
import { keepContent } from "./keep.ts";
import { LayerStore } from "./layer-store.ts";
import { unpackImage } from "./unpack.ts";

/** Pulls what a name means, or with `allTags` every tag of its repository. */
export async function pullImages(context: EngineContext, name: string, options: PullOptions): Promise<readonly PulledImage[]> {
  expectHeavyWork();
  const given = parseReference(name);
  if (options.platform !== undefined) parsePlatform(options.platform);
  await using client = await openRegistryClient(options.tlsVerify);
  if (!options.allTags) return [await pullImage(context, client, withDefaultTag(given), options)];
  if (given.tag !== undefined || given.digest !== undefined) throw new SampanError("invalid", "tag can't be used with --all-tags/-a");
  const pulled: PulledImage[] = [];
  for (const tag of await client.listTags(given, { signal: options.signal })) pulled.push(await pullImage(context, client, withTag(given, tag), options));
  return pulled;
}

/** As `fetchImage`; what was wrong in itself leaves nothing behind, while a download that broke off is kept for the next time. */
async function pullImage(context: EngineContext, client: RegistryClient, reference: Reference, options: PullOptions): Promise<PulledImage> {
  try {
    return await fetchImage(context, client, reference, options);
  } catch (error) {
    if (error instanceof SampanError && ["invalid", "unsupported", "not-found"].includes(error.kind)) {
      const { collect } = await import("./remove.ts");
      await collect(context, []);
    }
    throw error;
  }
}

/** One image: its documents first, then all layers, and at the very end its record and name. */
async function fetchImage(context: EngineContext, client: RegistryClient, reference: Reference, options: PullOptions): Promise<PulledImage> {
  const { signal, onProgress } = options;
  const tell = (progress: Progress): void => onProgress?.(progress);
  const content = await openContent(context);
  const layers = new LayerStore(context);
  await using keep = await keepContent(context, content);
  tell({ id: reference.tag ?? reference.digest, status: `Pulling from ${reference.path}` });
  const transport = transportProgress(tell);
  const resolved = await client.resolve(reference, {
    signal, onProgress: transport,
    platform: options.platform === undefined ? undefined : parsePlatform(options.platform),
    readLocal: async (digest) => (content.has(digest) ? content.get(digest) : undefined),
  });
  const { manifest, root, indexes } = resolved;
  requireRunnable(manifest);
  await keep.blobs([manifest.digest, manifest.config.digest, ...manifest.layers.map(({ digest }) => digest), ...indexes.map(({ digest }) => digest)]);
  const config = parseImageConfig(await fetchConfig(content, client, resolved, options, transport));
  requireMatchingLayers(config.config, manifest.layers);
  if (config.config.os !== "linux")
    throw new SampanError("unsupported", `Cannot pull image "${familiarReference(reference)}": it is for ${config.config.os}, not Linux`, { code: "PLATFORM" });
  requirePlatform(reference, config.config, options.platform);
  const chain = chainIds(config.config.rootfs.diff_ids);
  keep.layers(chain);
  // Of an image that is all here there is nothing to tell.
  const isHere = context.store.images.get(config.imageId) !== undefined && chain.every((chainId) => layers.has(chainId)) &&
    manifest.layers.every(({ digest }) => content.has(digest));
  for (const [index, layer] of manifest.layers.entries()) if (!layers.has(chain[index] ?? layer.digest)) tell({ id: idOf(layer), status: "Pulling fs layer" });
  await unpackImage(content, layers, { manifest, config }, {
    signal,
    onStatus: (layer, status) => { if (!isHere) tell({ id: idOf(layer), status }); },
    receive: (layer, layerSignal) => receiveLayer({ content, client, reference, tell }, layer, layerSignal),
  });
  for (const document of [...indexes, manifest]) await content.put(document.raw, document.mediaType);
  const repository = repositoryName(reference);
  const changed = await registerImage(context, content, {
    image: { manifest, config, blobs: content },
    tags: reference.tag === undefined ? [] : [{ domain: reference.domain, path: reference.path, tag: reference.tag }],
    repoDigest: `${repository}@${root.digest}`,
    indexes: indexes.map(({ digest }) => digest),
    action: "pull",
  });
  tell({ status: `Digest: ${root.digest}` });
  return { reference: formatReference(reference), digest: root.digest, changed };
}

/** An image that is not in an index says itself what it runs on. */
function requirePlatform(reference: Reference, config: ImageConfig, wanted: string | undefined): void {
  if (wanted === undefined || config.architecture === "") return;
  const actual = platformOfConfig(config);
  if (runsOn(parsePlatform(wanted), actual)) return;
  throw new SampanError(
    "not-found",
    `image with reference ${familiarReference(reference)} was found but does not match the specified platform: wanted ${formatPlatform(parsePlatform(wanted))}, actual: ${formatPlatform(actual)}`,
    { code: "PLATFORM_NOT_FOUND" },
  );
}

/** The config is small, and checked like a layer. */
async function fetchConfig(
  content: ContentStore,
  client: RegistryClient,
  { reference, manifest }: ResolvedImage,
  { signal }: PullOptions,
  tell: (progress: RegistryProgress) => void,
): Promise<Uint8Array> {
  const descriptor = manifest.config;
  if (content.has(descriptor.digest)) return content.get(descriptor.digest, CONFIG_BYTES_MAX);
  if (descriptor.size > CONFIG_BYTES_MAX)
    throw new SampanError(
      "invalid",
      `Cannot pull image "${familiarReference(reference)}": its config has ${descriptor.size} bytes, more than ${CONFIG_BYTES_MAX}`,
      { code: "TOO_LARGE" },
    );
  const parts: Uint8Array[] = [];
  // Its few bytes are no line of progress, but what goes wrong is.
  const onProgress = (progress: RegistryProgress): void => { if (progress.kind !== "transfer") tell(progress); };
  for await (const part of client.openBlob(reference, descriptor, { signal, onProgress })) parts.push(part);
  const raw = Buffer.concat(parts);
  await using ingest = await content.ingest(descriptor.digest, raw.length, signal);
  if (ingest !== undefined) {
    ingest.restart();
    ingest.write(raw);
    await ingest.commit();
  }
  return raw;
}

interface Receiver {
  readonly content: ContentStore;
  readonly client: RegistryClient;
  readonly reference: Reference;
  readonly tell: (progress: Progress) => void;
}

/**
 * The bytes of a layer, from the store as far as they are there, then from the registry and into the store. When another process
 * receives the same ones, waits for it.
 */
async function* receiveLayer({ content, client, reference, tell }: Receiver, layer: Descriptor, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const id = idOf(layer);
  await using ingest = await content.ingest(layer.digest, layer.size, signal);
  if (ingest === undefined) {
    yield* content.read(layer.digest);
    return;
  }
  tell({ id, status: "Downloading", currentBytes: ingest.offset, totalBytes: layer.size });
  const onProgress = transportProgress((progress) => { tell({ ...progress, id: progress.id ?? id }); });
  // Whoever unpacks may give up in the middle because of what the bytes are: then they are not worth keeping either.
  let isWorthKeeping = false;
  try {
    yield* ingest.received();
    const chunks = client.openBlob(reference, layer, { keeper: ingest, signal, onProgress })[Symbol.asyncIterator]();
    try {
      for (;;) {
        isWorthKeeping = true;
        const next = await chunks.next();
        if (next.done === true) break;
        isWorthKeeping = false;
        ingest.write(next.value);
        yield next.value;
      }
    } finally {
      await chunks.return?.();
    }
  } catch (error) {
    if (error instanceof SampanError && (error.code === "DIGEST_MISMATCH" || error.code === "SIZE_MISMATCH")) isWorthKeeping = false;
    throw error;
  } finally {
    if (!isWorthKeeping && !signal.aborted) ingest.restart();
  }
  // Not flushed: fdatasync(2) on ext4 would wait for the files that are just being unpacked, and the registry has it still.
  await ingest.commit({ flush: false });
  tell({ id, status: "Download complete" });
}

/** A layer as Docker names it in progress: by the digest of the compressed blob. */
function idOf({ digest }: { readonly digest: Digest }): string {
  return digestHex(digest).slice(0, 12);
}

function transportProgress(tell: (progress: Progress) => void): (progress: RegistryProgress) => void {
  return (progress) => {
    switch (progress.kind) {
      case "transfer":
        return tell({ id: idOf(progress), status: "Downloading", currentBytes: progress.doneBytes, totalBytes: progress.totalBytes });
      case "retry":
        return tell({ status: `Retrying in ${Math.ceil(progress.delayMs / 1000)} seconds: ${progress.reason}` });
      case "fallback":
        return tell({ status: `Cannot use ${progress.from} (${progress.reason}), trying ${progress.to}` });
    }
  };
}

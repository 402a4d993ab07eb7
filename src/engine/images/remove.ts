import { SampanError } from "../../base/errors.ts";
import { shortId } from "../../base/ids.ts";
import { digestHex, type Digest } from "../../oci/digest.ts";
import { familiarReference, formatReference, parseReference, repositoryName } from "../../oci/reference.ts";
import type { ContainerRecord, ImageRecord } from "../../storage/state/index.ts";
import type { Cancellable, Filters, ImageRemoval, PruneOptions } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { openContent, publishReferences } from "./catalog.ts";
import { findImage, noSuchImage } from "./find.ts";
import { expireLeases } from "./keep.ts";
import { LayerStore } from "./layer-store.ts";
import { containersOf, imageFilter } from "./list.ts";

const RUNNING = new Set<ContainerRecord["status"]>(["running", "paused", "restarting", "creating"]);

/**
 * Takes a name away, and the image when that was its last; by id, image and names at once. Docker's rules: a name among several goes
 * without questions; the last one is kept while a container needs the image, unless forced; a running container's image
 * stays, whatever is said.
 */
export async function removeImage(context: EngineContext, name: string, { force }: Cancellable & { readonly force: boolean; readonly noPrune: boolean }): Promise<ImageRemoval[]> {
  const removed: ImageRemoval[] = [];
  const gone = context.store.transaction(() => {
    const { image, reference } = findImage(context, name);
    const outcome = reference === undefined ? removeById(context, image, force) : removeByName(context, image, reference.tag === undefined ? undefined : formatReference(reference), name, force);
    removed.push(...outcome.removed);
    tellUntagged(context, image, outcome.removed);
    return outcome.deleted ? image : undefined;
  });
  removed.push(...(await collect(context, gone === undefined ? [] : [gone])).removed);
  return removed;
}

interface Outcome {
  readonly removed: ImageRemoval[];
  readonly deleted: boolean;
}

/** `tag` is whole ("docker.io/library/nginx:1"); undefined where the person gave a digest. */
function removeByName(context: EngineContext, image: ImageRecord, tag: string | undefined, name: string, force: boolean): Outcome {
  const { images } = context.store;
  const tags = images.tags(image.id).map(({ reference }) => reference);
  const isLast = tag === undefined ? tags.length === 0 : tags.length === 1;
  const users = containersOf(context, image.id);
  const [user] = users;
  if (!force && isLast && user !== undefined) {
    const shown = tag === undefined ? name : familiarReference(parseReference(tag));
    throw new SampanError("conflict", `conflict: unable to remove repository reference ${JSON.stringify(shown)} (must force) - container ${shortId(user.id)} is using its referenced image ${shortOf(image.id)}`, {
      code: "IMAGE_IN_USE", hint: `Remove the container first: sampan rm ${user.name}`,
    });
  }
  const removed: ImageRemoval[] = [];
  if (tag === undefined) {
    // By digest, and its names stay: only the digest is forgotten.
    const digest = image.repoDigests.find((it) => it.endsWith(name.slice(name.indexOf("@"))));
    if (digest === undefined) throw noSuchImage(name);
    if (!isLast) {
      images.put({ ...image, repoDigests: image.repoDigests.filter((it) => it !== digest) });
      return { removed: [{ untagged: familiarReference(parseReference(digest)) }], deleted: false };
    }
  } else {
    images.untag(tag);
    removed.push({ untagged: familiarReference(parseReference(tag)) });
    const repository = repositoryName(parseReference(tag));
    const hasOthers = tags.some((other) => other !== tag && repositoryName(parseReference(other)) === repository);
    const stale = hasOthers ? [] : image.repoDigests.filter((digest) => repositoryName(parseReference(digest)) === repository);
    if (!isLast) {
      images.put({ ...image, repoDigests: image.repoDigests.filter((digest) => !stale.includes(digest)) });
      return { removed: [...removed, ...stale.map((digest) => ({ untagged: familiarReference(parseReference(digest)) }))], deleted: false };
    }
  }
  removed.push(...image.repoDigests.map((digest) => ({ untagged: familiarReference(parseReference(digest)) })));
  // Forced: one that runs keeps the image, without its names; one that does not keeps the layers alone.
  if (users.some(({ status }) => RUNNING.has(status))) {
    images.put({ ...image, repoDigests: [] });
    return { removed, deleted: false };
  }
  images.delete(image.id);
  return { removed, deleted: true };
}

function removeById(context: EngineContext, image: ImageRecord, force: boolean): Outcome {
  const { images } = context.store;
  const tags = images.tags(image.id).map(({ reference }) => reference);
  const repositories = new Set(tags.map((tag) => repositoryName(parseReference(tag))));
  const refuse = (how: "cannot be forced" | "must be forced", why: string): never => {
    throw new SampanError("conflict", `conflict: unable to delete ${shortOf(image.id)} (${how}) - ${why}`, { code: "IMAGE_IN_USE" });
  };
  const users = containersOf(context, image.id);
  const running = users.find(({ status }) => RUNNING.has(status));
  if (running !== undefined) refuse("cannot be forced", `image is being used by running container ${shortId(running.id)}`);
  const [stopped] = users;
  if (!force && repositories.size > 1) refuse("must be forced", "image is referenced in multiple repositories");
  if (!force && stopped !== undefined) refuse("must be forced", `image is being used by stopped container ${shortId(stopped.id)}`);
  images.delete(image.id);
  const untagged = [...tags, ...image.repoDigests].map((text) => ({ untagged: familiarReference(parseReference(text)) }));
  return { removed: untagged, deleted: true };
}

/** One event a name, as Docker has them: named after the image, since the name is gone. */
function tellUntagged({ store }: EngineContext, { id, labels }: ImageRecord, removed: readonly ImageRemoval[]): void {
  for (const { untagged } of removed) if (untagged !== undefined) store.events.append({ type: "image", action: "untag", actorId: id, timeNs: BigInt(Date.now()) * 1_000_000n, attributes: { ...labels, name: id } });
}

function shortOf(id: Digest): string {
  return shortId(digestHex(id));
}

/** Removes images without a name, or with `all` every one that no container uses. */
export async function pruneImages(context: EngineContext, { all, filters = {} }: PruneOptions & { readonly all: boolean }): Promise<{ removed: ImageRemoval[]; reclaimedBytes: number }> {
  const { dangling, ...rest } = filters;
  const wanted = imageFilter(context, checked(rest));
  const everything = all || dangling?.some((value) => /^(false|0)$/i.test(value)) === true;
  const removed: ImageRemoval[] = [];
  const gone = context.store.transaction(() => {
    const { images, containers } = context.store;
    const used = new Set(containers.list().map(({ imageId }) => imageId));
    const chosen = images.list().filter((image) => !used.has(image.id) && wanted(image) && (everything || images.tags(image.id).length === 0));
    for (const image of chosen) {
      const names = [...images.tags(image.id).map(({ reference }) => reference), ...image.repoDigests];
      const untagged = names.map((text) => ({ untagged: familiarReference(parseReference(text)) }));
      tellUntagged(context, image, untagged);
      removed.push(...untagged);
      images.delete(image.id);
    }
    return chosen;
  });
  const { removed: deleted, bytes } = await collect(context, gone, true);
  return { removed: [...removed, ...deleted], reclaimedBytes: bytes };
}

function checked(filters: Filters): Filters {
  for (const key of Object.keys(filters)) if (!["until", "label", "label!"].includes(key)) throw new SampanError("invalid", `invalid filter '${key}'`);
  return filters;
}

/**
 * Removes layers and blobs that nobody refers to any more, and with `thorough` also what crashes and broken downloads left behind.
 * Gives the lines to print for images that are gone.
 */
export async function collect(context: EngineContext, gone: readonly ImageRecord[], thorough = false): Promise<{ removed: ImageRemoval[]; bytes: number }> {
  const { store } = context;
  expireLeases(context);
  const content = await openContent(context);
  const layers = new LayerStore(context);
  const removed: ImageRemoval[] = gone.map(({ id }) => ({ deleted: id }));
  for (const { id } of gone) store.events.append({ type: "image", action: "delete", actorId: id, timeNs: BigInt(Date.now()) * 1_000_000n, attributes: { name: id } });
  let bytes = 0;
  // Uppermost first, as far as each is unreferenced.
  for (const { chainId } of store.layers.unreferenced()) {
    const freed = layers.remove(chainId);
    if (freed === undefined) continue;
    bytes += freed;
    if (gone.length > 0) removed.push({ deleted: chainId });
  }
  if (thorough) {
    bytes += layers.sweep();
    const { sweepScratch } = await import("./source.ts");
    sweepScratch(context);
  }
  await publishReferences(context, content);
  const swept = await content.gc({
    partial: thorough,
    roots: () => [...store.layers.liveBlobs()].map((digest) => ({ mediaType: "application/octet-stream", digest, size: 0 })),
  });
  return { removed, bytes: bytes + swept.bytes };
}

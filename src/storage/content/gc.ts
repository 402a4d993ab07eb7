import { readdirSync, rmSync, statSync } from "node:fs";
import type { Descriptor } from "../../oci/descriptor.ts";
import { isDigest, type Digest } from "../../oci/digest.ts";
import { parseManifest } from "../../oci/manifest.ts";
import { manifestKindOf } from "../../oci/media-types.ts";
import { leasedDigests, lockStore } from "./leases.ts";
import { tryLock } from "./lock.ts";
import { ALGORITHMS, type StorePaths } from "./paths.ts";
import { readIndex, sweepUnfinished } from "./references.ts";

export interface GcOptions {
  /**
   * What is to stay besides the entries of index.json and what leases hold. Manifests and indexes keep what they
   * refer to. Asked under the store's lock, so that it cannot be out of date: it must not call the store's writers.
   */
  readonly roots?: () => Promise<Iterable<Descriptor>> | Iterable<Descriptor>;
  /** Also remove half-received blobs that nobody is receiving. */
  readonly partial?: boolean;
  /** Only say what would go. */
  readonly dryRun?: boolean;
}

export interface GcResult {
  readonly deleted: readonly Digest[];
  readonly bytes: number;
}

/** Mark and sweep. Readers of a swept blob that have it open keep their bytes; nobody can look it up any more. */
export async function collectGarbage(paths: StorePaths, options: GcOptions, read: (digest: Digest) => Promise<Uint8Array | undefined>): Promise<GcResult> {
  using _store = await lockStore(paths);
  const kept = leasedDigests(paths);
  const pending: Descriptor[] = [...readIndex(paths), ...((await options.roots?.()) ?? [])];
  const marked = new Set<Digest>();
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (marked.has(next.digest)) continue;
    marked.add(next.digest);
    if (manifestKindOf(next.mediaType) === undefined) continue;
    // Platforms of an index that were never pulled are not there, and need nothing kept.
    const raw = await read(next.digest);
    if (raw === undefined) continue;
    const document = parseManifest(raw, next.mediaType);
    pending.push(...(document.kind === "index" ? document.manifests : [document.config, ...document.layers]));
  }
  for (const digest of marked) kept.add(digest);

  const deleted: Digest[] = [];
  let bytes = 0;
  const remove = (path: string): void => {
    bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (options.dryRun !== true) rmSync(path, { force: true });
  };
  for (const algorithm of ALGORITHMS) {
    for (const hex of readdirSync(paths.blobs(algorithm))) {
      const digest = `${algorithm}:${hex}`;
      if (!isDigest(digest) || kept.has(digest)) continue;
      remove(paths.blob(digest));
      deleted.push(digest);
    }
  }
  if (options.partial === true) sweepPartial(paths, kept, remove);
  if (options.dryRun !== true) {
    sweepLocks(paths);
    sweepUnfinished(paths);
  }
  return { deleted, bytes };
}

function sweepPartial(paths: StorePaths, kept: ReadonlySet<Digest>, remove: (path: string) => void): void {
  for (const name of readdirSync(paths.ingests)) {
    const digest = name.replace("-", ":");
    if (isDigest(digest) && kept.has(digest)) continue;
    using lock = tryLock(paths.lock(name));
    if (lock !== undefined) remove(`${paths.ingests}/${name}`);
  }
}

/** Lock files of blobs that nobody is receiving. `tryLock` copes with a file that goes away under it. */
function sweepLocks(paths: StorePaths): void {
  for (const name of readdirSync(paths.locks)) {
    if (name === "store.lock") continue;
    using lock = tryLock(`${paths.locks}/${name}`);
    if (lock !== undefined) rmSync(`${paths.locks}/${name}`, { force: true });
  }
}

import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { errnoOf, SampanError } from "../../base/index.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { digestAlgorithm, digestOf, isDigest, type Digest } from "../../oci/digest.ts";
import { MANIFEST_BYTES_MAX } from "../../oci/manifest.ts";
import { collectGarbage, type GcOptions, type GcResult } from "./gc.ts";
import { startIngest, type Ingest } from "./ingest.ts";
import { createLease, lockStore, type Lease } from "./leases.ts";
import { acquireLock } from "./lock.ts";
import { ALGORITHMS, StorePaths } from "./paths.ts";
import { readIndex, toNamed, withName, writeAtomically, writeIndex, type NamedManifest } from "./references.ts";

export interface BlobInfo {
  readonly digest: Digest;
  readonly size: number;
}

const READ_BYTES = 256 * 1024;

/** See index.ts for the layout and the promises. Safe to open in any number of processes. */
export class ContentStore {
  readonly #paths: StorePaths;

  constructor(paths: StorePaths) {
    this.#paths = paths;
  }

  get root(): string {
    return this.#paths.root;
  }

  has(digest: Digest): boolean {
    return existsSync(this.#paths.blob(digest));
  }

  /** Bytes of a blob; undefined when it is not there. */
  sizeOf(digest: Digest): number | undefined {
    return statSync(this.#paths.blob(digest), { throwIfNoEntry: false })?.size;
  }

  /**
   * A whole small blob (a manifest, a config), its digest checked again. Throws `not-found` (BLOB_UNKNOWN), and `invalid` for more than
   * `maxBytes` or for content that the disk has changed.
   */
  async get(digest: Digest, maxBytes: number = 2 * MANIFEST_BYTES_MAX): Promise<Uint8Array> {
    await using file = await this.#openBlob(digest);
    const { size } = await file.stat();
    if (size > maxBytes)
      throw new SampanError("invalid", `Cannot read blob "${digest}": it has ${size} bytes, more than ${maxBytes}`, { code: "SIZE_INVALID" });
    const bytes = await file.readFile();
    const actual = digestOf(bytes, digestAlgorithm(digest));
    if (actual !== digest)
      throw new SampanError("invalid", `Cannot read blob "${digest}": its content on disk has the digest ${actual}`, { code: "DIGEST_INVALID" });
    return bytes;
  }

  /** A blob as a stream, from byte `start` on. Not checked: who unpacks it compares the diff ID. Throws `not-found`. */
  async *read(digest: Digest, start = 0): AsyncGenerator<Uint8Array> {
    await using file = await this.#openBlob(digest);
    for (let at = start; ; ) {
      // A new buffer each time: whoever reads may keep the chunk.
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  /**
   * Begins or resumes receiving a blob. Waits while another process receives the same one; undefined when it is there in the end, so that twenty
   * pulls of one image make one download. Throws `signal`'s reason when aborted.
   */
  async ingest(digest: Digest, size: number, signal?: AbortSignal): Promise<Ingest | undefined> {
    if (this.has(digest)) return undefined;
    const lock = await acquireLock(this.#paths.lock(digest), signal);
    if (this.has(digest)) {
      lock.release();
      return undefined;
    }
    try {
      return await startIngest(this.#paths, digest, size, lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Stores bytes that are in memory: a manifest, a config. */
  async put(bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    const digest = digestOf(bytes);
    await using ingest = await this.ingest(digest, bytes.length);
    if (ingest !== undefined) {
      ingest.restart();
      ingest.write(bytes);
      await ingest.commit();
    }
    return { mediaType, digest, size: bytes.length };
  }

  /** A lease, to be taken before anything is looked up or received that nothing refers to yet. */
  lease(): Promise<Lease> {
    return createLease(this.#paths);
  }

  /** Entries of index.json. */
  references(): NamedManifest[] {
    return readIndex(this.#paths).map(toNamed);
  }

  /** Points `name` to a manifest or index that is in the store, in place of what it pointed to. */
  async setReference(name: string, descriptor: Descriptor): Promise<void> {
    if (!this.has(descriptor.digest)) throw missing(descriptor.digest);
    await this.updateReferences((all) => [...all.filter((entry) => entry.name !== name), { name, descriptor }]);
  }

  /** Takes a name away; false when there was none. Its blobs stay until `gc`. */
  async removeReference(name: string): Promise<boolean> {
    let found = false;
    await this.updateReferences((all) => {
      const rest = all.filter((entry) => entry.name !== name);
      found = rest.length !== all.length;
      return rest;
    });
    return found;
  }

  /** Replaces the entries of index.json by what `change` makes of them, as one step that no other process can come between. */
  async updateReferences(change: (all: readonly NamedManifest[]) => readonly NamedManifest[]): Promise<void> {
    using _store = await lockStore(this.#paths);
    const before = this.references();
    const after = change(before);
    writeIndex(this.#paths, after.map(({ name, descriptor }) => withName(descriptor, name)));
  }

  /** All whole blobs. */
  list(): BlobInfo[] {
    const found: BlobInfo[] = [];
    for (const algorithm of ALGORITHMS) {
      for (const hex of readdirSync(this.#paths.blobs(algorithm))) {
        const digest = `${algorithm}:${hex}`;
        if (!isDigest(digest)) continue;
        const size = this.sizeOf(digest);
        if (size !== undefined) found.push({ digest, size });
      }
    }
    return found;
  }

  /** Bytes of the blobs, and of what was received of unfinished ones. */
  usage(): { blobs: number; bytes: number; partialBytes: number } {
    const blobs = this.list();
    let partialBytes = 0;
    for (const name of readdirSync(this.#paths.ingests)) partialBytes += statSync(`${this.#paths.ingests}/${name}`, { throwIfNoEntry: false })?.size ?? 0;
    return { blobs: blobs.length, bytes: blobs.reduce((sum, { size }) => sum + size, 0), partialBytes };
  }

  /** Removes one blob, whoever refers to it; false when it was not there. For content found to be corrupt. */
  delete(digest: Digest): boolean {
    const had = this.has(digest);
    rmSync(this.#paths.blob(digest), { force: true });
    return had;
  }

  gc(options: GcOptions = {}): Promise<GcResult> {
    return collectGarbage(this.#paths, options, async (digest) => (this.has(digest) ? this.get(digest) : undefined));
  }

  async #openBlob(digest: Digest): Promise<FileHandle> {
    try {
      return await open(this.#paths.blob(digest), "r");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") throw missing(digest);
      throw error;
    }
  }
}

function missing(digest: Digest): SampanError {
  return new SampanError("not-found", `Cannot read blob "${digest}": it is not in the image store`, { code: "BLOB_UNKNOWN" });
}

/** Opens the store at `root`, an absolute path, and makes it if it is not there. */
export async function openContentStore(root: string): Promise<ContentStore> {
  const paths = new StorePaths(root);
  if (!existsSync(paths.index)) {
    for (const directory of [...ALGORITHMS.map((algorithm) => paths.blobs(algorithm)), paths.ingests, paths.leases, paths.locks]) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    }
    using _store = await lockStore(paths);
    if (!existsSync(`${root}/oci-layout`)) writeAtomically(`${root}/oci-layout`, `{"imageLayoutVersion":"1.0.0"}`);
    if (!existsSync(paths.index)) writeIndex(paths, []);
  }
  return new ContentStore(paths);
}

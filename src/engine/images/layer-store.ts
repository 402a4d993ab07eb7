import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import { collectMemory } from "../../base/heavy.ts";
import { digestHex, isDigest, type Digest } from "../../oci/digest.ts";
import { acquireLock, tryLock, type FileLock } from "../../storage/content/index.ts";
import { applyLayer, BatchPool, inheritDirectories, KeelSink, openLayerView, type LayerSummary, type LayerView } from "../../storage/layers/index.ts";
import type { EngineContext } from "../context.ts";
import { makePrivate } from "../context.ts";
import { diskBytes } from "../system/disk-bytes.ts";

/**
 * Unpacked layers on disk, by chain ID:
 *
 *     layers/HEX/fs            the files, as overlayfs wants them; a lower directory of containers
 *     layers/HEX/layer.json    what was learned when it was unpacked
 *     layers/HEX/opaque        there only if nothing beneath it shows through
 *     layers/NAME.new/         one that is being made or removed, by whoever holds locks/NAME.lock; else left by a crash
 *
 * A directory gets its name when it is whole, on the disk, and its diff ID was right; the row in the store comes after. It loses its
 * name before the first of its files. So what has a name can be trusted, with or without a row, and what has ".new" cannot.
 */
export class LayerStore {
  readonly #context: EngineContext;
  readonly #root: string;
  readonly #batches = new BatchPool();

  constructor(context: EngineContext) {
    this.#context = context;
    this.#root = context.paths.layers;
    // Opening the store makes its directories, and the run state's.
    if (context.store.path !== "" && !existsSync(`${this.#root}/locks`)) {
      makePrivate(this.#root);
      makePrivate(`${this.#root}/locks`);
    }
  }

  directory(chainId: Digest): string {
    return `${this.#root}/${digestHex(chainId)}`;
  }

  /** It is there, whole, and the store knows of it. */
  has(chainId: Digest): boolean {
    return this.#context.store.layers.get(chainId) !== undefined && existsSync(`${this.directory(chainId)}/fs`);
  }

  /** One process at a time makes, or removes, the layer of a name. */
  lock(name: string, signal?: AbortSignal): Promise<FileLock> {
    return acquireLock(this.#lockPath(name), signal);
  }

  /** Begins a layer under a name whose lock is held. */
  async begin(name: string): Promise<NewLayer> {
    const path = `${this.#root}/${name}.new`;
    rmSync(path, { recursive: true, force: true });
    try {
      mkdirSync(`${path}/fs`, { recursive: true, mode: 0o700 });
      const { keel } = this.#context;
      return new NewLayer(path, await KeelSink.open(`${path}/fs`, { keel, directory: path }, this.#batches));
    } catch (error) {
      rmSync(path, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * Gives a new layer its name, on top of `below` (nearest first, all of them there already). The lock of the chain ID is held.
   */
  async publish(layer: NewLayer, chainId: Digest, below: readonly Digest[]): Promise<void> {
    const { summary } = layer;
    if (summary.implicit.length > 0 && below.length > 0) await inheritDirectories(summary, below.map((id) => this.#view(id)), layer.sink);
    const record: StoredSummary = { ...summary, parent: below[0] ?? null };
    writeFileSync(`${layer.path}/layer.json`, JSON.stringify(record), { mode: 0o600 });
    if (summary.opaqueRoot) writeFileSync(`${layer.path}/opaque`, "");
    await layer.sink.sync();
    await layer.close();
    const directory = this.directory(chainId);
    rmSync(directory, { recursive: true, force: true }); // without a description, or it would have been taken up
    renameSync(layer.path, directory);
    this.#record(chainId, record);
  }

  /** Takes up a layer that got its name just before its maker was killed. The lock is held. */
  adopt(chainId: Digest): boolean {
    if (!existsSync(`${this.directory(chainId)}/layer.json`)) return false;
    this.#record(chainId, this.summary(chainId));
    return true;
  }

  summary(chainId: Digest): StoredSummary {
    try {
      // Written by `publish`.
      return JSON.parse(readFileSync(`${this.directory(chainId)}/layer.json`, "utf8")) as StoredSummary;
    } catch (cause) {
      throw new SampanError("internal", `Cannot read layer "${chainId}": its description is missing or damaged`, { cause, hint: "remove the images that use it and pull them again" });
    }
  }

  /** Removes a layer if nobody refers to it. Gives back the bytes it took, undefined if it stays. */
  remove(chainId: Digest): number | undefined {
    const { layers } = this.#context.store;
    using lock = tryLock(this.#lockPath(digestHex(chainId)));
    if (lock === undefined || !layers.deleteUnreferenced(chainId)) return undefined;
    return this.#removeDirectory(digestHex(chainId));
  }

  /** Removes what crashes have left behind: directories without a row, and unfinished ones that nobody is making. */
  sweep(): number {
    let bytes = 0;
    const { store } = this.#context;
    const leased = store.layers.liveBlobs();
    for (const name of readdirSync(this.#root)) {
      if (name === "locks" || name === "empty") continue;
      const chainId = `sha256:${name}`;
      if (isDigest(chainId) && (store.layers.get(chainId) !== undefined || leased.has(chainId))) continue;
      const bare = name.replace(/\.new$/, "");
      using lock = tryLock(this.#lockPath(bare));
      if (lock === undefined || (isDigest(chainId) && store.layers.get(chainId) !== undefined)) continue;
      bytes += bare === name ? this.#removeDirectory(name) : removeTree(`${this.#root}/${name}`);
    }
    for (const name of readdirSync(`${this.#root}/locks`)) {
      using lock = tryLock(`${this.#root}/locks/${name}`);
      if (lock !== undefined) rmSync(`${this.#root}/locks/${name}`, { force: true });
    }
    return bytes;
  }

  #lockPath(name: string): string {
    return `${this.#root}/locks/${name}.lock`;
  }

  /** Whoever is killed in the middle of it leaves no name on half a layer. The lock is held. */
  #removeDirectory(name: string): number {
    const [named, unnamed] = [`${this.#root}/${name}`, `${this.#root}/${name}.new`];
    const bytes = removeTree(unnamed);
    if (existsSync(named)) renameSync(named, unnamed);
    return bytes + removeTree(unnamed);
  }

  #view(chainId: Digest): LayerView {
    return openLayerView(`${this.directory(chainId)}/fs`, this.summary(chainId));
  }

  #record(chainId: Digest, summary: StoredSummary): void {
    const { diffId, bytes, parent } = summary;
    this.#context.store.layers.put({ chainId, diffId, parent, sizeBytes: bytes, path: `${this.directory(chainId)}/fs`, createdMs: Date.now() });
  }
}

export interface StoredSummary extends LayerSummary {
  readonly diffId: Digest;
  readonly parent: Digest | null;
}

export interface UnpackOptions {
  readonly diffId?: Digest;
  readonly signal?: AbortSignal;
}

/** Decompressed bytes after which the buffers that held them are collected: they are large, and the collector sees only how many there are. */
const COLLECT_EVERY_BYTES = 128 * 1024 * 1024;

/** A layer on its way; disposing of it before it was published leaves nothing. */
class NewLayer implements AsyncDisposable {
  readonly path: string;
  readonly sink: KeelSink;
  #summary: (LayerSummary & { readonly diffId: Digest }) | undefined;
  #open = true;
  #collectedAt = 0;

  constructor(path: string, sink: KeelSink) {
    this.path = path;
    this.sink = sink;
  }

  get summary(): LayerSummary & { readonly diffId: Digest } {
    if (this.#summary === undefined) throw new SampanError("internal", "Cannot publish a layer that was not unpacked");
    return this.#summary;
  }

  /** From the uncompressed tar. */
  async unpack(source: AsyncIterable<Uint8Array>, options: UnpackOptions): Promise<void> {
    const onProgress = (bytes: number): void => {
      if (bytes - this.#collectedAt < COLLECT_EVERY_BYTES) return;
      this.#collectedAt = bytes;
      collectMemory();
    };
    this.#summary = await applyLayer(source, this.sink, { ...options, onProgress });
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.sink.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    rmSync(this.path, { recursive: true, force: true });
  }
}

function removeTree(path: string): number {
  const bytes = diskBytes(path);
  rmSync(path, { recursive: true, force: true });
  return bytes;
}

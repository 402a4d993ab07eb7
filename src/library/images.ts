import type {
  CopySource, Engine as EngineApi, Filters, HistoryEntry, ImageDetails, ImageRemoval, ImageSummary, LoadedImage, PulledImage, PushedImage,
} from "../engine/index.ts";
import { ProblemsError } from "../base/errors.ts";
import { untilAborted } from "../base/until-aborted.ts";
import { checkCalls, IMAGES } from "./calls.ts";
import type { Cancellable } from "./cancel.ts";
import { Task } from "./task.ts";

export interface TransferOptions extends Cancellable {
  readonly allTags?: boolean;
  /** "linux/arm64"; this machine's if it is left out. */
  readonly platform?: string;
  /** undefined: plain HTTP only for loopback and what the configuration names. */
  readonly tlsVerify?: boolean;
}

/** Where an archive comes from: a file of this machine, or its bytes. */
export type ArchiveSource = string | AsyncIterable<Uint8Array>;

/** Images of one engine, by reference, id or a unique prefix of one. */
export class Images {
  static {
    checkCalls(Images.prototype, IMAGES);
  }

  readonly #engine: EngineApi;

  constructor(engine: EngineApi) {
    this.#engine = engine;
  }

  /**
   * Downloads an image. Await it, or read its progress first.
   *
   * ```ts no-run
   * const pull = engine.images.pull("alpine:3");
   * for await (const { id, status } of pull) console.log(id, status);
   * const [image] = await pull;
   * ```
   */
  pull(reference: string, options: TransferOptions = {}): Task<readonly PulledImage[]> {
    return new Task((onProgress) => this.#engine.images.pull(reference, { ...options, allTags: options.allTags ?? false, onProgress }));
  }

  /** Uploads an image. */
  push(reference: string, options: TransferOptions = {}): Task<readonly PushedImage[]> {
    return new Task((onProgress) => this.#engine.images.push(reference, { ...options, allTags: options.allTags ?? false, onProgress }));
  }

  /** Reads images from an archive that `save`, Docker or an OCI tool has written; of an image for several platforms those that are named. */
  load(source: ArchiveSource, options: { readonly platforms?: readonly string[] } & Cancellable = {}): Task<readonly LoadedImage[]> {
    return new Task((onProgress) => this.#engine.images.load(sourceOf(source, options.signal), { ...options, onProgress }));
  }

  /**
   * Makes an image of one layer from a tar archive of files, or from what is at a URL; the new image's id. `changes` are a Dockerfile's
   * words: `CMD ["sh"]`.
   */
  import(
    source: ArchiveSource | URL,
    reference = "",
    options: { readonly changes?: readonly string[]; readonly message?: string; readonly platform?: string } & Cancellable = {},
  ): Task<{ readonly id: string }> {
    const { changes = [], message = "", platform, ...rest } = options;
    return new Task((onProgress) =>
      this.#engine.images.import(source instanceof URL ? { url: source.href } : sourceOf(source, options.signal), { reference, message, changes, platform }, {
        ...rest,
        onProgress,
      }));
  }

  /** Images as one archive that `docker load` reads too. */
  save(
    names: readonly string[],
    options: { readonly format?: "docker" | "oci"; readonly platforms?: readonly string[] } & Cancellable = {},
  ): AsyncIterable<Uint8Array> {
    return this.#engine.images.save(names, options);
  }

  /** Images as an OCI layout, in a directory that is empty or not there yet. */
  saveTo(directory: string, names: readonly string[], options: { readonly platforms?: readonly string[] } & Cancellable = {}): Task<void> {
    return new Task((onProgress) => this.#engine.images.saveDirectory(names, directory, { ...options, onProgress }));
  }

  list(options: { readonly all?: boolean; readonly filters?: Filters } & Cancellable = {}): Promise<readonly ImageSummary[]> {
    return this.#engine.images.list({ ...options, all: options.all ?? false });
  }

  inspect(name: string, options: { readonly platform?: string } & Cancellable = {}): Promise<ImageDetails> {
    return this.#engine.images.inspect(name, options);
  }

  history(name: string, options: { readonly platform?: string } & Cancellable = {}): Promise<readonly HistoryEntry[]> {
    return this.#engine.images.history(name, options);
  }

  tag(name: string, target: string, options: Cancellable = {}): Promise<void> {
    return this.#engine.images.tag(name, target, options);
  }

  remove(name: string, options: { readonly force?: boolean; readonly noPrune?: boolean } & Cancellable = {}): Promise<readonly ImageRemoval[]> {
    return this.#engine.images.remove(name, { ...options, force: options.force ?? false, noPrune: options.noPrune ?? false });
  }

  /** Removes dangling ones, or with `all` every one that no container uses. */
  prune(
    options: { readonly all?: boolean; readonly filters?: Filters } & Cancellable = {},
  ): Promise<{ readonly removed: readonly ImageRemoval[]; readonly reclaimedBytes: number }> {
    return this.#engine.images.prune({ ...options, all: options.all ?? false });
  }
}

/** The same for the engine. */
export function sourceOf(source: ArchiveSource, signal: AbortSignal | undefined): CopySource {
  return typeof source === "string" ? { path: source } : { archive: bytesOnly(untilAborted(source, signal)) };
}

/** An archive that was read as text is no archive any more: better to say so than to call the archive damaged. */
async function* bytesOnly(source: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    if (!(piece instanceof Uint8Array))
      throw new ProblemsError([`What the archive's iterable gives is not bytes: ${typeof piece === "string" ? "a string" : String(piece)}`]);
    yield piece;
  }
}

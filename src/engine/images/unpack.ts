import { SampanError } from "../../base/errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { digestHex } from "../../oci/digest.ts";
import { chainIds } from "../../oci/image-config.ts";
import { layerCompression } from "../../oci/media-types.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Image } from "../../images/index.ts";
import { decompress } from "../../storage/compression/index.ts";
import type { ContentStore } from "../../storage/content/index.ts";
import type { LayerStore } from "./layer-store.ts";

/**
 * How many layers are being received and unpacked at once. Each takes a decompressor with its own thread, and some MB; more than
 * this only wait for each other. Docker's number, too.
 */
const LAYERS_AT_ONCE = 3;
/**
 * How many are on their way at all: those, and the ones that are unpacked and only wait for the disk or for the layer beneath. Each
 * has a keel, some descriptors and two batches of calls.
 */
const LAYERS_UNDERWAY = 8;

export type LayerStatus = "Pulling fs layer" | "Waiting" | "Extracting" | "Pull complete" | "Already exists";

export interface UnpackImageOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onStatus?: ((layer: Descriptor, status: LayerStatus) => void) | undefined;
  /** The compressed bytes of a layer that is not in the store; when they end without error, it is there. */
  readonly receive?: ((layer: Descriptor, signal: AbortSignal) => AsyncIterable<Uint8Array>) | undefined;
}

/**
 * Makes an image's layers be there, unpacked, several at once and each as one stream. A layer gets its name only after the one
 * beneath it has. Whatever fails ends the rest. What is there by then stays and is not made again.
 */
export async function unpackImage(
  content: ContentStore,
  layers: LayerStore,
  { manifest, config }: Pick<Image, "manifest" | "config">,
  options: UnpackImageOptions = {},
): Promise<void> {
  const diffIds = config.config.rootfs.diff_ids;
  const chain = chainIds(diffIds);
  const failed = new AbortController();
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal]);
  const done: Promise<void>[] = [];
  const [underway, streams] = [new Slots(LAYERS_UNDERWAY), new Slots(LAYERS_AT_ONCE)];
  for (const [index, descriptor] of manifest.layers.entries()) {
    const [chainId, diffId] = [chain[index], diffIds[index]];
    if (chainId === undefined || diffId === undefined) throw new SampanError("internal", "Cannot unpack image: layers and diff IDs do not match");
    const job: LayerJob = { descriptor, chainId, diffId, below: chain.slice(0, index).reverse(), beneath: done[index - 1], streams, signal, options };
    const made = underway.take().then(async (place) => {
      using _place = place;
      await makeLayer(content, layers, job);
    });
    made.catch((error: unknown) => { failed.abort(error); }); // told below
    done.push(made);
  }
  const results = await Promise.allSettled(done);
  if (options.signal?.aborted === true) throw new SampanError("cancelled", "Cannot go on: cancelled", { cause: options.signal.reason });
  if (failed.signal.aborted) throw failed.signal.reason;
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

interface LayerJob {
  readonly descriptor: Descriptor;
  readonly chainId: Digest;
  readonly diffId: Digest;
  /** Chain IDs beneath, nearest first. */
  readonly below: readonly Digest[];
  /** Resolves when the layer beneath has its name. */
  readonly beneath: Promise<void> | undefined;
  /** Held while bytes flow. */
  readonly streams: Slots;
  readonly signal: AbortSignal;
  readonly options: UnpackImageOptions;
}

async function makeLayer(content: ContentStore, layers: LayerStore, job: LayerJob): Promise<void> {
  const { descriptor, chainId, diffId, below, beneath, streams, signal, options } = job;
  const { digest } = descriptor;
  using stream = await streams.take();
  signal.throwIfAborted();
  if (layerCompression(descriptor.mediaType) === undefined)
    throw new SampanError(
      "unsupported",
      `Cannot unpack layer "${digest}": media type ${JSON.stringify(descriptor.mediaType.slice(0, 200))} is not a layer's, or its compression is not supported`,
      { code: "MEDIA_TYPE" },
    );
  using _lock = await layers.lock(digestHex(chainId), signal);
  const source = (): AsyncIterable<Uint8Array> => {
    if (content.has(digest) || options.receive === undefined) return content.read(digest);
    return options.receive(descriptor, signal);
  };
  if (layers.has(chainId) || layers.adopt(chainId)) {
    if (content.has(digest)) {
      options.onStatus?.(descriptor, "Already exists");
    } else {
      // Unpacked from another compression of the same layer: this one is still wanted, for push and save.
      for await (const _ of source()) signal.throwIfAborted();
      options.onStatus?.(descriptor, "Pull complete");
    }
    stream[Symbol.dispose]();
    await beneath;
    return;
  }
  await using made = await layers.begin(digestHex(chainId));
  if (content.has(digest)) options.onStatus?.(descriptor, "Extracting");
  const wasThere = content.has(digest);
  try {
    await made.unpack(decompress(source(), { transient: true }), { diffId, signal });
  } catch (error) {
    // A blob that a power cut has damaged must not be in the way of a good one.
    if (wasThere && options.receive !== undefined && error instanceof SampanError && error.kind === "invalid") content.delete(digest);
    throw error;
  }
  if (!content.has(digest))
    throw new SampanError("invalid", `Cannot unpack layer "${digest}": there is something after the end of its compressed data`, { code: "TRAILING_DATA" });
  stream[Symbol.dispose]();
  await beneath;
  await layers.publish(made, chainId, below);
  options.onStatus?.(descriptor, "Pull complete");
}

/** A counting semaphore, first come first served: layers start in their order, so none waits for one that cannot start. */
class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** One of them, given back when it is disposed of for the first time. */
  async take(): Promise<Disposable> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#give();
        isHeld = false;
      },
    };
  }

  #give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}

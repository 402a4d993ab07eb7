import type { Transform } from "node:stream";
import { ZstdFrames } from "./zstd-frames.ts";
import { messageOf, SampanError } from "../../base/index.ts";

/** What there is no decompressor for in JavaScript. */
export type ForeignCompression = "xz" | "bzip2";
export type Compression = "none" | "gzip" | "zstd" | ForeignCompression;

export interface DecompressOptions {
  /** Whoever can read xz and bzip2; without it they are refused, as layers compressed so are. */
  readonly foreign?: (compression: ForeignCompression, source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
  /**
   * A chunk is done with when the next is asked for: its memory is given back at once. Without it that waits for the collector, which sees
   * how many chunks there are and not how large, and the next ones come in memory that has to be mapped and cleared first.
   */
  readonly transient?: boolean;
  /** Most bytes that may come out. Default 512 GiB, as a layer's. */
  readonly maxBytes?: number;
}

const DEFAULT_MAX_BYTES = 512 * 2 ** 30;

/**
 * Output comes in pieces of this size. Measured on 157 MB (49 MB of gzip) of Debian's libraries, Bun 1.4, 2 cores: createGunzip with its
 * default of 16 KiB 701 ms, with 64 KiB 346 ms, with 256 KiB 338 ms, with 1 MiB 311 ms; DecompressionStream 308 ms (on Node 815 ms);
 * zlib.gunzipSync 481 ms and 400 MB; Bun.gunzipSync with libdeflate 301 ms and 240 MB, since it wants everything
 * at once; gzip(1) 810 ms. createGunzip also works on its own thread, so that several layers use several cores without
 * workers of ours, while this thread hashes and parses.
 */
const CHUNK_BYTES = 256 * 1024;

/** The magic numbers that we would have to read, or can name in an error. */
const MAGICS: readonly (readonly [name: Compression | "lz4", bytes: readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["lz4", [0x04, 0x22, 0x4d, 0x18]],
];

/** What the first bytes are: six are enough. Throws `unsupported` for a compression that nobody reads here. */
export function detectCompression(head: Uint8Array): Compression {
  // A zstd stream may open with a skippable frame, as zstd:chunked and eStargz writers do (RFC 8878 section 3.1.2).
  if (head.length >= 4 && ((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18) return "zstd";
  const name = MAGICS.find(([, bytes]) => bytes.every((byte, index) => head[index] === byte))?.[0];
  if (name === undefined) return "none";
  if (name === "gzip" || name === "zstd" || name === "xz" || name === "bzip2") return name;
  throw unsupported(name);
}

function unsupported(name: string): SampanError {
  return new SampanError("unsupported", `Cannot decompress: ${name} is not supported`, { hint: "recompress it with gzip or zstd", code: "COMPRESSION" });
}

/**
 * The content of `source`, decompressed if it is compressed. Throws `invalid` for data that is corrupt, cut off, or larger than
 * `maxBytes`, and whatever `source` throws. Chunks are never reused unless they may be. Ending the iteration early ends the source.
 */
export async function* decompress(source: AsyncIterable<Uint8Array>, options: DecompressOptions = {}): AsyncGenerator<Uint8Array> {
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  const { head, rest, close } = await peek(source, 6);
  let compression: Compression;
  try {
    compression = detectCompression(head);
    if ((compression === "xz" || compression === "bzip2") && options.foreign === undefined) throw unsupported(compression);
  } catch (error) {
    await close();
    throw error;
  }
  let bytes = 0;
  for await (const chunk of opened(rest, compression, options)) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new SampanError("invalid", `Cannot decompress: it unpacks to more than ${maxBytes} bytes`, { code: "TOO_LARGE" });
    yield chunk;
  }
}

function opened(source: AsyncIterable<Uint8Array>, compression: Compression, { foreign, transient }: DecompressOptions): AsyncIterable<Uint8Array> {
  if (compression === "none") return source;
  if (compression === "gzip" || compression === "zstd") return through(source, compression, transient === true);
  return foreign?.(compression, source) ?? source;
}

async function* through(source: AsyncIterable<Uint8Array>, compression: "gzip" | "zstd", transient: boolean): AsyncGenerator<Uint8Array> {
  const stream = createStream(compression);
  let sourceFailure: { error: unknown } | undefined;
  const frames = compression === "zstd" ? new ZstdFrames() : undefined;
  const feeding = feed(source, stream, frames).catch((error: unknown) => {
    sourceFailure = { error };
    stream.destroy();
  });
  try {
    // Typed by Node as any: without an encoding, a zlib stream gives Buffers.
    let filled: ArrayBuffer | undefined;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const { buffer } = chunk;
      // node:zlib fills one buffer of this size after the other, and gives views of it (or small copies).
      if (transient && buffer !== filled && buffer.byteLength === CHUNK_BYTES && buffer instanceof ArrayBuffer) {
        filled?.transfer(0);
        filled = buffer;
      }
      yield chunk;
    }
  } catch (error) {
    // Its own failure is the cause; the decompressor only sees that it was stopped.
    if (sourceFailure !== undefined) throw sourceFailure.error;
    if (messageOf(error).includes("unexpected end")) throw truncated(compression, error);
    throw new SampanError("invalid", `Cannot decompress: the ${compression} data is corrupt`, { cause: error, code: "CORRUPT" });
  } finally {
    stream.destroy();
    await feeding;
  }
  if (sourceFailure !== undefined) throw sourceFailure.error;
  if (frames?.complete === false) throw truncated(compression);
}

function truncated(compression: Compression, cause?: unknown): SampanError {
  return new SampanError("invalid", `Cannot decompress: the ${compression} data ends too early`, { cause, code: "TRUNCATED" });
}

function createStream(compression: "gzip" | "zstd"): Transform {
  // Not on the path of `run`, so it is loaded only here.
  const zlib = process.getBuiltinModule("node:zlib");
  if (compression === "gzip") return zlib.createGunzip({ chunkSize: CHUNK_BYTES });
  return zlib.createZstdDecompress({ chunkSize: CHUNK_BYTES });
}

async function feed(source: AsyncIterable<Uint8Array>, stream: Transform, frames: ZstdFrames | undefined): Promise<void> {
  for await (const chunk of source) {
    frames?.push(chunk);
    if (stream.destroyed) return;
    if (!stream.write(chunk)) await drained(stream);
  }
  stream.end();
}

/** Until there is room again, or nobody wants more. */
function drained(stream: Transform): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("close", done);
    if (stream.destroyed) done();
  });
}

/** At least `length` first bytes (fewer if there are no more), and the whole stream again, or its end if nobody wants it. */
async function peek(
  source: AsyncIterable<Uint8Array>,
  length: number,
): Promise<{ head: Uint8Array; rest: AsyncIterable<Uint8Array>; close: () => Promise<void> }> {
  const iterator = source[Symbol.asyncIterator]();
  const taken: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < length) {
    const next = await iterator.next();
    if (next.done === true) break;
    taken.push(next.value);
    bytes += next.value.length;
  }
  async function* rest(): AsyncGenerator<Uint8Array> {
    try {
      yield* taken;
      for (;;) {
        const next = await iterator.next();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  const close = async (): Promise<void> => void (await iterator.return?.());
  return { head: taken.length === 1 ? (taken[0] ?? Buffer.alloc(0)) : Buffer.concat(taken), rest: rest(), close };
}

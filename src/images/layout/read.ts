import { existsSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { errnoOf, SampanError } from "../../base/index.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { digestAlgorithm, digestHex, digestOf, type Digest } from "../../oci/digest.ts";
import { MANIFEST_BYTES_MAX, parseManifest, type ImageManifest } from "../../oci/manifest.ts";
import { MEDIA_TYPE } from "../../oci/media-types.ts";
import { copyDocument } from "../image.ts";
import type { BlobReader, BlobWriter } from "../ports.ts";

/** An OCI image layout, in a directory or in an archive: what its index.json names, and its blobs. */
export interface Layout {
  readonly manifests: readonly Descriptor[];
  readonly blobs: BlobReader;
}

/** What came in: the document that was copied, and its names as they were written (none for an image without). */
export interface LoadedImage {
  readonly names: readonly string[];
  readonly descriptor: Descriptor;
  /** The image manifests beneath it: one, or one per platform. */
  readonly manifests: readonly ImageManifest[];
}

const CHUNK_BYTES = 256 * 1024;

/** The names that writers of layouts give an entry: containerd's and Docker's full one before the specification's, which may be only a tag. */
function nameOf(descriptor: Descriptor): string | undefined {
  return descriptor.annotations?.["io.containerd.image.name"] ?? descriptor.annotations?.["org.opencontainers.image.ref.name"];
}

/** Opens the layout in `directory`. Throws `not-found` or `invalid`. */
export async function openLayout(directory: string): Promise<Layout> {
  let index: Uint8Array;
  try {
    index = await readFile(`${directory}/index.json`);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    throw new SampanError("not-found", `Cannot read image layout "${directory}": it has no index.json`);
  }
  return { manifests: parseIndex(index, directory), blobs: directoryBlobs(directory) };
}

export function parseIndex(raw: Uint8Array, where: string): readonly Descriptor[] {
  const index = parseManifest(raw, MEDIA_TYPE.ociIndex);
  if (index.kind !== "index") throw new SampanError("invalid", `Cannot read image layout "${where}": index.json is not an index`);
  return index.manifests;
}

/** Copies everything that index.json names. */
export async function loadLayout(layout: Layout, into: BlobWriter, signal?: AbortSignal): Promise<LoadedImage[]> {
  const loaded: LoadedImage[] = [];
  for (const entry of layout.manifests) {
    const name = nameOf(entry);
    const { mediaType, digest, size } = entry;
    const manifests = await copyDocument(entry, layout.blobs, into, signal);
    loaded.push({ names: name === undefined ? [] : [name], descriptor: { mediaType, digest, size }, manifests });
  }
  return loaded;
}

function directoryBlobs(directory: string): BlobReader {
  const pathOf = (digest: Digest): string => `${directory}/blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
  return {
    has: (digest) => existsSync(pathOf(digest)),
    async get(digest, maxBytes = MANIFEST_BYTES_MAX) {
      return gather(this.read(digest), digest, maxBytes);
    },
    async *read(digest, start = 0) {
      await using file = await open(pathOf(digest), "r").catch((error: unknown) => {
        throw errnoOf(error) === "ENOENT" ? missingBlob(digest, directory) : error;
      });
      yield* readRange((buffer, at) => file.read(buffer, 0, buffer.length, at), start, Infinity);
    },
  };
}

export function missingBlob(digest: Digest, where: string): SampanError {
  return new SampanError("not-found", `Cannot read blob "${digest}": it is not in "${where}"`, { code: "BLOB_UNKNOWN" });
}

/** Bytes `start` to `end` of a file, in new buffers. */
export async function* readRange(
  read: (buffer: Buffer, position: number) => Promise<{ bytesRead: number }>,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; ) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - at));
    const { bytesRead } = await read(buffer, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** A stream as one array, bounded and checked. */
export async function gather(source: AsyncIterable<Uint8Array>, digest: Digest, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > maxBytes) throw new SampanError("invalid", `Cannot read blob "${digest}": it has more than ${maxBytes} bytes`, { code: "SIZE_INVALID" });
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  const actual = digestOf(bytes, digestAlgorithm(digest));
  if (actual !== digest) throw new SampanError("invalid", `Cannot read blob "${digest}": its content has the digest ${actual}`, { code: "DIGEST_INVALID" });
  return bytes;
}

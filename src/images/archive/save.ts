import { SampanError } from "../../base/index.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { createDigestHash, digestAlgorithm, digestHex, finishDigest, type Digest } from "../../oci/digest.ts";
import { descriptorOf, encodeIndex } from "../../oci/manifest.ts";
import { formatReference, parseReference } from "../../oci/reference.ts";
import type { Image } from "../image.ts";
import type { ArchiveFormat, BlobReader } from "../ports.ts";

/** An image and the names it is saved under ("docker.io/library/nginx:1", or as a person typed them). */
export interface NamedImage {
  readonly image: Image;
  readonly names: readonly string[];
}

/**
 * - "docker": what `docker save` writes since version 25 and every `load` reads: an OCI layout with a manifest.json.
 * - "oci": the layout alone, as skopeo's `oci-archive:`.
 */
export type ArchiveKind = "docker" | "oci";

interface OutputFile {
  readonly name: string;
  readonly size: number;
  readonly content: Uint8Array | AsyncIterable<Uint8Array>;
}

/** Images as one archive. Blobs they share are there once; layers stay compressed as they are. The same images give the same bytes. */
export async function* writeArchive(images: readonly NamedImage[], kind: ArchiveKind, tar: ArchiveFormat): AsyncGenerator<Uint8Array> {
  for await (const { name, size, content } of documentFiles(images, kind)) {
    yield tar.header(name, size);
    if (content instanceof Uint8Array) yield content;
    else yield* content;
    yield tar.padding(size);
  }
  yield tar.trailer();
}

/** The files of an archive or layout; a file is to be read before the next is asked for. */
export async function* documentFiles(images: readonly NamedImage[], kind: ArchiveKind): AsyncGenerator<OutputFile> {
  const written = new Set<Digest>();
  for (const { image } of images) {
    for (const blob of [...image.manifest.layers, image.manifest.config, descriptorOf(image.manifest)]) {
      if (written.has(blob.digest)) continue;
      written.add(blob.digest);
      yield { name: blobName(blob.digest), size: blob.size, content: exactly(blob, image.blobs) };
    }
  }
  yield bytes("index.json", encodeIndex(images.flatMap(indexEntries)).raw);
  yield bytes("oci-layout", Buffer.from(`{"imageLayoutVersion":"1.0.0"}`));
  if (kind !== "docker") return;
  const manifest = images.map(({ image, names }) => ({
    Config: blobName(image.manifest.config.digest),
    // Docker wants null where there are no names.
    RepoTags: names.length === 0 ? null : names,
    Layers: image.manifest.layers.map(({ digest }) => blobName(digest)),
  }));
  yield bytes("manifest.json", Buffer.from(JSON.stringify(manifest)));
}

/** A name per entry, in both annotations that readers look at: containerd wants the whole name, skopeo what a person would type. */
function indexEntries({ image, names }: NamedImage): Descriptor[] {
  const bare = descriptorOf(image.manifest);
  if (names.length === 0) return [bare];
  return names.map((name) => ({
    ...bare,
    annotations: { "io.containerd.image.name": formatReference(parseReference(name)), "org.opencontainers.image.ref.name": name },
  }));
}

function bytes(name: string, content: Uint8Array): OutputFile {
  return { name, size: content.length, content };
}

function blobName(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

/**
 * The blob's bytes, as many as its header says, or none of the archive is readable after it. What the disk has changed since they came
 * is found here, and not by whoever loads the archive.
 */
async function* exactly({ digest, size }: Descriptor, blobs: BlobReader): AsyncGenerator<Uint8Array> {
  const hash = createDigestHash(digestAlgorithm(digest));
  let read = 0;
  for await (const chunk of blobs.read(digest)) {
    read += chunk.length;
    if (read > size) break;
    hash.update(chunk);
    yield chunk;
  }
  const fail = (why: string, code: string): SampanError => new SampanError("invalid", `Cannot save blob "${digest}": ${why}`, {
    code,
    hint: "Remove the image and pull or load it again.",
  });
  if (read !== size) throw fail(`it does not have the ${size} bytes that its manifest says`, "SIZE_INVALID");
  const actual = finishDigest(hash, digestAlgorithm(digest));
  if (actual !== digest) throw fail(`its content on disk has the digest ${actual}`, "DIGEST_INVALID");
}

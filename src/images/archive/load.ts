import { open, type FileHandle } from "node:fs/promises";
import { SampanError } from "../../base/index.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { createDigestHash, digestAlgorithm, digestHex, finishDigest, type Digest } from "../../oci/digest.ts";
import { CONFIG_BYTES_MAX, parseImageConfig, requireMatchingLayers } from "../../oci/image-config.ts";
import { FieldReader, parseJson } from "../../oci/json.ts";
import { descriptorOf, encodeManifest, MANIFEST_BYTES_MAX } from "../../oci/manifest.ts";
import { MEDIA_TYPE } from "../../oci/media-types.ts";
import { gather, loadLayout, missingBlob, parseIndex, readRange, type LoadedImage } from "../layout/read.ts";
import type { ArchiveFormat, ArchiveMember, BlobReader, BlobWriter } from "../ports.ts";

/**
 * Loads every image of an archive file: what `docker save`, `podman save` and skopeo write, or an OCI archive. The file must be
 * uncompressed and seekable. Throws `invalid` with what is wrong; blobs that were stored before stay for `gc`.
 */
export async function loadArchive(path: string, into: BlobWriter, tar: ArchiveFormat, signal?: AbortSignal): Promise<LoadedImage[]> {
  const members = await tar.index(path);
  await using file = await open(path, "r");
  const archive = new Archive(path, file, members);
  // Both are there since Docker 25; manifest.json is the one that has whole names.
  if (archive.find("manifest.json") !== undefined) return await loadDocker(archive, into, signal);
  if (archive.find("index.json") !== undefined) {
    const index = await archive.bytes("index.json", MANIFEST_BYTES_MAX);
    return await loadLayout({ manifests: parseIndex(index, path), blobs: archive }, into, signal);
  }
  throw new SampanError("invalid", `Cannot load archive "${path}": it has neither manifest.json nor index.json`, {
    hint: "a root filesystem is imported with `sampan import`",
  });
}

const LINKS_MAX = 8;

/** Members by name, links followed within the archive; and the blobs of a layout, if it holds one. */
class Archive implements BlobReader {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #members: ReadonlyMap<string, ArchiveMember>;

  constructor(path: string, file: FileHandle, members: ReadonlyMap<string, ArchiveMember>) {
    this.path = path;
    this.#file = file;
    this.#members = members;
  }

  /** Old Docker and podman write a layer that is there twice as a link to the first. */
  find(name: string): ArchiveMember | undefined {
    let at = clean(name);
    for (let links = 0; links <= LINKS_MAX; links++) {
      const member = this.#members.get(at);
      if (member?.type === "file") return member;
      if (member?.linkname === undefined) return undefined;
      at = clean(member.type === "symlink" ? `${at}/../${member.linkname}` : member.linkname);
    }
    return undefined;
  }

  require(name: string): ArchiveMember {
    const member = this.find(name);
    if (member === undefined) throw new SampanError("invalid", `Cannot load archive "${this.path}": it has no file "${name.slice(0, 200)}"`);
    return member;
  }

  stream({ offset, size }: ArchiveMember, start = 0): AsyncGenerator<Uint8Array> {
    return readRange((buffer, at) => this.#file.read(buffer, 0, buffer.length, at), offset + start, offset + size);
  }

  async bytes(name: string, maxBytes: number): Promise<Uint8Array> {
    const member = this.require(name);
    if (member.size > maxBytes)
      throw new SampanError("invalid", `Cannot load archive "${this.path}": "${name}" has ${member.size} bytes, more than ${maxBytes}`);
    return Buffer.concat(await Array.fromAsync(this.stream(member)));
  }

  has(digest: Digest): boolean {
    return this.find(blobName(digest)) !== undefined;
  }

  async get(digest: Digest, maxBytes = MANIFEST_BYTES_MAX): Promise<Uint8Array> {
    return gather(this.read(digest), digest, maxBytes);
  }

  async *read(digest: Digest, start = 0): AsyncGenerator<Uint8Array> {
    const member = this.find(blobName(digest));
    if (member === undefined) throw missingBlob(digest, this.path);
    yield* this.stream(member, start);
  }
}

function blobName(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

function clean(name: string): string {
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

async function loadDocker(archive: Archive, into: BlobWriter, signal?: AbortSignal): Promise<LoadedImage[]> {
  const entries = parseJson(await archive.bytes("manifest.json", MANIFEST_BYTES_MAX), "manifest.json", MANIFEST_BYTES_MAX);
  if (!Array.isArray(entries)) throw new SampanError("invalid", `Cannot load archive "${archive.path}": manifest.json is not a list`);
  const loaded: LoadedImage[] = [];
  for (const entry of entries) loaded.push(await loadDockerImage(archive, new FieldReader(entry, "manifest.json"), into, signal));
  return loaded;
}

/** The archive has no registry manifest: one is made, over layers as they are in the archive. The image id stays. */
async function loadDockerImage(archive: Archive, entry: FieldReader, into: BlobWriter, signal?: AbortSignal): Promise<LoadedImage> {
  const raw = await archive.bytes(entry.requiredString("Config"), CONFIG_BYTES_MAX);
  const names = entry.strings("Layers") ?? [];
  const { config } = parseImageConfig(raw);
  requireMatchingLayers(config, names);
  const layers: Descriptor[] = [];
  for (const [index, diffId] of config.rootfs.diff_ids.entries()) {
    layers.push(await loadLayer(archive, archive.require(names[index] ?? ""), diffId, into, signal));
  }
  const manifest = encodeManifest({ config: await into.put(raw, MEDIA_TYPE.ociConfig), layers });
  await into.put(manifest.raw, manifest.mediaType);
  return { names: entry.strings("RepoTags") ?? [], descriptor: descriptorOf(manifest), manifests: [manifest] };
}

async function loadLayer(archive: Archive, member: ArchiveMember, diffId: Digest, into: BlobWriter, signal?: AbortSignal): Promise<Descriptor> {
  const { size } = member;
  const mediaType = await layerType(archive, member);
  // An uncompressed layer's digest is its diff ID; another's has to be taken first.
  let digest = diffId;
  if (mediaType !== MEDIA_TYPE.ociLayer) {
    const hash = createDigestHash();
    for await (const chunk of archive.stream(member)) hash.update(chunk);
    digest = finishDigest(hash);
  }
  await using ingest = await into.ingest(digest, size, signal);
  if (ingest !== undefined) {
    for await (const chunk of archive.stream(member, ingest.offset)) {
      signal?.throwIfAborted();
      ingest.write(chunk);
    }
    await ingest.commit();
  }
  return { mediaType, digest, size };
}

/** By the first bytes: archives say nothing about compression. RFC 1952 section 2.3.1, RFC 8878 section 3.1.1. */
async function layerType(archive: Archive, member: ArchiveMember): Promise<string> {
  const head = Buffer.concat(await Array.fromAsync(archive.stream({ ...member, size: Math.min(4, member.size) }))).toString("hex");
  if (head.startsWith("1f8b")) return MEDIA_TYPE.ociLayerGzip;
  return head === "28b52ffd" ? MEDIA_TYPE.ociLayerZstd : MEDIA_TYPE.ociLayer;
}

import { SampanError } from "../base/index.ts";
import { parseDescriptor, type Descriptor } from "./descriptor.ts";
import { digestOf, type Digest } from "./digest.ts";
import { FieldReader, isJsonObject, parseJson } from "./json.ts";
import { bareMediaType, isImageConfigType, isSchema1, manifestKindOf, MEDIA_TYPE } from "./media-types.ts";

/** Registries accept at least 4 MiB (distribution-spec "Pushing Manifests"); Docker and containerd read no more. */
export const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;
/** overlayfs stacks at most 500 lower directories (OVL_MAX_STACK, Linux 6.5); no image with more could run. */
export const LAYERS_MAX = 500;

interface RawDocument {
  readonly mediaType: string;
  /** Exactly what was received or written; `digest` and `size` are of these bytes. */
  readonly raw: Uint8Array;
  readonly digest: Digest;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
}

/** An image manifest: one platform's config and layers, bottom first. */
export interface ImageManifest extends RawDocument {
  readonly kind: "manifest";
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly artifactType?: string;
}

/** An image index (Docker: manifest list): manifests for different platforms. */
export interface ImageIndex extends RawDocument {
  readonly kind: "index";
  readonly manifests: readonly Descriptor[];
}

/**
 * Reads a manifest or an index. `contentType` is what the transport or the parent's descriptor called it, and is
 * believed only as far as the document agrees: a document that could be read as both, or whose `mediaType` differs,
 * is refused (CVE-2021-41190). Without it, or with a generic one, the document's own `mediaType` counts.
 * Throws `invalid`, and `unsupported` for schema 1.
 */
export function parseManifest(raw: Uint8Array, contentType?: string): ImageManifest | ImageIndex {
  const value = parseJson(raw, "manifest", MANIFEST_BYTES_MAX);
  const fields = new FieldReader(value, "manifest");
  const mediaType = mediaTypeOf(fields, bareMediaType(contentType));
  const kind = manifestKindOf(mediaType);
  if (kind === undefined) {
    throw new SampanError("unsupported", `Cannot read manifest: ${mediaType === "" ? "it names no media type" : `media type ${JSON.stringify(mediaType.slice(0, 200))} is not supported`}`, {
      code: "MEDIA_TYPE",
    });
  }
  if (fields.value("schemaVersion") !== 2) fields.fail("schemaVersion", "is not 2");
  refuseConfusion(fields, kind === "manifest" ? ["manifests", "fsLayers", "history"] : ["config", "layers", "fsLayers", "history"]);
  const common = { mediaType, raw, digest: digestOf(raw), size: raw.length, annotations: fields.stringMap("annotations") ?? {} };
  if (kind === "index") {
    const manifests = (fields.array("manifests") ?? fields.fail("manifests", "is missing")).map((item, i) => parseDescriptor(item, `index, manifest ${i + 1}`));
    return { kind, ...common, manifests };
  }
  const layers = fields.array("layers") ?? fields.fail("layers", "is missing");
  if (layers.length > LAYERS_MAX) fields.fail("layers", `has ${layers.length} entries, more than the ${LAYERS_MAX} that can be stacked`);
  const artifactType = fields.string("artifactType");
  return {
    kind,
    ...common,
    config: parseDescriptor(fields.value("config"), "manifest, config"),
    layers: layers.map((item, i) => parseDescriptor(item, `manifest, layer ${i + 1}`)),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

/** Servers that keep manifests as plain files call them so; the document has to say what it is. */
const GENERIC_TYPES = ["", "application/json", "application/octet-stream", "text/plain"];

function mediaTypeOf(fields: FieldReader, given: string): string {
  const own = fields.string("mediaType");
  if (isSchema1(own ?? given) || fields.value("schemaVersion") === 1) {
    throw new SampanError("unsupported", "Cannot read manifest: it is in Docker's schema 1 format, which names no verifiable config and which Docker itself no longer reads", {
      code: "SCHEMA1",
      hint: "push the image again with a current tool, for instance `skopeo copy --format v2s2`",
    });
  }
  if (own === undefined || own === given) return given;
  if (GENERIC_TYPES.includes(given)) return own;
  throw new SampanError("invalid", `Cannot read manifest: it was announced as ${JSON.stringify(given.slice(0, 200))} but calls itself ${JSON.stringify(own.slice(0, 200))}`, {
    code: "MEDIA_TYPE_MISMATCH",
  });
}

/**
 * No field that gives another reader another meaning. Go's decoder matches names without regard to case, so
 * "Layers" would be `layers` to it and nothing to us: such spellings are refused too.
 */
function refuseConfusion(fields: FieldReader, foreign: readonly string[]): void {
  for (const name of foreign) if (fields.value(name) !== undefined) fields.fail(name, "does not belong into this kind of manifest (CVE-2021-41190)");
  const meaningful = ["schemaVersion", "mediaType", "config", "layers", "manifests", "fsLayers", "history"];
  for (const key of fields.keys) {
    const meant = meaningful.find((name) => name !== key && name.toLowerCase() === key.toLowerCase());
    if (meant !== undefined) fields.fail(key, `could be mistaken for "${meant}"`);
  }
}

/** Refuses manifests of things that cannot be run: plugins, charts, signatures. */
export function requireRunnable(manifest: ImageManifest): ImageManifest {
  if (isImageConfigType(manifest.config.mediaType) && manifest.artifactType === undefined) return manifest;
  const what = manifest.artifactType ?? manifest.config.mediaType;
  throw new SampanError("unsupported", `Cannot use manifest "${manifest.digest}": it describes ${JSON.stringify(what.slice(0, 200))}, not a container image`);
}

/** The descriptor by which others point to this document. */
export function descriptorOf(document: ImageManifest | ImageIndex): Descriptor {
  return { mediaType: document.mediaType, digest: document.digest, size: document.size };
}

/**
 * Writes a manifest: compact JSON, keys in the order of the specification, and reads it back, so that nothing
 * leaves that we would not accept.
 */
export function encodeManifest(
  manifest: { config: Descriptor; layers: readonly Descriptor[]; annotations?: Record<string, string>; docker?: boolean },
): ImageManifest {
  const mediaType = manifest.docker === true ? MEDIA_TYPE.dockerManifest : MEDIA_TYPE.ociManifest;
  const { config, layers, annotations } = manifest;
  const parsed = parseManifest(encodeJson({ schemaVersion: 2, mediaType, config, layers, ...(annotations === undefined ? {} : { annotations }) }), mediaType);
  if (parsed.kind !== "manifest") throw new SampanError("internal", "Cannot encode manifest: it was read back as an index");
  return parsed;
}

/** Writes an index over manifests; see `encodeManifest`. */
export function encodeIndex(manifests: readonly Descriptor[], annotations?: Record<string, string>): ImageIndex {
  const mediaType = MEDIA_TYPE.ociIndex;
  const parsed = parseManifest(encodeJson({ schemaVersion: 2, mediaType, manifests, ...(annotations === undefined ? {} : { annotations }) }), mediaType);
  if (parsed.kind !== "index") throw new SampanError("internal", "Cannot encode index: it was read back as a manifest");
  return parsed;
}

/** Compact UTF-8 JSON. */
export function encodeJson(value: unknown): Uint8Array {
  if (!isJsonObject(value)) throw new SampanError("internal", "Cannot encode JSON: not an object");
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Media types of image-spec media-types.md and of Docker's image manifest version 2, schema 2. */
export const MEDIA_TYPE = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociEmpty: "application/vnd.oci.empty.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerManifestList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  dockerLayerZstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
  dockerSchema1: "application/vnd.docker.distribution.manifest.v1+json",
  dockerSchema1Signed: "application/vnd.docker.distribution.manifest.v1+prettyjws",
} as const;

/** What a document is, whoever's vocabulary it is written in. */
export type ManifestKind = "manifest" | "index";
export type LayerCompression = "none" | "gzip" | "zstd";

/** The kind of a manifest's media type; undefined for anything that is no manifest we read. */
export function manifestKindOf(mediaType: string): ManifestKind | undefined {
  switch (mediaType) {
    case MEDIA_TYPE.ociManifest:
    case MEDIA_TYPE.dockerManifest:
      return "manifest";
    case MEDIA_TYPE.ociIndex:
    case MEDIA_TYPE.dockerManifestList:
      return "index";
    default:
      return undefined;
  }
}

export function isSchema1(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.dockerSchema1 || mediaType === MEDIA_TYPE.dockerSchema1Signed;
}

/** True for the configs that describe something to run; artifacts, plugins and charts have others. */
export function isImageConfigType(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.ociConfig || mediaType === MEDIA_TYPE.dockerConfig;
}

/**
 * How a layer says it is compressed; undefined if it is no layer of a filesystem.
 * Docker's "foreign" and OCI's "nondistributable" layers are ordinary layers here: they are fetched from the
 * registry like all others, or not at all (their `urls` are never followed, CVE-2020-15157).
 */
export function layerCompression(mediaType: string): LayerCompression | undefined {
  switch (mediaType.replace(".nondistributable.", ".").replace(".rootfs.foreign.", ".rootfs.")) {
    case MEDIA_TYPE.ociLayer:
    case MEDIA_TYPE.dockerLayer:
      return "none";
    case MEDIA_TYPE.ociLayerGzip:
    case MEDIA_TYPE.dockerLayerGzip:
      return "gzip";
    case MEDIA_TYPE.ociLayerZstd:
    case MEDIA_TYPE.dockerLayerZstd:
      return "zstd";
    default:
      return undefined;
  }
}

/** A media type as a header gives it, without parameters and in lower case. */
export function bareMediaType(header: string | undefined): string {
  return (header ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

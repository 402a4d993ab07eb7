import { digestOf, encodeIndex, encodeJson, encodeManifest, MEDIA_TYPE, type ImageIndex, type ImageManifest, type Platform } from "../../../src/oci/index.ts";
import type { TestRegistry } from "./registry.ts";

export interface TestImage {
  readonly manifest: ImageManifest;
  readonly config: Uint8Array;
  readonly layers: readonly Uint8Array[];
  /** Puts its blobs and manifest into a repository. */
  into(registry: TestRegistry, repository: string, tag?: string): void;
}

/** An image of given (or small arbitrary) layers, as they are: no compression. */
export function makeImage(options: { layers?: readonly Uint8Array[]; platform?: Platform; docker?: boolean; layerType?: string } = {}): TestImage {
  const layers = options.layers ?? [new TextEncoder().encode("layer one"), new TextEncoder().encode("layer two")];
  const platform = options.platform ?? { os: "linux", architecture: "amd64" };
  const config = encodeJson({ ...platform, config: { Cmd: ["sh"] }, rootfs: { type: "layers", diff_ids: layers.map((layer) => digestOf(layer)) } });
  const docker = options.docker === true;
  const layerType = options.layerType ?? (docker ? MEDIA_TYPE.dockerLayer : MEDIA_TYPE.ociLayer);
  const manifest = encodeManifest({
    config: { mediaType: docker ? MEDIA_TYPE.dockerConfig : MEDIA_TYPE.ociConfig, digest: digestOf(config), size: config.length },
    layers: layers.map((layer) => ({ mediaType: layerType, digest: digestOf(layer), size: layer.length })),
    docker,
  });
  return {
    manifest, config, layers,
    into(registry, repository, tag) {
      for (const blob of [config, ...layers]) registry.addBlob(repository, blob);
      registry.addManifest(repository, manifest.raw, manifest.mediaType, tag);
    },
  };
}

/** An index over images, with the platforms of their configs. */
export function makeIndex(images: readonly { readonly image: TestImage; readonly platform: Platform }[]): ImageIndex {
  return encodeIndex(images.map(({ image, platform }) => ({ mediaType: image.manifest.mediaType, digest: image.manifest.digest, size: image.manifest.size, platform })));
}

import type { Descriptor } from "../../oci/descriptor.ts";
import { digestOf } from "../../oci/digest.ts";
import { MEDIA_TYPE } from "../../oci/media-types.ts";
import { createImage, type Image } from "../image.ts";
import { appendLayer, emptyConfig } from "../mutate/config.ts";
import type { ArchiveFormat, BlobReader, BlobWriter } from "../ports.ts";

export interface RandomImageOptions {
  readonly layers?: number;
  /** Size of the one file in each layer. */
  readonly fileBytes?: number;
}

/** An image of random files in a store of the caller's, for tests that need a real one and do not care which. */
export async function randomImage(blobs: BlobReader & BlobWriter, tar: ArchiveFormat, options: RandomImageOptions = {}): Promise<Image> {
  const { randomBytes } = process.getBuiltinModule("node:crypto");
  const { gzipSync } = process.getBuiltinModule("node:zlib");
  let config = emptyConfig({ os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch });
  const layers: Descriptor[] = [];
  for (let index = 0; index < (options.layers ?? 1); index++) {
    const content = randomBytes(options.fileBytes ?? 1024);
    const layer = Buffer.concat([tar.header(`random-${index}`, content.length), content, tar.padding(content.length), tar.trailer()]);
    layers.push(await blobs.put(gzipSync(layer), MEDIA_TYPE.ociLayerGzip));
    config = appendLayer(config, digestOf(layer), { created_by: `random layer ${index}` });
  }
  return createImage(blobs, config, layers);
}

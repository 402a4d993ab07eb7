/**
 * Images: what they are, where they come from and go to, how one becomes another.
 *
 * Vocabulary: an *Image* is an immutable view: manifest and config, raw and parsed, and the place where their blobs are.
 * A *source* finds images (`layout`: an OCI directory; `archive`: a docker-archive or OCI archive; `random`: made up, for tests), a
 * *sink* takes them. `mutate` derives configs. *Ports* are what this room needs of others: a place for blobs, and tar.
 *
 * Invariants: digests are over raw bytes and checked whenever bytes change hands; an image id is its config's digest,
 * never its manifest's; nothing here unpacks a layer or speaks to a network.
 */
export type { ArchiveFormat, ArchiveMember, BlobIngest, BlobReader, BlobWriter } from "./ports.ts";
export { copyDocument, createImage, openImage, type Image } from "./image.ts";
export { loadLayout, openLayout, type Layout, type LoadedImage } from "./layout/read.ts";
export { writeLayout } from "./layout/write.ts";
export { loadArchive } from "./archive/load.ts";
export { writeArchive, type NamedImage } from "./archive/save.ts";
export { randomImage, type RandomImageOptions } from "./random/image.ts";
export { applyChanges } from "./mutate/changes.ts";
export { appendLayer, emptyConfig } from "./mutate/config.ts";

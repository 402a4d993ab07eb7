/**
 * The vocabulary of the OCI specifications: runtime config, digests, references, descriptors, manifests, image
 * configs, platforms, and their parsers. No I/O.
 *
 * Words: a *digest* names raw bytes; a *diff ID* is the digest of a layer's uncompressed tar; a *chain ID* names a
 * stack of layers; the *image ID* is the digest of the image's config.
 *
 * Invariants: `parseX` takes untrusted input and returns a checked value or throws `invalid`; raw bytes are kept beside
 * what was parsed from them, and digests are taken over raw bytes only.
 */
export type * from "./runtime-config.ts";
export * from "./digest.ts";
export * from "./reference.ts";
export * from "./media-types.ts";
export * from "./platform.ts";
export * from "./descriptor.ts";
export * from "./manifest.ts";
export * from "./image-config.ts";
export * from "./platform-choice.ts";
export { FieldReader, isJsonObject, parseJson, defined, type JsonObject } from "./json.ts";

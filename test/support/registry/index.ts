/**
 * A registry in memory, on loopback, for tests: honest (distribution-spec 1.1: pull, push, tags, catalog, search, tokens)
 * until a switch of `hostile` is set, and then wrong in exactly that way. Records every request it gets.
 */
export { startRegistry, type RecordedRequest, type RegistryAuth, type TestRegistry } from "./registry.ts";
export type { Hostile, FailNext } from "./hostile.ts";
export { makeImage, makeIndex, type TestImage } from "./image.ts";

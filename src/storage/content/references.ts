import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createId, errnoOf, SampanError } from "../../base/index.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { encodeIndex, parseManifest } from "../../oci/manifest.ts";
import { MEDIA_TYPE } from "../../oci/media-types.ts";
import { ALGORITHMS, type StorePaths } from "./paths.ts";

/** image-spec annotations.md: the name by which skopeo and umoci address an entry of index.json. */
export const REF_NAME = "org.opencontainers.image.ref.name";

/** An entry of index.json. `name` is undefined for a manifest that is kept without one. */
export interface NamedManifest {
  readonly name: string | undefined;
  readonly descriptor: Descriptor;
}

export function readIndex(paths: StorePaths): readonly Descriptor[] {
  let raw: Uint8Array;
  try {
    raw = readFileSync(paths.index);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
  // index.json may leave its media type out.
  const index = parseManifest(raw, MEDIA_TYPE.ociIndex);
  if (index.kind !== "index") throw new SampanError("invalid", `Cannot read image store "${paths.root}": index.json is not an index`);
  return index.manifests;
}

export function toNamed(descriptor: Descriptor): NamedManifest {
  return { name: descriptor.annotations?.[REF_NAME], descriptor };
}

/** The descriptor as index.json has it: named or not. */
export function withName(descriptor: Descriptor, name: string | undefined): Descriptor {
  const annotations: Record<string, string> = { ...descriptor.annotations };
  delete annotations[REF_NAME];
  if (name !== undefined) annotations[REF_NAME] = name;
  const { annotations: _old, ...bare } = descriptor;
  return Object.keys(annotations).length === 0 ? bare : { ...bare, annotations };
}

/** Under the store's lock. The blobs' names are flushed first, so that a reference never survives its content. */
export function writeIndex(paths: StorePaths, manifests: readonly Descriptor[]): void {
  for (const algorithm of ALGORITHMS) syncPath(paths.blobs(algorithm));
  writeAtomically(paths.index, encodeIndex(manifests).raw);
  syncPath(paths.root);
}

/** What `writeAtomically` calls a file until it is whole. */
const UNFINISHED = /\.[0-9a-f]{16}$/;

/** Under the store's lock, which every writer of index.json holds: what those left that were killed in the middle. */
export function sweepUnfinished(paths: StorePaths): void {
  for (const name of readdirSync(paths.root)) if (UNFINISHED.test(name)) rmSync(`${paths.root}/${name}`, { force: true });
}

/** Readers see the old content or the new, after a power cut too. Under the store's lock. */
export function writeAtomically(path: string, content: Uint8Array | string): void {
  const temporary = `${path}.${createId().slice(0, 16)}`;
  writeFileSync(temporary, content, { mode: 0o644 });
  syncPath(temporary);
  renameSync(temporary, path);
}

function syncPath(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

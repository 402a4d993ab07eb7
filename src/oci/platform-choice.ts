import { SampanError } from "../base/index.ts";
import type { Descriptor } from "./descriptor.ts";
import type { ImageIndex } from "./manifest.ts";
import { manifestKindOf } from "./media-types.ts";
import { bestPlatform, formatPlatform, type Platform } from "./platform.ts";

/** BuildKit files attestations among the manifests, for the platform unknown/unknown. */
function isAttestation(descriptor: Descriptor): boolean {
  return descriptor.platform?.os === "unknown" || descriptor.annotations?.["vnd.docker.reference.type"] === "attestation-manifest";
}

/** The platforms an index offers, once each, in its order. */
export function offeredPlatforms(index: ImageIndex): Platform[] {
  const seen = new Map<string, Platform>();
  for (const entry of index.manifests) {
    if (entry.platform !== undefined && !isAttestation(entry)) seen.set(formatPlatform(entry.platform), entry.platform);
  }
  return [...seen.values()];
}

/**
 * The entry of an index to use on `wanted`. An entry that names no platform is taken only where no named one fits;
 * the config says then what it is. Throws `not-found` with the platforms that are offered.
 */
export function choosePlatform(index: ImageIndex, wanted: Platform): Descriptor {
  const usable = index.manifests.filter((entry) => manifestKindOf(entry.mediaType) !== undefined && !isAttestation(entry));
  const named = usable.flatMap((entry) => (entry.platform === undefined ? [] : [{ entry, platform: entry.platform }]));
  const chosen = bestPlatform(wanted, named)?.entry ?? usable.find((entry) => entry.platform === undefined);
  if (chosen !== undefined) return chosen;
  const offered = offeredPlatforms(index).map((platform) => formatPlatform(platform).replace(/[^\x21-\x7e]/g, "?"));
  throw new SampanError("not-found", `Cannot choose platform "${formatPlatform(wanted)}": no matching manifest for ${formatPlatform(wanted)} in the manifest list entries; offered: ${offered.slice(0, 50).join(", ") || "none"}`, {
    code: "PLATFORM_NOT_FOUND",
    ...(offered.length === 0 ? {} : { hint: `choose one with --platform, for instance --platform ${offered[0]}` }),
  });
}

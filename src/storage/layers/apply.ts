import { createDigestHash, digestAlgorithm, finishDigest, type Digest } from "../../oci/digest.ts";
import { SampanError } from "../../base/index.ts";
import { TarReader } from "../tar/index.ts";
import { LayerPlanner, type LayerPlannerOptions } from "./planner.ts";
import type { LayerSink } from "./sink.ts";
import type { LayerSummary } from "./summary.ts";

export interface ApplyLayerOptions extends LayerPlannerOptions {
  /** What the image's config calls this layer. Without it nothing is compared. */
  readonly diffId?: Digest;
  readonly signal?: AbortSignal;
  /** Uncompressed bytes so far. */
  readonly onProgress?: (bytes: number) => void;
}

/**
 * Unpacks one layer from its uncompressed tar, as one stream: hash, parse, plan, push. The source may use
 * a chunk's memory again when it is asked for the next.
 *
 * Resolves when every op was carried out and the diff ID matched; rejects otherwise, and then the directory is to
 * be thrown away: `invalid` for an archive that is broken, hostile or not the one promised.
 */
export async function applyLayer(
  source: AsyncIterable<Uint8Array>,
  sink: LayerSink,
  options: ApplyLayerOptions = {},
): Promise<LayerSummary & { diffId: Digest }> {
  const algorithm = options.diffId === undefined ? "sha256" : digestAlgorithm(options.diffId);
  const hash = createDigestHash(algorithm);
  const planner = new LayerPlanner((op) => sink.push(op), options);
  const reader = new TarReader(planner);
  let bytes = 0;
  for await (const chunk of source) {
    options.signal?.throwIfAborted();
    reader.write(chunk);
    hash.update(chunk);
    bytes += chunk.length;
    options.onProgress?.(bytes);
    await sink.borrowed;
    if (sink.full) await sink.flush();
  }
  reader.end();
  const summary = planner.finish();
  const diffId = finishDigest(hash, algorithm);
  if (options.diffId !== undefined && diffId !== options.diffId) {
    throw new SampanError("invalid", `Cannot unpack layer "${options.diffId}": its content has the diff ID ${diffId}`, { code: "DIFF_ID_MISMATCH" });
  }
  await sink.flush();
  return { ...summary, diffId };
}

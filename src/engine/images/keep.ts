import { createId } from "../../base/ids.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ContentStore } from "../../storage/content/index.ts";
import type { EngineContext } from "../context.ts";
import { isAlive, processAt } from "../processes.ts";

/** Keeps blobs and layers from being collected while an image is being made of them; ends with the process at the latest. */
export interface Keep extends AsyncDisposable {
  /** Before anything is looked up: what is there then stays. */
  blobs(digests: Iterable<Digest>): Promise<void>;
  layers(chainIds: readonly Digest[]): void;
}

/** An unpack takes minutes at most; a lease of a dead process is known by its start time, so this is no deadline. */
const LEASE_MS = 7 * 24 * 3600 * 1000;

export async function keepContent(context: EngineContext, content: ContentStore): Promise<Keep> {
  const blobs = await content.lease();
  const { layers } = context.store;
  const id = createId();
  const lease = { id, ownerPid: process.pid, ownerStartTime: processAt(process.pid)?.startTime ?? 0, bootId: context.bootId, expiresMs: Date.now() + LEASE_MS };
  return {
    blobs: (digests) => blobs.add(digests),
    layers: (chainIds) => { layers.lease(lease, chainIds); },
    async [Symbol.asyncDispose]() {
      layers.releaseLease(id);
      await blobs[Symbol.asyncDispose]();
    },
  };
}

/** Ends the leases of processes that are no more. */
export function expireLeases(context: EngineContext): void {
  context.store.layers.expireLeases(Date.now(), ({ ownerPid, ownerStartTime, bootId }) => bootId === context.bootId &&
    isAlive({ pid: ownerPid, startTime: ownerStartTime }));
}

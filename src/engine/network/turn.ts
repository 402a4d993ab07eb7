import { mkdirSync } from "node:fs";
import { withLock } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { detach, finishDetachment, isRunning, markWhole } from "./detach.ts";
import { networkOf } from "./model.ts";

/**
 * One connection or disconnection at a time: each is first in the store and then in the kernel or the other way round, and a disconnection
 * between the two would find no interface to remove, which then comes and stays. Whoever died in the middle has left a mark, and the next one
 * takes away what it left: a connection that was killed never came to be, a disconnection that was killed has been.
 */
export function inTurn<T>(context: EngineContext, work: () => Promise<T>): Promise<T> {
  mkdirSync(context.paths.state, { recursive: true, mode: 0o700 });
  return withLock(`${context.paths.state}/connect.lock`, async () => {
    await finishOthers(context);
    return work();
  });
}

async function finishOthers(context: EngineContext): Promise<void> {
  const { store } = context;
  for (const { containerId, key: networkId } of store.resources.ofKind("endpoint")) {
    const record = store.containers.get(containerId);
    // Ended meanwhile, or about to: whoever ends it takes everything away.
    if (record === undefined || !isRunning(record)) continue;
    const network = store.networks.get(networkId);
    const row = store.endpoints.get(networkId, containerId);
    try {
      if (network !== undefined && row?.active === true) await detach(context, record, networkOf(network), row);
      else await finishDetachment(context, record, networkId);
      markWhole(context, record, networkId);
    } catch {
      // The mark stays for the next one. Nobody who came for something else is kept from it: the container may be dying, or nft be gone.
    }
  }
}

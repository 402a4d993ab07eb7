import { SampanError } from "../../base/errors.ts";
import { PREDEFINED_NETWORKS } from "../../network/model.ts";
import type { NetworkRecord } from "../../network/model.ts";
import { removeNetwork as removeElements } from "../../network/nftables.ts";
import type { Filters, PruneResult } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { requireRoot } from "../context.ts";
import { removeBridge, removeStrayBridges, underHostLock } from "./bridge.ts";
import { appendNetworkEvent } from "./events.ts";
import { unloadRules } from "./filter.ts";
import { hostNamesOf } from "./host-names.ts";
import { hasLabel, settleMembers } from "./list.ts";
import { networkOf } from "./model.ts";
import { firewallNetwork, passDocker } from "./rules.ts";

/** Removes a network that no running container is on. */
export async function removeNetwork(context: EngineContext, name: string): Promise<void> {
  requireRoot();
  const isBuiltIn = (wanted: string): boolean => Object.hasOwn(PREDEFINED_NETWORKS, wanted) || wanted === "default";
  const row = isBuiltIn(name) ? undefined : context.store.networks.find(name);
  if (row === undefined || isBuiltIn(row.name)) {
    throw new SampanError("denied", `${row?.name ?? name} is a pre-defined network and cannot be removed`);
  }
  await settleMembers(context, row.id);
  await dropNetwork(context, networkOf(row));
}

/** The record first: from then on nobody joins. What a crash leaves of the rest is removed by the next one who makes or removes a network. */
export async function dropNetwork(context: EngineContext, network: NetworkRecord): Promise<void> {
  await underHostLock(context, async () => {
    const { store } = context;
    const gone = store.transaction(() => {
      if (!store.networks.delete(network.id)) return false;
      appendNetworkEvent(context, network, "destroy");
      return true;
    }, { durable: true });
    if (!gone) return;
    await removeBridge(context, network.bridge);
    await removeStrayBridges(context);
    await unloadRules(context, removeElements(firewallNetwork(network), hostNamesOf(context.paths.root).table));
    // What would stay is a jump for a bridge that is gone, and goes with the next change.
    await passDocker(context);
  });
}

/** Removes every network of the user's that no running container is on. */
export async function pruneNetworks(context: EngineContext, filters: Filters = {}): Promise<PruneResult> {
  requireRoot();
  await settleMembers(context);
  const accept = pruneFilter(filters);
  const deleted: string[] = [];
  for (const row of context.store.networks.list()) {
    const network = networkOf(row);
    if (Object.hasOwn(PREDEFINED_NETWORKS, network.name) || !accept(network) || context.store.endpoints.ofNetwork(network.id).some(({ active }) => active))
      continue;
    try {
      await dropNetwork(context, network);
      deleted.push(network.name);
    } catch (error) {
      // Somebody joined it meanwhile.
      if (!(error instanceof SampanError) || error.kind !== "conflict") throw error;
    }
  }
  if (deleted.length === 0) await underHostLock(context, () => removeStrayBridges(context));
  return { deleted, reclaimedBytes: 0 };
}

function pruneFilter(filters: Filters): (network: NetworkRecord) => boolean {
  const known = ["label", "label!", "until"];
  for (const key of Object.keys(filters)) if (!known.includes(key)) throw new SampanError("invalid", `invalid filter '${key}'`);
  const before = (filters["until"] ?? []).map(untilMs);
  return ({ labels, created }) =>
    (filters["label"] ?? []).every((label) => hasLabel(labels, label)) &&
    !(filters["label!"] ?? []).some((label) => hasLabel(labels, label)) &&
    before.every((ms) => Date.parse(created) < ms);
}

/** "24h", "1h30m", seconds since the epoch, or a date. */
function untilMs(text: string): number {
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  if (/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) {
    let total = 0;
    for (const [, count = "", unit = ""] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) total += Number(count) * (units[unit] ?? 0);
    return Date.now() - total;
  }
  const time = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(time)) throw new SampanError("invalid", `invalid filter 'until=${text}': a duration ("24h") or a time`);
  return time;
}

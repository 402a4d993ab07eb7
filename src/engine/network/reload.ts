import { BatchWriter } from "../../network/rtnetlink/batch.ts";
import { setLink } from "../../network/rtnetlink/link.ts";
import type { NetworkRecord } from "../../network/model.ts";
import type { EngineContext } from "../context.ts";
import { requireRoot } from "../context.ts";
import { makeBridge, markedBridges, readyIndex, removeStrayBridges, underHostLock } from "./bridge.ts";
import type { ReadyBridge } from "./bridge.ts";
import { recordPredefined } from "./defaults.ts";
import { settleMembers } from "./list.ts";
import { refreshMembers } from "./members.ts";
import { networkOf } from "./model.ts";
import { blockedByOthers, passDocker, rebuildRules } from "./rules.ts";
import { sendBatches } from "./send.ts";

/**
 * Makes the host again as the store says: rules, bridges that this boot has used or that have members, members' interfaces on them,
 * hosts files; and removes the bridges of networks that are gone. Gives back what the user should know, one sentence each.
 */
export async function reloadNetworks(context: EngineContext): Promise<{ readonly warnings: readonly string[] }> {
  requireRoot();
  await recordPredefined(context);
  await settleMembers(context);
  const { store } = context;
  return underHostLock(context, async () => {
    const warnings = new Set<string>();
    const warn = (sentences: readonly string[]): void => { for (const sentence of sentences) warnings.add(sentence); };
    await rebuildRules(context);
    const networks = store.networks.list().map(networkOf).filter(({ driver }) => driver === "bridge");
    const used = markedBridges(context);
    for (const network of networks) {
      const members = store.endpoints.active().filter(({ networkId }) => networkId === network.id);
      if (!used.includes(network.bridge) && members.length === 0) continue;
      const bridge = await readyBridge(context, network);
      warn(bridge.warnings);
      await rejoin(context, network, bridge.index, members.map(({ hostInterface }) => hostInterface));
    }
    await removeStrayBridges(context);
    warn(await passDocker(context));
    refreshMembers(context, networks.map(({ id }) => id));
    return { warnings: [...warnings] };
  });
}

/** With what others have against it by now, also where it has been there for long. */
async function readyBridge(context: EngineContext, network: NetworkRecord): Promise<ReadyBridge> {
  const index = readyIndex(context, network);
  return index === undefined ? makeBridge(context, network) : { index, warnings: await blockedByOthers(context, network) };
}

/** A bridge that was removed under its members is a new one, and they are on it again. */
async function rejoin(context: EngineContext, network: NetworkRecord, masterIndex: number, names: readonly (string | null)[]): Promise<void> {
  const writer = new BatchWriter();
  for (const name of names) {
    if (name === null) continue;
    setLink(writer, `join ${name} to its bridge`, { name }, { masterIndex });
    setLink(writer, `bring up ${name}`, { name }, { up: true }, { hairpin: true, isolated: !network.icc });
  }
  const batch = writer.finish();
  if (batch.messages.length > 0) await sendBatches(context, [{ batch, tolerate: ["ENODEV"] }], { what: `reload network "${network.name}"` });
}

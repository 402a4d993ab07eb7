import type { NetworkRecord } from "../../network/model.ts";
import type { EngineContext } from "../context.ts";

/** Appends what happened to a network, with Docker's attributes. */
export function appendNetworkEvent(context: EngineContext, network: NetworkRecord, action: string, attributes: Readonly<Record<string, string>> = {}): void {
  context.store.events.append({
    timeNs: BigInt(Date.now()) * 1_000_000n, type: "network", action, actorId: network.id,
    attributes: { name: network.name, type: network.driver, ...attributes },
  });
}

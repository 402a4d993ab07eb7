import { createId } from "../../base/ids.ts";
import { choosePrivateSubnet, defaultGateway } from "../../network/ipam.ts";
import { parseCidr } from "../../network/ip.ts";
import { DEFAULT_NETWORK, PREDEFINED_NETWORKS } from "../../network/model.ts";
import type { NetworkRecord } from "../../network/model.ts";
import { decodeRoutes } from "../../network/rtnetlink/views.ts";
import type { EngineContext } from "../context.ts";
import { hostNamesOf } from "./host-names.ts";
import { networkOf, rowOf } from "./model.ts";
import { dump } from "./send.ts";

/** Destinations of the host's routes, in all its tables. */
export async function hostRoutes(context: EngineContext): Promise<string[]> {
  return decodeRoutes(await dump(context, "routes")).map(({ destination }) => destination);
}

/** The default network, if it has been recorded: the first use does that. */
export function findDefaultNetwork(context: EngineContext): NetworkRecord | undefined {
  const row = context.store.networks.named(DEFAULT_NETWORK);
  return row === undefined ? undefined : networkOf(row);
}

/**
 * Records the three networks that are always there; idempotent. The default one's subnet is chosen here and stays,
 * whatever routes the host gets later.
 */
export async function recordPredefined(context: EngineContext): Promise<void> {
  const { store } = context;
  if (findDefaultNetwork(context) !== undefined) return;
  const routes = await hostRoutes(context);
  store.transaction(() => {
    if (findDefaultNetwork(context) !== undefined) return;
    const taken = store.networks.list().flatMap((row) => networkOf(row).pools.map(({ subnet }) => subnet));
    const created = new Date().toISOString();
    for (const [name, driver] of Object.entries(PREDEFINED_NETWORKS)) {
      const isBridge = driver === "bridge";
      const subnet = isBridge ? choosePrivateSubnet(routes, taken) : "";
      store.networks.create(rowOf({
        id: createId(), name, driver, bridge: isBridge ? hostNamesOf(context.paths.root).bridge : "",
        pools: isBridge ? [{ subnet, gateway: defaultGateway(parseCidr(subnet)) }] : [],
        internal: false, icc: true, masquerade: true, mtu: 0, hostBinding: "", labels: {}, options: {}, created,
      }));
    }
  });
}

import { SampanError } from "../../base/errors.ts";
import { createId } from "../../base/ids.ts";
import { choosePrivateSubnet, defaultGateway, findOverlap } from "../../network/ipam.ts";
import type { AddressPool } from "../../network/ipam.ts";
import { parseCidr } from "../../network/ip.ts";
import { DEFAULT_NETWORK, PREDEFINED_NETWORKS } from "../../network/model.ts";
import type { NetworkRecord } from "../../network/model.ts";
import { decodeLinks, decodeRoutes } from "../../network/rtnetlink/views.ts";
import type { EngineContext } from "../context.ts";
import { hostNamesOf } from "./host-names.ts";
import { networkOf, rowOf } from "./model.ts";
import { dump } from "./send.ts";

/** Destinations of the host's routes, in all its tables, but for those by one interface. */
export async function hostRoutes(context: EngineContext, except?: string): Promise<string[]> {
  const routes = decodeRoutes(await dump(context, "routes"));
  const own = except === undefined ? undefined : decodeLinks(await dump(context, "links")).find(({ name }) => name === except)?.index;
  return routes.filter(({ index }) => own === undefined || index !== own).map(({ destination }) => destination);
}

/** The default network, if it has been recorded: the first use does that. */
export function findDefaultNetwork(context: EngineContext): NetworkRecord | undefined {
  const row = context.store.networks.named(DEFAULT_NETWORK);
  return row === undefined ? undefined : networkOf(row);
}

/**
 * The default network's subnet was nobody's choice: where the host has got a route since that overlaps it (a VPN, another network), and no
 * container is on it, it gets another one. Called before its bridge is made; under the host's lock.
 */
export async function settleDefaultSubnet(context: EngineContext, network: NetworkRecord): Promise<NetworkRecord> {
  const { store } = context;
  if (network.name !== DEFAULT_NETWORK) return network;
  const subnet = network.pools[0]?.subnet;
  const routes = await hostRoutes(context, network.bridge);
  if (subnet !== undefined && findOverlap(subnet, routes) === undefined) return network;
  return store.transaction(() => {
    if (store.endpoints.ofNetwork(network.id).some(({ active }) => active)) return network;
    const moved = { ...network, pools: [privatePool(context, routes, network.id)] };
    store.networks.setConfig(network.id, JSON.stringify(moved));
    return moved;
  });
}

/** Throws "conflict" where every block of private addresses is the host's or another network's. */
function privatePool({ store }: EngineContext, routes: readonly string[], except?: string): AddressPool {
  const taken = store.networks.list().filter(({ id }) => id !== except).flatMap((row) => networkOf(row).pools.map((pool) => pool.subnet));
  const subnet = choosePrivateSubnet(routes, taken);
  return { subnet, gateway: defaultGateway(parseCidr(subnet)) };
}

/**
 * Records the three networks that are always there; idempotent. The default one's subnet is chosen here and stays, whatever
 * routes the host gets later. If none is left it has none, and whoever wants to use it is told; all else works without.
 */
export async function recordPredefined(context: EngineContext): Promise<void> {
  const { store } = context;
  if (findDefaultNetwork(context) !== undefined) return;
  const routes = await hostRoutes(context);
  store.transaction(() => {
    if (findDefaultNetwork(context) !== undefined) return;
    const created = new Date().toISOString();
    for (const [name, driver] of Object.entries(PREDEFINED_NETWORKS)) {
      const isBridge = driver === "bridge";
      store.networks.create(rowOf({
        id: createId(), name, driver, bridge: isBridge ? hostNamesOf(context.paths.root).bridge : "", pools: isBridge ? poolIfAny(context, routes) : [],
        internal: false, icc: true, masquerade: true, mtu: 0, hostBinding: "", labels: {}, options: {}, created,
      }));
    }
  });
}

function poolIfAny(context: EngineContext, routes: readonly string[]): AddressPool[] {
  try {
    return [privatePool(context, routes)];
  } catch (error) {
    if (!(error instanceof SampanError) || error.kind !== "conflict") throw error;
    return [];
  }
}

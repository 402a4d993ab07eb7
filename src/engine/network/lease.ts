import { createId } from "../../base/ids.ts";
import type { ContainerId } from "../../base/ids.ts";
import type { Attachment } from "../../network/attach.ts";
import { allocate } from "../../network/ipam.ts";
import type { Allocation, AllocationState } from "../../network/ipam.ts";
import { formatIp, parseCidr, parseIp, requireIp } from "../../network/ip.ts";
import { hostInterfaceFor, macFor, parseMacAddress } from "../../network/model.ts";
import type { NetworkRecord } from "../../network/model.ts";
import type { EngineContext } from "../context.ts";
import type { NetworkAttachment } from "../request.ts";
import { notFound } from "./model.ts";
import type { Wish } from "./wishes.ts";

/** A container's place on a network, leased: what the netlink messages are made from. */
export interface Endpoint {
  readonly id: string;
  readonly network: NetworkRecord;
  readonly hostInterface: string;
  readonly interfaceName: string;
  readonly interfaceIndex: number;
  readonly mac: string;
  /** Without prefix length. */
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
  /** With prefix length: the leased ones, then link-local ones. */
  readonly addresses: readonly string[];
}

/** Inside a transaction: leases addresses and records the endpoint and, before it is made, its interface. */
export function leaseEndpoint(
  context: EngineContext,
  containerId: ContainerId,
  wish: Wish,
  place: { readonly name: string; readonly index: number },
): Endpoint {
  const { store } = context;
  const { network, attachment } = wish;
  // It was looked up before the transaction began.
  if (store.networks.get(network.id) === undefined) throw notFound(network.name);
  const id = createId();
  const hostInterface = hostInterfaceFor(id);
  const leased: { 4: string | undefined; 6: string | undefined; addresses: string[] } = { 4: undefined, 6: undefined, addresses: [] };
  for (const pool of network.pools) {
    const family = pool.subnet.includes(":") ? 6 : 4;
    const wanted = family === 4 ? attachment.ipv4 : attachment.ipv6;
    const choose = (ledger: AllocationState): Allocation => allocate(network.name, pool, ledger, wanted);
    const { address, interfaceAddress } = store.networks.leaseAddress(network.id, containerId, pool.subnet, choose);
    leased[family] = address;
    leased.addresses.push(interfaceAddress);
  }
  for (const text of attachment.linkLocalIps ?? []) leased.addresses.push(`${formatIp(requireIp(text))}/${text.includes(":") ? 64 : 16}`);
  const mac = attachment.macAddress === undefined ? macFor(leased[4] ?? leased[6] ?? "") : parseMacAddress(attachment.macAddress);
  store.resources.record([{ kind: "veth", key: hostInterface, containerId, lifetime: "run" }], Date.now());
  store.endpoints.put({
    id, networkId: network.id, containerId, active: true, interfaceName: place.name, hostInterface, macAddress: mac,
    ipv4: leased[4] ?? null, ipv6: leased[6] ?? null, aliases: attachment.aliases, config: JSON.stringify(attachment),
  });
  return {
    id, network, hostInterface, interfaceName: place.name, interfaceIndex: place.index, mac, ipv4: leased[4], ipv6: leased[6],
    addresses: leased.addresses,
  };
}

/** What the user wished for at an endpoint, from its row. */
export function attachmentOf(row: { readonly config: string }): NetworkAttachment {
  // Written by leaseEndpoint.
  return JSON.parse(row.config) as NetworkAttachment;
}

/** The gateway of a family ("" prefix-less), undefined where the network has none or no way out. */
export function gatewayOf(network: NetworkRecord, family: 4 | 6): string | undefined {
  if (network.internal) return undefined;
  return network.pools.find(({ subnet }) => subnet.includes(":") === (family === 6))?.gateway;
}

export function prefixOf(network: NetworkRecord, address: string): number {
  const ip = parseIp(address);
  const pool = network.pools.find(({ subnet }) => subnet.includes(":") === (ip?.family === 6));
  return pool === undefined ? 0 : parseCidr(pool.subnet).prefix;
}

/** For every endpoint its messages' values; default routes go by the first network of each family that has a way out. */
export function attachmentsOf({ hasIpv6 }: EngineContext, endpoints: readonly Endpoint[], bridgeIndex: (network: NetworkRecord) => number): Attachment[] {
  const routed = new Set<number>();
  return endpoints.map((endpoint) => {
    const { network } = endpoint;
    const gateways: string[] = [];
    for (const family of [4, 6] as const) {
      const gateway = gatewayOf(network, family);
      if (gateway === undefined || routed.has(family)) continue;
      routed.add(family);
      gateways.push(gateway);
    }
    return {
      hostInterface: endpoint.hostInterface, interfaceName: endpoint.interfaceName, interfaceIndex: endpoint.interfaceIndex,
      bridgeIndex: bridgeIndex(network), mac: endpoint.mac, mtu: network.mtu, addresses: endpoint.addresses, gateways,
      isolated: !network.icc, kernelWithoutIpv6: !hasIpv6,
    };
  });
}

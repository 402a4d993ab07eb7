import { SampanError } from "../../base/errors.ts";
import { sortedRecord } from "../../base/sorted-record.ts";
import { PREDEFINED_NETWORKS } from "../../network/model.ts";
import type { NetworkRecord } from "../../network/model.ts";
import type { MemberRecord } from "../../storage/state/index.ts";
import type { Filters, NetworkDetails } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { pattern } from "../containers/filters.ts";
import { recordPredefined } from "./defaults.ts";
import { prefixOf } from "./lease.ts";
import { networkOf } from "./model.ts";
import { settleConnections } from "./settle.ts";

/** In the order in which they were made; the three that are always there first. */
export async function listNetworks(context: EngineContext, filters: Filters = {}): Promise<readonly NetworkDetails[]> {
  await recordPredefined(context);
  await settleMembers(context);
  const members = context.store.endpoints.active();
  const accept = networkFilter(filters);
  return context.store.networks.list().map(networkOf).map((network) => detailsOf(network, members)).filter(accept);
}

export async function inspectNetwork(context: EngineContext, name: string): Promise<NetworkDetails> {
  await recordPredefined(context);
  const network = networkOf(context.store.networks.find(name === "default" ? "bridge" : name));
  await settleMembers(context, network.id);
  return detailsOf(network, context.store.endpoints.active());
}

/** Members whose processes are gone, and nobody has said so, are ended first. */
export async function settleMembers(context: EngineContext, networkId?: string): Promise<void> {
  const { settle } = await import("../containers/settle.ts");
  const ids = new Set(context.store.endpoints
    .active()
    .filter((member) => networkId === undefined || member.networkId === networkId)
    .map(({ containerId }) => containerId));
  for (const id of ids) {
    const record = context.store.containers.get(id);
    if (record !== undefined) await settle(context, record);
  }
  await settleConnections(context);
}

function detailsOf(network: NetworkRecord, members: readonly MemberRecord[]): NetworkDetails {
  const withPrefix = (address: string | null): string => (address === null ? "" : `${address}/${prefixOf(network, address)}`);
  const hasPool = (ipv6: boolean): boolean => network.pools.some(({ subnet }) => subnet.includes(":") === ipv6);
  const own = members.filter(({ networkId }) => networkId === network.id);
  return {
    Name: network.name, Id: network.id, Created: network.created, Scope: "local", Driver: network.driver === "none" ? "null" : network.driver,
    EnableIPv4: network.driver !== "bridge" || hasPool(false), EnableIPv6: hasPool(true),
    IPAM: {
      Driver: "default", Options: Object.hasOwn(PREDEFINED_NETWORKS, network.name) ? null : {},
      Config: network.pools.map(({ subnet, ipRange, gateway, auxAddresses }) => ({
        Subnet: subnet, ...(ipRange === undefined ? {} : { IPRange: ipRange }), Gateway: gateway,
        ...(auxAddresses === undefined ? {} : { AuxiliaryAddresses: { ...auxAddresses } }),
      })),
    },
    Internal: network.internal, Attachable: network.attachable === true, Ingress: false, ConfigFrom: { Network: "" }, ConfigOnly: false,
    Containers: sortedRecord(own.map((member) => [member.containerId, {
      Name: member.name, EndpointID: member.id, MacAddress: member.macAddress ?? "", IPv4Address: withPrefix(member.ipv4), IPv6Address: withPrefix(member.ipv6),
    }] as const)),
    Options: sortedRecord(network.driver === "bridge" ? { ...network.options, "com.docker.network.bridge.name": network.bridge } : network.options),
    Labels: sortedRecord(network.labels),
  };
}

type Accept = (network: NetworkDetails) => boolean;

/** Docker's filters: several values of one key are alternatives (labels must all be there), several keys must all hold. */
function networkFilter(filters: Filters): Accept {
  const tests = Object.entries(filters).map(([key, values]): Accept => {
    const each = values.map((value) => testOf(key, value));
    return (network) => (key === "label" ? each.every((accept) => accept(network)) : each.some((accept) => accept(network)));
  });
  return (network) => tests.every((accept) => accept(network));
}

function testOf(key: string, value: string): Accept {
  switch (key) {
    case "name": {
      const matches = pattern(value);
      return ({ Name }) => matches(Name);
    }
    case "id": {
      const matches = pattern(value);
      return ({ Id }) => matches(Id);
    }
    case "driver":
      return ({ Driver }) => Driver === value;
    case "scope":
      return ({ Scope }) => Scope === value;
    case "label":
      return ({ Labels }) => hasLabel(Labels, value);
    case "type":
      if (value !== "builtin" && value !== "custom") throw new SampanError("invalid", `invalid filter: 'type'='${value}'`);
      return ({ Name }) => Object.hasOwn(PREDEFINED_NETWORKS, Name) === (value === "builtin");
    case "dangling":
      if (!/^(true|false|1|0)$/.test(value)) throw new SampanError("invalid", `invalid value for filter 'dangling': "${value}"`);
      return ({ Name, Containers }) => !(Object.hasOwn(PREDEFINED_NETWORKS, Name)) &&
        (Object.keys(Containers).length === 0) === (value === "true" || value === "1");
    default:
      throw new SampanError("invalid", `invalid filter '${key}'`);
  }
}

/** "KEY" or "KEY=VALUE". */
export function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  if (equals < 0) return Object.hasOwn(labels, wanted);
  const key = wanted.slice(0, equals);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(equals + 1);
}

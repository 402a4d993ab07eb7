import { sortedRecord } from "../../base/sorted-record.ts";
import type { ContainerRecord, EndpointRecord, NetworkRecord } from "../../storage/state/index.ts";
import type { ContainerNetworkSettings, EndpointDetails } from "../api.ts";
import { DEFAULT_NETWORK } from "../../network/model.ts";
import type { EngineContext } from "../context.ts";
import { attachmentOf } from "../network/lease.ts";
import { namesOf } from "../network/members.ts";
import { networkOf } from "../network/model.ts";
import { findNetwork } from "../network/wishes.ts";
import type { NetworkAttachment } from "../request.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { processOf } from "./liveness.ts";
import { attachmentsOf, exposedPortsOf } from "./summary.ts";

function emptyEndpoint(): EndpointDetails {
  return {
    IPAMConfig: null, Links: null, Aliases: null, MacAddress: "", NetworkID: "", EndpointID: "", Gateway: "", IPAddress: "", IPPrefixLen: 0,
    IPv6Gateway: "", GlobalIPv6Address: "", GlobalIPv6PrefixLen: 0, DriverOpts: null, DNSNames: null,
  };
}

/** A network that a container is to be on when it starts. */
function wished(attachment: NetworkAttachment): EndpointDetails {
  return {
    ...emptyEndpoint(),
    IPAMConfig: ipamConfigOf(attachment),
    Aliases: attachment.aliases.length === 0 ? null : [...attachment.aliases],
    MacAddress: attachment.macAddress ?? "",
  };
}

/** The addresses that a person chose. */
function ipamConfigOf({ ipv4, ipv6, linkLocalIps }: NetworkAttachment): EndpointDetails["IPAMConfig"] {
  const chosen = {
    ...(ipv4 === undefined ? {} : { IPv4Address: ipv4 }), ...(ipv6 === undefined ? {} : { IPv6Address: ipv6 }),
    ...(linkLocalIps === undefined ? {} : { LinkLocalIPs: [...linkLocalIps] }),
  };
  return Object.keys(chosen).length === 0 ? null : chosen;
}

function prefixLength(subnet: string | undefined): number {
  return Number(subnet?.split("/")[1] ?? 0);
}

function endpointDetails(record: ContainerRecord, endpoint: EndpointRecord, network: NetworkRecord | undefined): EndpointDetails {
  const subnets = network === undefined ? [] : networkOf(network).pools;
  const v4 = endpoint.ipv4 === null ? undefined : subnets.find(({ subnet }) => !subnet.includes(":"));
  const v6 = endpoint.ipv6 === null ? undefined : subnets.find(({ subnet }) => subnet.includes(":"));
  return {
    ...emptyEndpoint(),
    IPAMConfig: ipamConfigOf(attachmentOf(endpoint)),
    Aliases: endpoint.aliases.length === 0 ? null : [...endpoint.aliases],
    NetworkID: endpoint.networkId,
    // On the default network nobody is found by name.
    DNSNames: network?.name === DEFAULT_NETWORK ? null : namesOf({ name: record.name, containerId: record.id, aliases: endpoint.aliases }),
    ...(endpoint.active
      ? {
          EndpointID: endpoint.id, MacAddress: endpoint.macAddress ?? "", Gateway: v4?.gateway ?? "", IPAddress: endpoint.ipv4 ?? "",
          IPPrefixLen: prefixLength(v4?.subnet),
          IPv6Gateway: v6?.gateway ?? "", GlobalIPv6Address: endpoint.ipv6 ?? "", GlobalIPv6PrefixLen: prefixLength(v6?.subnet),
        }
      : {}),
  };
}

/** "80/tcp" → where it is published, while it runs; null where it is only exposed. */
function portsOf(context: EngineContext, record: ContainerRecord, stored: StoredConfig): ContainerNetworkSettings["Ports"] {
  if (record.status !== "running" && record.status !== "paused") return {};
  const ports: ContainerNetworkSettings["Ports"] = Object.fromEntries(exposedPortsOf(stored).map((port) => [port, null]));
  for (const { hostIp, hostPort, containerPort, protocol } of context.store.ports.list(record.id))
    for (const address of hostIp === "" ? ["0.0.0.0", "::"] : [hostIp])
      (ports[`${containerPort}/${protocol}`] ??= []).push({ HostIp: address, HostPort: String(hostPort) });
  return sortedRecord(ports);
}

/** The container's networks, as they are now. */
export function networkSettingsOf(context: EngineContext, record: ContainerRecord, stored: StoredConfig): ContainerNetworkSettings {
  const known = new Map(context.store.networks.list().map((network) => [network.id, network]));
  const networks: Record<string, EndpointDetails> = {};
  for (const attachment of attachmentsOf(stored)) {
    networks[findNetwork(context, attachment.network)?.name ?? attachment.network] = wished(attachment);
  }
  for (const endpoint of context.store.endpoints.ofContainer(record.id)) {
    const network = known.get(endpoint.networkId);
    networks[network?.name ?? endpoint.networkId] = endpointDetails(record, endpoint, network);
  }
  const process = record.status === "running" || record.status === "paused" ? processOf(context, record) : undefined;
  // Docker repeats the default network's addresses at the top.
  const {
    EndpointID, Gateway, IPAddress, IPPrefixLen, IPv6Gateway, GlobalIPv6Address, GlobalIPv6PrefixLen, MacAddress,
  } = networks["bridge"] ?? emptyEndpoint();
  return {
    Bridge: "", HairpinMode: false, LinkLocalIPv6Address: "", LinkLocalIPv6PrefixLen: 0, SecondaryIPAddresses: null, SecondaryIPv6Addresses: null,
    SandboxID: process === undefined ? "" : record.id, SandboxKey: process === undefined ? "" : `/proc/${process.pid}/ns/net`,
    Ports: portsOf(context, record, stored),
    EndpointID, Gateway, IPAddress, IPPrefixLen, IPv6Gateway, GlobalIPv6Address, GlobalIPv6PrefixLen, MacAddress, Networks: sortedRecord(networks),
  };
}

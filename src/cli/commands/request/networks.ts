import type { NetworkAttachment } from "../../../engine/request.ts";
import { isUserDefinedNetwork } from "../../parse/network.ts";
import type { CreationValues } from "./flags.ts";

/**
 * The networks asked for. `--network-alias`, `--ip`, `--ip6`, `--mac-address` and `--link-local-ip` belong to the first one, as in
 * Docker; without `--network` that is the default bridge.
 */
export function buildNetworks(flags: CreationValues, problems: string[]): NetworkAttachment[] {
  const networks = flags.network.map((asked) => ({ ...asked, network: asked.network === "default" ? "bridge" : asked.network }));
  const single = flags["network-alias"].length > 0 || flags.ip !== undefined || flags.ip6 !== undefined ||
    flags["mac-address"] !== undefined || flags["link-local-ip"].length > 0;
  if (networks.length === 0 && single) networks.push({ network: "bridge", aliases: [] });
  const [first] = networks;
  if (first !== undefined) applySingleFlags(first, flags, problems);
  for (const attachment of networks) checkAttachment(attachment, problems);
  const seen = new Set<string>();
  for (const { network } of networks) {
    if (seen.has(network)) problems.push(`network ${JSON.stringify(network)} is specified multiple times`);
    seen.add(network);
  }
  if (networks.some(({ network }) => isUserDefinedNetwork(network)) &&
      networks.some(({ network }) => ["host", "none"].includes(network) || network.startsWith("container:"))) {
    problems.push("conflicting options: cannot attach both user-defined and non-user-defined network-modes");
  }
  return networks;
}

function applySingleFlags(first: NetworkAttachment, flags: CreationValues, problems: string[]): void {
  const both = (flag: string, what: string): string => `conflicting options: cannot specify both ${flag} and per-network ${what}`;
  if (flags["network-alias"].length > 0) {
    if (first.aliases.length > 0) problems.push(both("--network-alias", "alias"));
    first.aliases = [...flags["network-alias"]];
  }
  if (flags.ip !== undefined) {
    if (first.ipv4 !== undefined) problems.push(both("--ip", "IPv4 address"));
    first.ipv4 = flags.ip;
  }
  if (flags.ip6 !== undefined) {
    if (first.ipv6 !== undefined) problems.push(both("--ip6", "IPv6 address"));
    first.ipv6 = flags.ip6;
  }
  if (flags["mac-address"] !== undefined) {
    if (first.macAddress !== undefined) problems.push(both("--mac-address", "MAC address"));
    first.macAddress = flags["mac-address"];
  }
  if (flags["link-local-ip"].length > 0) {
    if (first.linkLocalIps !== undefined) problems.push(both("--link-local-ip", "link-local IP addresses"));
    first.linkLocalIps = [...flags["link-local-ip"]];
  }
}

function checkAttachment({ network, aliases, ipv4, ipv6, macAddress }: NetworkAttachment, problems: string[]): void {
  if (/^container:?$/.test(network)) problems.push("invalid network mode: container:NAME needs the name of a container");
  if (isUserDefinedNetwork(network)) return;
  if (aliases.length > 0) problems.push("network-scoped aliases are only supported for user-defined networks");
  if (ipv4 !== undefined || ipv6 !== undefined) problems.push("user specified IP address is supported on user defined networks only");
  if (macAddress !== undefined && network !== "bridge") problems.push("conflicting options: mac-address and the network mode");
}

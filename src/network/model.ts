import { SampanError } from "../base/errors.ts";
import { formatMac, parseMac } from "./rtnetlink/link.ts";
import { ipToBytes, requireIp } from "./ip.ts";
import type { AddressPool } from "./ipam.ts";

/** What a network is in the store. Plain data: it is written as JSON and read back. */
export interface NetworkRecord {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly driver: "bridge" | "host" | "none";
  /** The bridge's interface name; "" for host and none. */
  readonly bridge: string;
  /** At most one of each family; empty for host and none. */
  readonly pools: readonly AddressPool[];
  readonly internal: boolean;
  readonly attachable?: boolean;
  readonly icc: boolean;
  readonly masquerade: boolean;
  /** Bytes; 0 is the kernel's default. */
  readonly mtu: number;
  /** The address for `-p` without one: "" is every address. */
  readonly hostBinding: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As the user gave them, for `inspect`. */
  readonly options: Readonly<Record<string, string>>;
  /** ISO 8601, UTC. */
  readonly created: string;
}

/** The name of the default network. */
export const DEFAULT_NETWORK = "bridge";
/** Networks that are always there, and their drivers. */
export const PREDEFINED_NETWORKS: Readonly<Record<string, NetworkRecord["driver"]>> = { bridge: "bridge", host: "host", none: "none" };
/** The default network's bridge, where there is one store on the host. */
export const DEFAULT_BRIDGE = "sampan0";

/**
 * Interface names have 15 bytes (IFNAMSIZ). Twelve digits of a random id are as many as Docker shows people, so
 * two of the same are as unlikely as two containers of the same short id; the store refuses the second.
 */
export function bridgeNameFor(networkId: string): string {
  return `sp-${hexHead(networkId)}`;
}

/** The host's end of an endpoint's veth pair. Its prefix is never that of a bridge. */
export function hostInterfaceFor(endpointId: string): string {
  return `spv${hexHead(endpointId)}`;
}

function hexHead(id: string): string {
  if (!/^[0-9a-f]{12}/.test(id)) throw new SampanError("internal", `"${id}" is no id`);
  return id.slice(0, 12);
}

/**
 * The index that a container's n-th interface (from 0) is given: known beforehand, so that addresses and routes can be
 * compiled into the same plan. A new namespace holds lo (1) and, on some kernels, up to a dozen fallback tunnels.
 */
export function interfaceIndexFor(n: number): number {
  return 100 + n;
}

export function interfaceNameFor(n: number): string {
  return `eth${n}`;
}

/**
 * A locally administered MAC address made from the IP address, so that a neighbour's ARP entry is right even if the
 * address was another container's a second ago. IPv4: 02:42 and its four bytes, as Docker made them for years; IPv6:
 * 02:43 and the last four.
 */
export function macFor(address: string): string {
  const slash = address.indexOf("/");
  const ip = requireIp(slash < 0 ? address : address.slice(0, slash));
  const bytes = new Uint8Array(6);
  bytes.set([0x02, ip.family === 4 ? 0x42 : 0x43]);
  bytes.set(ipToBytes(ip).subarray(-4), 2);
  return formatMac(bytes);
}

/** A wished MAC address in its usual form; throws Docker's sentence. A group address (lowest bit of the first byte) can be no interface's. */
export function parseMacAddress(text: string): string {
  const bytes = parseMac(text);
  if (bytes === undefined) throw new SampanError("invalid", `${text} is not a valid mac address`);
  if (((bytes[0] ?? 0) & 1) === 1 || bytes.every((b) => b === 0))
    throw new SampanError("invalid", `${text} is not a valid mac address: it is a group address or zero`);
  return formatMac(bytes);
}

import * as nl from "../../linux/netlink.ts";
import { formatIp, ipFromBytes } from "../ip.ts";
import { attributeString, attributeU32, decodeMessages, nestedAttributes, splitHeader } from "./decode.ts";
import type { NetlinkMessage } from "./decode.ts";
import { formatMac } from "./link.ts";

/** What the kernel says of a link. */
export interface LinkView {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  readonly loopback: boolean;
  readonly mac?: string;
  readonly mtu?: number;
  readonly masterIndex?: number;
  /** Index of the other end of a veth pair, in that end's namespace. */
  readonly peerIndex?: number;
  /** "veth", "bridge"; absent for hardware and lo. */
  readonly kind?: string;
  readonly alias?: string;
  readonly netns?: { readonly fd?: number; readonly pid?: number };
  /** The other end of a veth pair, in a request. */
  readonly peer?: LinkView;
  readonly addrGenMode?: number;
  readonly bridgePort?: { readonly hairpin: boolean; readonly isolated: boolean };
}

export interface AddressView {
  readonly index: number;
  /** "172.17.0.2/16" */
  readonly address: string;
  readonly broadcast?: string;
  readonly label?: string;
  readonly flags: number;
  readonly scope: number;
}

export interface RouteView {
  readonly family: 4 | 6;
  /** "default" or a subnet. */
  readonly destination: string;
  readonly gateway?: string;
  readonly index?: number;
  readonly metric?: number;
  readonly table: number;
  readonly protocol: number;
  readonly scope: number;
  /** RTN_*: unicast is 1. */
  readonly type: number;
  readonly onlink: boolean;
}

function ipText(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : formatIp(ipFromBytes(bytes));
}

/** Leaves out what is undefined, so that absent and unknown look the same. */
function defined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  // Only undefined values are removed, and those are the optional ones of T.
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T;
}

function linkFrom(payload: Uint8Array): LinkView {
  const { header, attributes: a } = splitHeader(payload, 16, "link");
  const flags = header.getUint32(8, true);
  const mac = a.get(nl.IFLA_ADDRESS);
  const info = nestedAttributes(a, nl.IFLA_LINKINFO);
  const peer = nestedAttributes(info, nl.IFLA_INFO_DATA).get(nl.VETH_INFO_PEER);
  const kind = attributeString(info, nl.IFLA_INFO_KIND);
  const fd = attributeU32(a, nl.IFLA_NET_NS_FD);
  const pid = attributeU32(a, nl.IFLA_NET_NS_PID);
  const slave = attributeString(info, nl.IFLA_INFO_SLAVE_KIND) === "bridge" ? nestedAttributes(info, nl.IFLA_INFO_SLAVE_DATA) : undefined;
  return defined<LinkView>({
    index: header.getInt32(4, true),
    name: attributeString(a, nl.IFLA_IFNAME) ?? "",
    up: (flags & nl.IFF_UP) !== 0,
    loopback: (flags & nl.IFF_LOOPBACK) !== 0,
    mac: mac === undefined || mac.length === 0 ? undefined : formatMac(mac),
    mtu: attributeU32(a, nl.IFLA_MTU),
    masterIndex: attributeU32(a, nl.IFLA_MASTER),
    peerIndex: attributeU32(a, nl.IFLA_LINK),
    kind,
    alias: attributeString(a, nl.IFLA_IFALIAS),
    netns: fd === undefined && pid === undefined ? undefined : defined<{ fd?: number; pid?: number }>({ fd, pid }),
    peer: kind === "veth" && peer !== undefined ? linkFrom(peer) : undefined,
    addrGenMode: nestedAttributes(nestedAttributes(a, nl.IFLA_AF_SPEC), nl.AF_INET6).get(nl.IFLA_INET6_ADDR_GEN_MODE)?.[0],
    bridgePort: slave === undefined
      ? undefined
      : { hairpin: slave.get(nl.IFLA_BRPORT_MODE)?.[0] === 1, isolated: slave.get(nl.IFLA_BRPORT_ISOLATED)?.[0] === 1 },
  });
}

function addressFrom(payload: Uint8Array): AddressView {
  const { header, attributes: a } = splitHeader(payload, 8, "address");
  const local = a.get(nl.IFA_LOCAL) ?? a.get(nl.IFA_ADDRESS);
  return defined<AddressView>({
    index: header.getUint32(4, true),
    address: `${ipText(local) ?? ""}/${header.getUint8(1)}`,
    broadcast: ipText(a.get(nl.IFA_BROADCAST)),
    label: attributeString(a, nl.IFA_LABEL),
    flags: attributeU32(a, nl.IFA_FLAGS) ?? header.getUint8(2),
    scope: header.getUint8(3),
  });
}

function routeFrom(payload: Uint8Array): RouteView {
  const { header, attributes: a } = splitHeader(payload, 12, "route");
  const destination = ipText(a.get(nl.RTA_DST));
  const prefix = header.getUint8(1);
  return defined<RouteView>({
    family: header.getUint8(0) === nl.AF_INET6 ? 6 : 4,
    destination: destination === undefined ? (prefix === 0 ? "default" : `/${prefix}`) : `${destination}/${prefix}`,
    gateway: ipText(a.get(nl.RTA_GATEWAY)),
    index: attributeU32(a, nl.RTA_OIF),
    metric: attributeU32(a, nl.RTA_PRIORITY),
    table: attributeU32(a, nl.RTA_TABLE) ?? header.getUint8(4),
    protocol: header.getUint8(5),
    scope: header.getUint8(6),
    type: header.getUint8(7),
    onlink: (header.getUint32(8, true) & nl.RTNH_F_ONLINK) !== 0,
  });
}

function every<T>(messages: readonly NetlinkMessage[], types: readonly number[], from: (payload: Uint8Array) => T): T[] {
  return messages.filter((m) => types.includes(m.type)).map((m) => from(m.payload));
}

function isIp(message: NetlinkMessage): boolean {
  const family = message.payload[0];
  return family === nl.AF_INET || family === nl.AF_INET6;
}

/** The links in an answer to RTM_GETLINK, or in a request. */
export function decodeLinks(bytes: Uint8Array): LinkView[] {
  return every(decodeMessages(bytes), [nl.RTM_NEWLINK, nl.RTM_DELLINK], linkFrom);
}

/** The IPv4 and IPv6 addresses in an answer to RTM_GETADDR, or in a request. */
export function decodeAddresses(bytes: Uint8Array): AddressView[] {
  return every(decodeMessages(bytes).filter(isIp), [nl.RTM_NEWADDR, nl.RTM_DELADDR], addressFrom);
}

/** The IPv4 and IPv6 routes in an answer to RTM_GETROUTE (every table), or in a request. */
export function decodeRoutes(bytes: Uint8Array): RouteView[] {
  return every(decodeMessages(bytes).filter(isIp), [nl.RTM_NEWROUTE, nl.RTM_DELROUTE], routeFrom);
}

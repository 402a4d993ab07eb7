import * as nl from "../../linux/netlink.ts";
import { SampanError } from "../../base/errors.ts";
import { formatIp, ipToBytes, lastOf, cidrOf, parseCidr, parseInterfaceAddress, parseIp } from "../ip.ts";
import type { IpAddress } from "../ip.ts";
import type { BatchWriter } from "./batch.ts";
import { parseMac } from "./link.ts";

export interface AddressChange {
  readonly index: number;
  /** With prefix length: "172.17.0.2/16". */
  readonly address: string;
}

export interface RouteChange {
  /** "default" or a subnet. */
  readonly destination: string;
  readonly gateway?: string;
  readonly index?: number;
  /** The gateway need not be within a subnet of the link. */
  readonly onlink?: boolean;
  readonly metric?: number;
  /** For "default" without a gateway, 4 or 6. */
  readonly family?: 4 | 6;
}

function familyNumber(ip: { readonly family: 4 | 6 }): number {
  return ip.family === 4 ? nl.AF_INET : nl.AF_INET6;
}

function interfaceAddress(text: string): { ip: IpAddress; prefix: number } {
  const parsed = parseInterfaceAddress(text);
  if (parsed === undefined) throw new SampanError("invalid", `invalid address ${text}: not an address with a prefix length`);
  return parsed;
}

function address(w: BatchWriter, label: string, type: number, flags: number, change: AddressChange): void {
  const { ip, prefix } = interfaceAddress(change.address);
  const bytes = ipToBytes(ip);
  const scope = (ip.family === 4 ? ip.value >> 16n === 0xa9fen : ip.value >> 118n === 0x3fan) ? nl.RT_SCOPE_LINK : nl.RT_SCOPE_UNIVERSE;
  w.message(label, type, flags, () => {
    // struct ifaddrmsg: family, prefix length, flags, scope, index. Its flags have eight bits; IFA_FLAGS has them all.
    w.u8(familyNumber(ip)).u8(prefix).u8(0).u8(scope).u32(change.index);
    // IFA_LOCAL is ours; IFA_ADDRESS the same where the link is not point-to-point (rtnetlink(7)).
    w.attr(nl.IFA_LOCAL, bytes).attr(nl.IFA_ADDRESS, bytes);
    if (type !== nl.RTM_NEWADDR) return;
    if (ip.family === 4) {
      if (prefix < 31) w.attr(nl.IFA_BROADCAST, ipToBytes({ family: 4, value: lastOf(cidrOf(ip, prefix)) }));
    } else {
      // The allocator has made sure that it is unique; detection would keep it unusable for a second.
      w.attrU32(nl.IFA_FLAGS, nl.IFA_F_NODAD | nl.IFA_F_PERMANENT);
    }
  });
}

/** IPv4 with its broadcast address; IPv6 without duplicate address detection. EEXIST if it is there. */
export function newAddress(w: BatchWriter, label: string, change: AddressChange): void {
  address(w, label, nl.RTM_NEWADDR, nl.NLM_F_CREATE | nl.NLM_F_EXCL, change);
}

export function deleteAddress(w: BatchWriter, label: string, change: AddressChange): void {
  address(w, label, nl.RTM_DELADDR, 0, change);
}

function route(w: BatchWriter, label: string, type: number, flags: number, change: RouteChange): void {
  const gateway = change.gateway === undefined ? undefined : parseIp(change.gateway);
  if (change.gateway !== undefined && gateway === undefined) throw new SampanError("invalid", `invalid gateway ${change.gateway}: invalid address`);
  const destination = change.destination === "default" ? undefined : parseCidr(change.destination, "route");
  const family = gateway?.family ?? destination?.family ?? change.family ?? 4;
  if (destination !== undefined && destination.family !== family) {
    throw new SampanError("invalid", `invalid gateway ${formatIp({ family, value: gateway?.value ?? 0n })}: not of the family of ${change.destination}`);
  }
  w.message(label, type, flags, () => {
    // struct rtmsg: family, dst and src length, tos, table, protocol, scope, type, flags.
    w.u8(familyNumber({ family })).u8(destination?.prefix ?? 0).u8(0).u8(0);
    w.u8(nl.RT_TABLE_MAIN).u8(nl.RTPROT_BOOT).u8(gateway === undefined && family === 4 ? nl.RT_SCOPE_LINK : nl.RT_SCOPE_UNIVERSE).u8(nl.RTN_UNICAST);
    w.u32(change.onlink === true ? nl.RTNH_F_ONLINK : 0);
    if (destination !== undefined) w.attr(nl.RTA_DST, ipToBytes({ family, value: destination.base }));
    if (gateway !== undefined) w.attr(nl.RTA_GATEWAY, ipToBytes(gateway));
    if (change.index !== undefined) w.attrU32(nl.RTA_OIF, change.index);
    if (change.metric !== undefined) w.attrU32(nl.RTA_PRIORITY, change.metric);
  });
}

export function newRoute(w: BatchWriter, label: string, change: RouteChange): void {
  route(w, label, nl.RTM_NEWROUTE, nl.NLM_F_CREATE | nl.NLM_F_EXCL, change);
}

/** A permanent neighbour: no ARP or NDP is spent on it. */
export function newNeighbour(w: BatchWriter, label: string, change: { index: number; address: string; mac: string }): void {
  const ip = parseIp(change.address);
  const mac = parseMac(change.mac);
  if (ip === undefined || mac === undefined) throw new SampanError("invalid", `invalid neighbour ${change.address} ${change.mac}`);
  w.message(label, nl.RTM_NEWNEIGH, nl.NLM_F_CREATE | nl.NLM_F_REPLACE, () => {
    // struct ndmsg: family, three bytes of padding, index, state, flags, type.
    w.u8(familyNumber(ip)).u8(0).u16(0).u32(change.index).u16(nl.NUD_PERMANENT).u8(0).u8(0);
    w.attr(nl.NDA_DST, ipToBytes(ip)).attr(nl.NDA_LLADDR, mac);
  });
}

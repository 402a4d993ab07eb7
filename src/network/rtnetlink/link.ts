import { SampanError } from "../../base/errors.ts";
import * as nl from "../../linux/netlink.ts";
import type { BatchWriter, PatchSource } from "./batch.ts";

/** Which namespace a new link goes to: a number known now, or one that the executor patches in. */
export type NetnsTarget = { readonly fd: number } | { readonly pid: number } | { readonly patch: PatchSource };

/** What can be set on any link. Absent: left to the kernel, or as it is. */
export interface LinkSettings {
  readonly name?: string;
  /** Six bytes as text, "02:42:ac:11:00:02". */
  readonly mac?: string;
  readonly mtu?: number;
  readonly up?: boolean;
  /** Index of the bridge that it becomes a port of; 0 takes it out. */
  readonly masterIndex?: number;
  /** No IPv6 link-local address and no router solicitation: for links that shall be silent on IPv6. */
  readonly noIpv6LinkLocal?: boolean;
  readonly alias?: string;
}

export interface NewLink extends LinkSettings {
  readonly name: string;
  /** A wished index (Linux 3.7); EBUSY or EEXIST if it is taken in that namespace. */
  readonly index?: number;
  readonly netns?: NetnsTarget;
}

export interface BridgeSettings {
  readonly vlanFiltering?: boolean;
  readonly multicastSnooping?: boolean;
}

export interface BridgePortSettings {
  /** A frame may leave by the port it came in by: a container that reaches itself by a published port where br_netfilter is on. */
  readonly hairpin?: boolean;
  /** No frame from here to another isolated port. */
  readonly isolated?: boolean;
}

/** A link is named by its index, or by its name where the index is not known. */
export type LinkRef = { readonly index: number } | { readonly name: string };

/** IFNAMSIZ is 16 with the NUL; `/`, `:` and white space are refused by dev_valid_name (net/core/dev.c). */
export function assertInterfaceName(name: string): string {
  // Printable ASCII is enough, and then characters are bytes. By hand: on the start path a regular expression costs its compilation.
  let good = name.length >= 1 && name.length <= 15 && name !== "." && name !== "..";
  for (let i = 0; i < name.length && good; i++) {
    const c = name.charCodeAt(i);
    good = c > 0x20 && c < 0x7f && c !== 0x2f && c !== 0x3a;
  }
  if (!good) {
    throw new SampanError("invalid", `invalid interface name ${JSON.stringify(name)}: 1 to 15 ASCII characters without "/", ":" and white space`);
  }
  return name;
}

/** "02:42:ac:11:00:02" or with dashes → six bytes; undefined if it is none. */
export function parseMac(text: string): Uint8Array | undefined {
  if (text.length !== 17) return undefined;
  const separator = text[2];
  if (separator !== ":" && separator !== "-") return undefined;
  const bytes = new Uint8Array(6);
  for (let i = 0; i < 6; i++) {
    const high = hexDigit(text.charCodeAt(i * 3));
    const low = hexDigit(text.charCodeAt(i * 3 + 1));
    if (high < 0 || low < 0 || (i > 0 && text[i * 3 - 1] !== separator)) return undefined;
    bytes[i] = high * 16 + low;
  }
  return bytes;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}

export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(":");
}

function macBytes(text: string): Uint8Array {
  const bytes = parseMac(text);
  if (bytes === undefined) throw new SampanError("invalid", `${text} is not a valid mac address`);
  return bytes;
}

/** struct ifinfomsg: family, pad, type, index, flags, change mask (rtnetlink(7)). */
function header(w: BatchWriter, index: number, up: boolean | undefined): void {
  w.u8(nl.AF_UNSPEC).u8(0).u16(0).u32(index).u32(up === true ? nl.IFF_UP : 0).u32(up === undefined ? 0 : nl.IFF_UP);
}

function netnsAttr(w: BatchWriter, target: NetnsTarget): void {
  if ("fd" in target) w.attrU32(nl.IFLA_NET_NS_FD, target.fd);
  else if ("pid" in target) w.attrU32(nl.IFLA_NET_NS_PID, target.pid);
  else w.attrPatched(target.patch === "pid" ? nl.IFLA_NET_NS_PID : nl.IFLA_NET_NS_FD, target.patch);
}

function settings(w: BatchWriter, link: LinkSettings): void {
  if (link.name !== undefined) w.attrString(nl.IFLA_IFNAME, assertInterfaceName(link.name));
  if (link.mac !== undefined) w.attr(nl.IFLA_ADDRESS, macBytes(link.mac));
  if (link.mtu !== undefined) w.attrU32(nl.IFLA_MTU, link.mtu);
  if (link.masterIndex !== undefined) w.attrU32(nl.IFLA_MASTER, link.masterIndex);
  if (link.alias !== undefined) w.attrString(nl.IFLA_IFALIAS, link.alias);
  if (link.noIpv6LinkLocal !== undefined) {
    const mode = link.noIpv6LinkLocal ? nl.IN6_ADDR_GEN_MODE_NONE : nl.IN6_ADDR_GEN_MODE_EUI64;
    w.nest(nl.IFLA_AF_SPEC, () => w.nest(nl.AF_INET6, () => w.attrU8(nl.IFLA_INET6_ADDR_GEN_MODE, mode)));
  }
}

/**
 * A veth pair. `link` is the end whose `up` is obeyed: the kernel brings the peer's end up before the two are tied
 * together, which veth(4) refuses with ENOTCONN, so the peer needs a message of its own. When only one end has a
 * namespace, the other is made in the socket's.
 */
export function newVeth(w: BatchWriter, label: string, link: NewLink, peer: NewLink): void {
  if (peer.up === true) throw new SampanError("internal", "The peer of a veth pair cannot be made up");
  w.message(label, nl.RTM_NEWLINK, nl.NLM_F_CREATE | nl.NLM_F_EXCL, () => {
    header(w, link.index ?? 0, link.up);
    settings(w, link);
    if (link.netns !== undefined) netnsAttr(w, link.netns);
    w.nest(nl.IFLA_LINKINFO, () => {
      w.attrString(nl.IFLA_INFO_KIND, "veth");
      w.nest(nl.IFLA_INFO_DATA, () =>
        w.nest(nl.VETH_INFO_PEER, () => {
          header(w, peer.index ?? 0, undefined);
          settings(w, peer);
          if (peer.netns !== undefined) netnsAttr(w, peer.netns);
        }),
      );
    });
  });
}

/** A bridge, STP off and forwarding at once. */
export function newBridge(w: BatchWriter, label: string, link: NewLink, bridge: BridgeSettings = {}): void {
  w.message(label, nl.RTM_NEWLINK, nl.NLM_F_CREATE | nl.NLM_F_EXCL, () => {
    header(w, link.index ?? 0, link.up);
    settings(w, link);
    w.nest(nl.IFLA_LINKINFO, () => {
      w.attrString(nl.IFLA_INFO_KIND, "bridge");
      w.nest(nl.IFLA_INFO_DATA, () => {
        w.attrU32(nl.IFLA_BR_STP_STATE, 0);
        w.attrU32(nl.IFLA_BR_FORWARD_DELAY, 0);
        if (bridge.vlanFiltering !== undefined) w.attrU8(nl.IFLA_BR_VLAN_FILTERING, Number(bridge.vlanFiltering));
        if (bridge.multicastSnooping !== undefined) w.attrU8(nl.IFLA_BR_MCAST_SNOOPING, Number(bridge.multicastSnooping));
      });
    });
  });
}

/** Changes a link that is there. Port settings need the link to be a port already: an earlier message, not the same. */
export function setLink(w: BatchWriter, label: string, ref: LinkRef, change: LinkSettings, port?: BridgePortSettings): void {
  w.message(label, nl.RTM_NEWLINK, 0, () => {
    header(w, "index" in ref ? ref.index : 0, change.up);
    if ("name" in ref) {
      if (change.name !== undefined) throw new SampanError("internal", "Renaming a link needs its index");
      w.attrString(nl.IFLA_IFNAME, assertInterfaceName(ref.name));
    }
    settings(w, change);
    if (port !== undefined) {
      w.nest(nl.IFLA_LINKINFO, () => {
        w.attrString(nl.IFLA_INFO_SLAVE_KIND, "bridge");
        w.nest(nl.IFLA_INFO_SLAVE_DATA, () => {
          if (port.hairpin !== undefined) w.attrU8(nl.IFLA_BRPORT_MODE, Number(port.hairpin));
          if (port.isolated !== undefined) w.attrU8(nl.IFLA_BRPORT_ISOLATED, Number(port.isolated));
        });
      });
    }
  });
}

/** Removes a link (and with one end of a veth pair the other). The kernel answers after an RCU grace period: tens of milliseconds. */
export function deleteLink(w: BatchWriter, label: string, ref: LinkRef): void {
  w.message(label, nl.RTM_DELLINK, 0, () => {
    header(w, "index" in ref ? ref.index : 0, undefined);
    if ("name" in ref) w.attrString(nl.IFLA_IFNAME, assertInterfaceName(ref.name));
  });
}

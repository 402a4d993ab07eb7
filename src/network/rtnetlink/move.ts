import * as nl from "../../linux/netlink.ts";
import { formatIp, ipFromBytes } from "../ip.ts";
import type { BatchWriter, PatchSource } from "./batch.ts";
import { attributeU32, decodeMessages, splitHeader } from "./decode.ts";
import { assertInterfaceName } from "./link.ts";

/** What of an address survives a move of its link to another namespace, as the kernel's own attributes. */
export interface PermanentAddress {
  /** "192.0.2.1/24", for messages. */
  readonly text: string;
  readonly family: number;
  readonly prefix: number;
  readonly attributes: readonly (readonly [type: number, content: Uint8Array])[];
}

/** What makes an address the one that it is. A label is left out: it begins with the link's name, which may change. */
const KEPT = [nl.IFA_LOCAL, nl.IFA_ADDRESS, nl.IFA_BROADCAST, nl.IFA_RT_PRIORITY];
/** What was wished for the address; other flags say how it fares. */
const WISHED = nl.IFA_F_NODAD | nl.IFA_F_HOMEADDRESS | nl.IFA_F_MANAGETEMPADDR | nl.IFA_F_NOPREFIXROUTE | nl.IFA_F_MCAUTOJOIN;

/**
 * A link's addresses that were given by hand and mean the same in any namespace: permanent, and of global scope (runtime-spec
 * config-linux.md "Network Devices"). The kernel drops all of a link's addresses when it moves.
 */
export function permanentAddresses(dump: Uint8Array, index: number): PermanentAddress[] {
  return decodeMessages(dump).filter(({ type }) => type === nl.RTM_NEWADDR).flatMap(({ payload }) => {
    const { header, attributes } = splitHeader(payload, 8, "address");
    const flags = attributeU32(attributes, nl.IFA_FLAGS) ?? header.getUint8(2);
    const local = attributes.get(nl.IFA_LOCAL) ?? attributes.get(nl.IFA_ADDRESS);
    if (header.getUint32(4, true) !== index || (flags & nl.IFA_F_PERMANENT) === 0 || header.getUint8(3) !== nl.RT_SCOPE_UNIVERSE || local === undefined)
      return [];
    const wished = new Uint8Array(4);
    new DataView(wished.buffer).setUint32(0, flags & WISHED, true);
    const kept = KEPT.flatMap((type) => { const content = attributes.get(type); return content === undefined ? [] : [[type, content] as const]; });
    const prefix = header.getUint8(1);
    return [{ text: `${formatIp(ipFromBytes(local))}/${prefix}`, family: header.getUint8(0), prefix, attributes: [...kept, [nl.IFA_FLAGS, wished] as const] }];
  });
}

export function restoreAddress(w: BatchWriter, label: string, index: number, { family, prefix, attributes }: PermanentAddress): void {
  w.message(label, nl.RTM_NEWADDR, nl.NLM_F_CREATE | nl.NLM_F_EXCL, () => {
    w.u8(family).u8(prefix).u8(0).u8(nl.RT_SCOPE_UNIVERSE).u32(index); // struct ifaddrmsg
    for (const [type, content] of attributes) w.attr(type, content);
  });
}

/**
 * Moves a link to another namespace, where it gets a name ("eth%d" lets the kernel choose the number; EEXIST if it is taken) and an
 * index (Linux 5.13; EBUSY if that is taken), in one step.
 */
export function moveLink(
  w: BatchWriter,
  label: string,
  index: number,
  to: { readonly netns: PatchSource; readonly name: string; readonly index: number },
): void {
  w.message(label, nl.RTM_NEWLINK, 0, () => {
    w.u8(nl.AF_UNSPEC).u8(0).u16(0).u32(index).u32(0).u32(0); // struct ifinfomsg
    w.attrString(nl.IFLA_IFNAME, assertInterfaceName(to.name));
    w.attrU32(nl.IFLA_NEW_IFINDEX, to.index);
    w.attrPatched(to.netns === "pid" ? nl.IFLA_NET_NS_PID : nl.IFLA_NET_NS_FD, to.netns);
  });
}

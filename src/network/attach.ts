import { BatchWriter } from "./rtnetlink/batch.ts";
import type { Batch, PatchSource } from "./rtnetlink/batch.ts";
import { newAddress, newRoute } from "./rtnetlink/address.ts";
import { deleteLink, newBridge, newVeth, setLink } from "./rtnetlink/link.ts";
import { LOOPBACK_INDEX } from "../linux/netlink.ts";

/**
 * The rtnetlink batches of a container's life: two at start, one sent from a socket in the host's network namespace,
 * one from a socket in the container's. Pure: everything they need is a value, but the namespace itself.
 */
export interface Attachment {
  /** The host's end of the veth pair. */
  readonly hostInterface: string;
  /** "eth0". */
  readonly interfaceName: string;
  /** Chosen beforehand (interfaceIndexFor), so that both batches are known before either is sent. */
  readonly interfaceIndex: number;
  /** Of the bridge: /sys/class/net/BRIDGE/ifindex. */
  readonly bridgeIndex: number;
  readonly mac: string;
  /** Bytes; 0 is the kernel's default (1500). */
  readonly mtu: number;
  /** With prefix length. */
  readonly addresses: readonly string[];
  /** Default routes: only the container's first network that is not internal has any. */
  readonly gateways: readonly string[];
  /** The network's containers do not reach each other (icc=false): neither across the bridge nor, by the firewall, through it. */
  readonly isolated: boolean;
  /** The kernel has no IPv6 (ipv6.disable=1), and refuses every message that speaks of it (EAFNOSUPPORT). */
  readonly kernelWithoutIpv6?: boolean;
}

/** No link-local address of the kernel's own making. */
function silent({ kernelWithoutIpv6 }: { readonly kernelWithoutIpv6?: boolean }): { noIpv6LinkLocal?: true } {
  return kernelWithoutIpv6 === true ? {} : { noIpv6LinkLocal: true };
}

function hasIpv6(attachment: { readonly addresses: readonly string[] }): boolean {
  return attachment.addresses.some((address) => address.includes(":"));
}

/**
 * From the host's namespace: the veth pair, one end straight into the container's namespace under its final name and
 * index, the other a port of the bridge.
 *
 * The container's end is the message's own link and the host's end its peer, not the other way round: only the own link may
 * be given an index and be brought up in the same message (drivers/net/veth.c: veth_newlink).
 */
export function attachFromHost(attachments: readonly Attachment[], netns: PatchSource): Batch {
  const w = new BatchWriter();
  for (const a of attachments) {
    const mtu = a.mtu === 0 ? {} : { mtu: a.mtu };
    const host = { name: a.hostInterface };
    const own = { name: a.interfaceName, index: a.interfaceIndex, mac: a.mac, ...mtu, netns: { patch: netns } };
    newVeth(w, `create ${a.interfaceName}`, own, { ...host, ...mtu });
    // No link-local address on the port: it would be one of the host's on every container's wire, for nothing.
    setLink(w, `join ${a.hostInterface} to its bridge`, host, { masterIndex: a.bridgeIndex, ...silent(a) });
    setLink(w, `bring up ${a.hostInterface}`, host, { up: true }, { hairpin: true, isolated: a.isolated });
  }
  return w.finish();
}

/** From the container's namespace: lo up, addresses, links up, default routes. After attachFromHost. */
export function configureFromContainer(attachments: readonly Attachment[]): Batch {
  const w = new BatchWriter();
  setLink(w, "bring up lo", { index: LOOPBACK_INDEX }, { up: true });
  for (const a of attachments) configure(w, a);
  return w.finish();
}

/** The same for one more network of a running container (`network connect`): lo is left alone. */
export function configureOneMore(attachment: Attachment): Batch {
  const w = new BatchWriter();
  configure(w, attachment);
  return w.finish();
}

function configure(w: BatchWriter, a: Attachment): void {
  // Without an IPv6 address of ours the container shall have none, not even a link-local one.
  if (!hasIpv6(a) && a.kernelWithoutIpv6 !== true) setLink(w, `silence IPv6 on ${a.interfaceName}`, { index: a.interfaceIndex }, { noIpv6LinkLocal: true });
  for (const address of a.addresses) newAddress(w, `add address ${address} to ${a.interfaceName}`, { index: a.interfaceIndex, address });
  setLink(w, `bring up ${a.interfaceName}`, { index: a.interfaceIndex }, { up: true });
  for (const gateway of a.gateways) newRoute(w, `add default route via ${gateway}`, { destination: "default", gateway, index: a.interfaceIndex });
}

/**
 * Sysctls of the container's namespace, to be written before its links come up: the addresses and routes of an interface are those that
 * were leased, and no other container on the wire adds to them by a router advertisement, which a link without any IPv6 address heeds too.
 */
export function containerSysctls(attachments: readonly Attachment[]): { path: string; value: string; why: string }[] {
  return attachments.filter(({ kernelWithoutIpv6 }) => kernelWithoutIpv6 !== true).map(({ interfaceName }) => ({
    path: `net/ipv6/conf/${interfaceName}/accept_ra`,
    value: "0",
    why: "no router but the gateway",
  }));
}

/** For `--network none`: lo up and nothing else. */
export function loopbackOnly(): Batch {
  return configureFromContainer([]);
}

/** As Docker's bridges have it. */
const BRIDGE_LINK_LOCAL = "fe80::1/64";

export interface BridgeSpec {
  readonly name: string;
  /** Fixed, or the bridge's MAC would change with its ports and the containers' ARP entries go stale. */
  readonly mac: string;
  /** 0 is the kernel's default. */
  readonly mtu: number;
  /** The gateways, with prefix length. */
  readonly addresses: readonly string[];
  readonly kernelWithoutIpv6?: boolean;
}

/** The first half of a network: the bridge. Its index is then /sys/class/net/NAME/ifindex. EEXIST if it is there. */
export function createBridge(bridge: BridgeSpec): Batch {
  const w = new BatchWriter();
  newBridge(w, `create bridge ${bridge.name}`, { name: bridge.name, mac: bridge.mac, ...(bridge.mtu === 0 ? {} : { mtu: bridge.mtu }) });
  return w.finish();
}

/** The second half: addresses, and up. */
export function configureBridge(bridge: BridgeSpec, index: number): Batch {
  const w = new BatchWriter();
  if (bridge.kernelWithoutIpv6 !== true) setLink(w, `silence IPv6 on ${bridge.name}`, { index }, { noIpv6LinkLocal: true });
  // A packet that is forwarded to a container makes the bridge ask for it from its link-local address, and not at all while
  // it has none that is past duplicate address detection (net/ipv6/ndisc.c: ndisc_send_ns). So it gets a fixed one at once.
  const linkLocal = hasIpv6(bridge) ? [BRIDGE_LINK_LOCAL] : [];
  for (const address of [...linkLocal, ...bridge.addresses]) newAddress(w, `add address ${address} to ${bridge.name}`, { index, address });
  setLink(w, `bring up ${bridge.name}`, { index }, { up: true });
  return w.finish();
}

/** At `network rm`. The kernel answers after an RCU grace period. */
export function deleteBridge(name: string): Batch {
  const w = new BatchWriter();
  deleteLink(w, `remove bridge ${name}`, { name });
  return w.finish();
}

/**
 * Sysctls of the host that a bridge network needs, path beneath /proc/sys and value. Forwarding is the host's affair, so whoever
 * turns it on says so; IPv6 forwarding makes an interface deaf to router advertisements unless its accept_ra is 2
 * (Documentation/networking/ip-sysctl.rst). Without it a container that sends one would give the host an address and a
 * default route (CVE-2020-13401): a bridge listens to none, and has IPv6 only where its network does.
 */
export function hostSysctls(bridge: string, ipv6: boolean): readonly { readonly path: string; readonly value: string; readonly why: string }[] {
  const list = [
    { path: "net/ipv4/ip_forward", value: "1", why: "containers reach other hosts, and published ports are reached" },
    { path: `net/ipv4/conf/${bridge}/route_localnet`, value: "1", why: "published ports answer on 127.0.0.1" },
    { path: `net/ipv6/conf/${bridge}/disable_ipv6`, value: ipv6 ? "0" : "1", why: "the bridge has IPv6 where its network has" },
    { path: `net/ipv6/conf/${bridge}/accept_ra`, value: "0", why: "no container is a router of the host's" },
  ];
  if (ipv6) list.push({ path: "net/ipv6/conf/all/forwarding", value: "1", why: "containers reach other hosts by IPv6" });
  return list;
}

import { SampanError } from "../base/errors.ts";
import { formatCidr, formatIp, isLoopback, isUnspecified, parseCidr, parseIp, requireIp } from "./ip.ts";
import type { Cidr } from "./ip.ts";
import type { PortProtocol } from "./ports.ts";

/**
 * The packet filter as text for `nft -f -` (nft(8)): one own table in family inet, so that nobody else's rule is
 * touched. The rules are the same whatever containers there are; published ports are only elements of maps, and a network is
 * elements and one chain with its subnets, so that a packet costs the same few look-ups however many there are.
 *
 * Each text is one transaction: all of it or nothing.
 */
export interface FirewallNetwork {
  /** The bridge's interface name. */
  readonly bridge: string;
  /** IPv4 and IPv6, "172.18.0.0/16". */
  readonly subnets: readonly string[];
  /** No way out and no way in. */
  readonly internal: boolean;
  /** Whether its containers reach each other. */
  readonly icc: boolean;
  /** Whether what leaves gets the host's address. */
  readonly masquerade: boolean;
}

export interface FirewallPort {
  /** "" is every address, "0.0.0.0" and "::" those of one family. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: PortProtocol;
  /** The container's addresses; a port is forwarded only within a family. */
  readonly ipv4?: string;
  readonly ipv6?: string;
}

export interface FirewallState {
  readonly networks: readonly FirewallNetwork[];
  readonly ports: readonly FirewallPort[];
}

export const DEFAULT_TABLE = "sampan";

/** Set or map name → elements. */
type Elements = Map<string, string[]>;

function checkedTable(table: string): string {
  if (!/^[A-Za-z][A-Za-z0-9_]{0,60}$/.test(table)) throw new SampanError("internal", `"${table}" is no name for an nftables table`);
  return table;
}

/** Interface names go into the text between quotes and into names of chains: nothing in them may end either. */
function quoted(name: string): string {
  if (!/^[A-Za-z0-9_.-]{1,15}$/.test(name)) throw new SampanError("invalid", `invalid interface name ${JSON.stringify(name)}`);
  return `"${name}"`;
}

function add(elements: Elements, set: string, element: string): void {
  const list = elements.get(set);
  if (list === undefined) elements.set(set, [element]);
  else if (!list.includes(element)) list.push(element);
}

/** A network's own chain: which sources what comes from its bridge may have. */
function sourceChain({ bridge }: FirewallNetwork): string {
  return `from-${quoted(bridge).slice(1, -1)}`;
}

/**
 * Two plain comparisons behind one hash look-up. A set of bridges and subnets would need no chain, but one with intervals in a
 * concatenation costs every packet so much that a container sends a sixth less to its host (docs/networking.md).
 */
function networkChain(network: FirewallNetwork, table: string): string {
  const chain = sourceChain(network);
  const subnets = network.subnets.map((text) => parseCidr(text));
  const rules = [...subnets.map((cidr) => `${cidr.family === 4 ? "ip" : "ip6"} saddr ${formatCidr(cidr)} return`), "goto stray"];
  return `add chain inet ${table} ${chain}\n${rules.map((rule) => `add rule inet ${table} ${chain} ${rule}\n`).join("")}`;
}

function networkElements(elements: Elements, network: FirewallNetwork): void {
  const bridge = quoted(network.bridge);
  add(elements, "bridges", bridge);
  add(elements, "sources", `${bridge} : jump ${sourceChain(network)}`);
  if (network.internal) add(elements, "internal", bridge);
  if (network.icc) add(elements, "same_network", `${bridge} . ${bridge}`);
  for (const text of network.subnets) {
    const cidr: Cidr = parseCidr(text);
    const subnet = formatCidr(cidr);
    add(elements, `subnets${cidr.family}`, `${bridge} . ${subnet}`);
    if (network.masquerade && !network.internal) add(elements, `masquerade${cidr.family}`, subnet);
  }
}

function portNumber(port: number): number {
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new SampanError("internal", `${port} is no port number`);
  return port;
}

/** Element lists are searched for doubles only where they are short; here a map keeps a range of thousands of ports linear. */
function portElements(elements: Elements, ports: readonly FirewallPort[]): void {
  const seen = new Set<string>();
  const put = (map: string, element: string): void => {
    if (seen.has(`${map} ${element}`)) return;
    seen.add(`${map} ${element}`);
    const list = elements.get(map);
    if (list === undefined) elements.set(map, [element]);
    else list.push(element);
  };
  for (const port of ports) {
    const key = `${port.protocol} . ${portNumber(port.hostPort)}`;
    const host = port.hostIp === "" ? undefined : requireIp(port.hostIp, "host IP");
    for (const [family, text] of [[4, port.ipv4], [6, port.ipv6]] as const) {
      const target = text === undefined ? undefined : parseIp(text);
      if (target?.family !== family || (host !== undefined && host.family !== family)) continue;
      const value = `${formatIp(target)} . ${portNumber(port.containerPort)}`;
      if (host === undefined || isUnspecified(host)) put(`publish${family}`, `${key} : ${value}`);
      // ::1 cannot be forwarded by the kernel (see docs/networking.md); such a port has no element.
      else if (!(family === 6 && isLoopback(host))) put(`publish${family}_at`, `${formatIp(host)} . ${key} : ${value}`);
    }
  }
}

/** Stable order: sets before maps is not needed by nft, but equal states shall give equal text. */
function elementCommands(command: "add" | "delete", table: string, elements: Elements): string {
  let text = "";
  for (const [set, list] of elements) text += `${command} element inet ${table} ${set} { ${list.join(", ")} }\n`;
  return text;
}

/**
 * The whole table from nothing, whatever was there before. Add, delete, add: the first makes the second succeed when
 * there is no table yet. Packets see the old rules or the new ones, nothing between.
 */
export function buildRuleset(state: FirewallState, table = DEFAULT_TABLE): string {
  checkedTable(table);
  const elements: Elements = new Map();
  for (const network of state.networks) networkElements(elements, network);
  portElements(elements, state.ports);
  const chains = state.networks.map((network) => networkChain(network, table)).join("");
  return `add table inet ${table}\ndelete table inet ${table}\n${rules(table)}${chains}${elementCommands("add", table, elements)}`;
}

/**
 * One network less: a bridge's elements and chain are its own, and subnets never overlap. Added before deleted, so that
 * what is gone already is no failure; no packet sees the state between.
 */
export function removeNetwork(network: FirewallNetwork, table = DEFAULT_TABLE): string {
  const elements: Elements = new Map();
  networkElements(elements, network);
  const chain = `chain inet ${checkedTable(table)} ${sourceChain(network)}\n`;
  return `add ${chain}${elementCommands("add", table, elements)}${elementCommands("delete", table, elements)}flush ${chain}delete ${chain}`;
}

/**
 * The ports of one endpoint; "" if there is nothing to do. Fails as a whole ("File exists") if an element is there
 * with another target: a left-over of a crash, and then the table is to be rebuilt from the store.
 */
export function addPorts(ports: readonly FirewallPort[], table = DEFAULT_TABLE): string {
  const elements: Elements = new Map();
  portElements(elements, ports);
  return elementCommands("add", checkedTable(table), elements);
}

/** The ports of one endpoint gone, also if they were gone before; "" if there is nothing to do. */
export function removePorts(ports: readonly FirewallPort[], table = DEFAULT_TABLE): string {
  const elements: Elements = new Map();
  portElements(elements, ports);
  return elementCommands("add", checkedTable(table), elements) + elementCommands("delete", table, elements);
}

/** The part that never changes. Why each rule is there is said beside it. */
function rules(table: string): string {
  return `table inet ${table} {
  set bridges { type ifname; }
  set internal { type ifname; }
  set same_network { type ifname . ifname; }
  set subnets4 { type ifname . ipv4_addr; flags interval; }
  set subnets6 { type ifname . ipv6_addr; flags interval; }
  map sources { type ifname : verdict; }
  set masquerade4 { type ipv4_addr; flags interval; }
  set masquerade6 { type ipv6_addr; flags interval; }
  map publish4 { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map publish6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
  map publish4_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  map publish6_at { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }

  # route_localnet is on for our bridges (127.0.0.1:PORT needs it); without this rule a container could
  # talk to services on the host's loopback (CVE-2020-8558). The address first: hardly any packet has such a one.
  chain martians {
    type filter hook prerouting priority raw; policy accept;
    ip daddr 127.0.0.0/8 iifname @bridges drop
    ip saddr 127.0.0.0/8 iifname @bridges drop
  }

  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    # Translation comes before the kernel's own check for martians: a port published on 127.0.0.1 would be
    # open to the neighbours on the wire.
    ip daddr 127.0.0.0/8 return
    fib daddr type local jump publish
  }

  chain output {
    type nat hook output priority -100; policy accept;
    ip6 daddr ::1 return
    fib daddr type local jump publish
  }

  chain publish {
    dnat ip to ip daddr . meta l4proto . th dport map @publish4_at
    dnat ip to meta l4proto . th dport map @publish4
    dnat ip6 to ip6 daddr . meta l4proto . th dport map @publish6_at
    dnat ip6 to meta l4proto . th dport map @publish6
  }

  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    # From the host's loopback, and from the same network by way of the host's address (hairpin): the answer
    # has to come back through here. Anybody else's address is kept.
    oifname @bridges ip saddr 127.0.0.0/8 masquerade
    oifname . ip saddr @subnets4 ct status dnat masquerade
    oifname . ip6 saddr @subnets6 ct status dnat masquerade
    ip saddr @masquerade4 oifname . ip saddr != @subnets4 masquerade
    ip6 saddr @masquerade6 oifname . ip6 saddr != @subnets6 masquerade
  }

  chain input {
    type filter hook input priority filter; policy accept;
    iifname vmap @sources
  }

  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname . oifname @same_network accept
    iifname @internal drop
    oifname @internal drop
    iifname vmap @sources
    oifname @bridges jump to_container
  }

  # What is in none of its network's subnets has the source address of another network, or of the world. Link-local and
  # unspecified ones never leave the bridge.
  chain stray {
    ip saddr { 0.0.0.0, 169.254.0.0/16 } return
    ip6 saddr { ::, fe80::/10 } return
    drop
  }

  # Into a network: answers, and what a published port has translated. Not what somebody routes to a container's
  # own address, be it from outside or from another network.
  chain to_container {
    ct state established,related accept
    ct status dnat accept
    drop
  }
}
`;
}

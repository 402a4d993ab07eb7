import { SampanError } from "../base/errors.ts";
import { bitsOf, contains, formatCidr, formatIp, lastOf, overlaps, parseCidr, parseIp } from "./ip.ts";
import type { Cidr, IpAddress } from "./ip.ts";

/**
 * Which address a container gets, as a pure function: the leases come in as values, the choice goes out as one,
 * and whoever calls holds the store's transaction around both.
 */
export interface AddressPool {
  /** "172.18.0.0/16" */
  readonly subnet: string;
  readonly gateway: string;
  /** Addresses are handed out from this part only; a wished one may be anywhere in the subnet. */
  readonly ipRange?: string;
  /** Addresses of others in the subnet, never handed out. */
  readonly auxAddresses?: Readonly<Record<string, string>>;
}

export interface AllocationState {
  /** Addresses in use, without prefix length, in `formatIp` form. */
  readonly leases: Iterable<string>;
  /** The address handed out last; the search starts after it, so that a released address comes again last. */
  readonly cursor?: string;
}

export interface Allocation {
  readonly address: string;
  /** With the subnet's prefix length: "172.18.0.2/16". */
  readonly interfaceAddress: string;
  /** To be stored, and given as `cursor` next time. A wished address does not move it. */
  readonly cursor: string | undefined;
}

/** The least number of usable addresses: a gateway and one container. */
const MIN_USABLE = 2n;

/** First and last address that a host may have. IPv4: neither network nor broadcast. IPv6: not the subnet-router anycast address (RFC 4291, 2.6.1). */
function usable(subnet: Cidr): { first: bigint; last: bigint } {
  return { first: subnet.base + 1n, last: subnet.family === 4 ? lastOf(subnet) - 1n : lastOf(subnet) };
}

/** The first usable address. */
export function defaultGateway(subnet: Cidr): string {
  return formatIp({ family: subnet.family, value: usable(subnet).first });
}

/** What is wrong with a pool, one sentence each; empty if nothing is. The texts need not be valid. */
export function poolProblems(pool: { subnet: string; gateway?: string; ipRange?: string; auxAddresses?: Readonly<Record<string, string>> }): string[] {
  const problems: string[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof SampanError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
  const subnet = attempt(() => parseCidr(pool.subnet));
  if (subnet === undefined) return problems;
  const { first, last } = usable(subnet);
  if (last - first + 1n < MIN_USABLE) {
    problems.push(`invalid subnet ${pool.subnet}: too small for a gateway and a container, it should be /${bitsOf(subnet.family) - 2} or larger`);
    return problems;
  }
  if (subnet.base === 0n || overlapsBlock("127.0.0.0/8", subnet) || overlapsBlock("224.0.0.0/3", subnet) || overlapsBlock("ff00::/8", subnet) || overlapsBlock("fe80::/10", subnet) || overlapsBlock("::/8", subnet)) {
    problems.push(`invalid subnet ${pool.subnet}: not a block of unicast addresses that a network can have`);
  }
  const inside = (what: string, text: string): IpAddress | undefined => {
    const ip = parseIp(text);
    if (ip === undefined) problems.push(`invalid ${what} ${text}: invalid address`);
    else if (!contains(subnet, ip)) problems.push(`invalid ${what} ${text}: parent subnet ${pool.subnet} doesn't contain this address`);
    else if (ip.value < first || ip.value > last) problems.push(`invalid ${what} ${text}: it is the ${ip.value < first ? "network" : "broadcast"} address of ${pool.subnet}`);
    else return ip;
    return undefined;
  };
  const gateway = pool.gateway === undefined ? undefined : inside("gateway", pool.gateway);
  for (const [name, text] of Object.entries(pool.auxAddresses ?? {})) {
    const ip = inside(`auxiliary address ${name}:`, text);
    if (ip !== undefined && ip.value === (pool.gateway === undefined ? first : gateway?.value)) problems.push(`invalid auxiliary address ${name}: ${text}: it is the gateway`);
  }
  if (pool.ipRange !== undefined) {
    const ipRange = pool.ipRange;
    const range = attempt(() => parseCidr(ipRange, "ip-range"));
    if (range !== undefined && range.family === subnet.family && range.prefix < subnet.prefix) {
      problems.push(`invalid ip-range ${ipRange}: CIDR block is bigger than its parent subnet ${pool.subnet}`);
    } else if (range !== undefined && !contains(subnet, { family: range.family, value: range.base })) {
      problems.push(`invalid ip-range ${ipRange}: it is not within its parent subnet ${pool.subnet}`);
    }
  }
  return problems;
}

function overlapsBlock(text: string, other: Cidr): boolean {
  return overlaps(parseCidr(text), other);
}

/** Addresses that belong to nobody's container: gateway and auxiliary ones. */
function reserved(pool: AddressPool): Set<string> {
  const set = new Set<string>();
  for (const text of [pool.gateway, ...Object.values(pool.auxAddresses ?? {})]) {
    const ip = parseIp(text);
    if (ip !== undefined) set.add(formatIp(ip));
  }
  return set;
}

/**
 * A free address, or the wished one. Throws `conflict` when the pool is full ("no available IPv4 addresses on this
 * network's address pools: NAME") or the wish is taken ("Address already in use"), `invalid` for a wish that cannot be.
 */
export function allocate(networkName: string, pool: AddressPool, state: AllocationState, wanted?: string): Allocation {
  const subnet = parseCidr(pool.subnet);
  const { first, last } = usable(subnet);
  const taken = reserved(pool);
  const result = (address: string, cursor: string | undefined): Allocation => ({ address, interfaceAddress: `${address}/${subnet.prefix}`, cursor });

  if (wanted !== undefined) {
    const ip = parseIp(wanted);
    if (ip === undefined) throw new SampanError("invalid", `invalid IP address ${wanted}: not an IPv4 or IPv6 address`);
    const address = formatIp(ip);
    if (!contains(subnet, ip)) {
      throw new SampanError("invalid", `Invalid address ${address}: It does not belong to any of this network's subnets`, { hint: `choose one within ${pool.subnet}` });
    }
    if (ip.value < first || ip.value > last) {
      throw new SampanError("invalid", `Invalid address ${address}: it is the ${ip.value < first ? "network" : "broadcast"} address of ${pool.subnet}`);
    }
    if (taken.has(address)) {
      throw new SampanError("conflict", `Address already in use: ${address} is ${address === pool.gateway ? "the gateway" : "reserved"} of network "${networkName}"`);
    }
    for (const lease of state.leases) {
      if (lease === address) throw new SampanError("conflict", `Address already in use: ${address} belongs to another container on network "${networkName}"`);
    }
    return result(address, state.cursor);
  }

  for (const lease of state.leases) taken.add(lease);
  const range = pool.ipRange === undefined ? undefined : parseCidr(pool.ipRange);
  const low = range !== undefined && range.base > first ? range.base : first;
  const high = range !== undefined && lastOf(range) < last ? lastOf(range) : last;
  const cursor = state.cursor === undefined ? undefined : parseIp(state.cursor)?.value;
  const size = high - low + 1n;
  const start = cursor !== undefined && cursor >= low && cursor < high ? cursor + 1n - low : 0n;
  // Among size addresses at most taken.size are refused, so this ends soon even in a /64.
  const tries = size < BigInt(taken.size) + 1n ? size : BigInt(taken.size) + 1n;
  for (let i = 0n; i < tries; i++) {
    const address = formatIp({ family: subnet.family, value: low + ((start + i) % size) });
    if (!taken.has(address)) return result(address, address);
  }
  throw new SampanError("conflict", `no available IPv${subnet.family} addresses on this network's address pools: ${networkName}`, {
    hint: "remove a container from the network, or create one with a larger --subnet",
  });
}

/**
 * The first block of private addresses that overlaps neither a route of the host nor another network. First those of Docker's default
 * pools (RFC 1918): a /16 of 172.17.0.0 to 172.31.0.0, a /20 of 192.168.0.0/16. Then, where Docker gives up after 31 networks or
 * beside a VPN that routes all of these: a /16 of 10.0.0.0/8 from its end, which people count up from its beginning, and one of
 * 100.64.0.0/10, addresses of networks behind a carrier's translation (RFC 6598). A default route overlaps everything and therefore
 * says nothing. Texts that are no subnets ("default", "unreachable") are passed over.
 */
export function choosePrivateSubnet(hostRoutes: Iterable<string>, otherNetworks: Iterable<string>): string {
  const taken: Cidr[] = [];
  for (const text of [...hostRoutes, ...otherNetworks]) {
    const block = blockOf(text);
    if (block !== undefined && block.prefix > 0) taken.push(block);
  }
  for (const candidate of privateBlocks()) {
    if (!taken.some((block) => overlaps(block, candidate))) return formatCidr(candidate);
  }
  throw new SampanError("conflict", "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network", {
    hint: "Choose one: sampan network create --subnet CIDR NAME",
  });
}

function* privateBlocks(): Generator<Cidr> {
  for (let second = 17; second <= 31; second++) yield parseCidr(`172.${second}.0.0/16`);
  for (let third = 0; third < 256; third += 16) yield parseCidr(`192.168.${third}.0/20`);
  for (let second = 255; second >= 0; second--) yield parseCidr(`10.${second}.0.0/16`);
  for (let second = 127; second >= 64; second--) yield parseCidr(`100.${second}.0.0/16`);
}

/** A destination as `ip route` shows it: a host route may lack its prefix length. */
function blockOf(text: string): Cidr | undefined {
  const ip = parseIp(text);
  if (ip !== undefined) return { family: ip.family, base: ip.value, prefix: bitsOf(ip.family) };
  try {
    return parseCidr(text);
  } catch {
    return undefined; // not a destination but a word
  }
}

/** The first of `blocks` that overlaps the subnet, as text, or undefined. Default routes are passed over. */
export function findOverlap(subnet: string, blocks: Iterable<string>): string | undefined {
  const own = parseCidr(subnet);
  for (const text of blocks) {
    const block = blockOf(text);
    if (block !== undefined && block.prefix > 0 && overlaps(block, own)) return text;
  }
  return undefined;
}

/**
 * The n-th /64 of this host's own unique local prefix (RFC 4193): fd, 40 bits that are random but fixed for the host,
 * 16 bits of subnet. `globalId` has five bytes.
 */
export function uniqueLocalSubnet(globalId: Uint8Array, subnetId: number): string {
  if (globalId.length !== 5 || !Number.isInteger(subnetId) || subnetId < 0 || subnetId > 0xffff) {
    throw new SampanError("internal", "A unique local subnet needs five bytes of global id and a subnet id of 16 bits");
  }
  let base = 0xfdn;
  for (const byte of globalId) base = (base << 8n) | BigInt(byte);
  return formatCidr({ family: 6, base: ((base << 16n) | BigInt(subnetId)) << 64n, prefix: 64 });
}

/** The first unique local /64 of this host that overlaps nothing. */
export function chooseUniqueLocalSubnet(globalId: Uint8Array, hostRoutes: Iterable<string>, otherNetworks: Iterable<string>): string {
  const blocks = [...hostRoutes, ...otherNetworks];
  for (let id = 0; id <= 0xffff; id++) {
    const candidate = uniqueLocalSubnet(globalId, id);
    if (findOverlap(candidate, blocks) === undefined) return candidate;
  }
  throw new SampanError("conflict", "could not find an available, non-overlapping IPv6 address pool among the defaults to assign to the network");
}

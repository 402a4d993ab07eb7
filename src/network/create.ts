import { cidrOf, formatCidr, parseCidr, parseInterfaceAddress, parseIp } from "./ip.ts";
import { chooseUniqueLocalSubnet, choosePrivateSubnet, defaultGateway, findOverlap, poolProblems } from "./ipam.ts";
import type { AddressPool } from "./ipam.ts";
import { bridgeNameFor, PREDEFINED_NETWORKS } from "./model.ts";
import type { NetworkRecord } from "./model.ts";

/** What `network create` asks for, not yet looked at. */
export interface NetworkCreateRequest {
  readonly name: string;
  readonly driver: string;
  /** Each with the gateway, range and auxiliary addresses that lie in it. */
  readonly pools: readonly PoolRequest[];
  readonly internal: boolean;
  readonly ipv6: boolean;
  readonly attachable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** `--opt`: Docker's long keys, or the short ones mtu, icc, masquerade, bridge, host-binding. */
  readonly options: Readonly<Record<string, string>>;
}

export interface PoolRequest {
  readonly subnet: string;
  readonly gateway?: string;
  readonly ipRange?: string;
  readonly auxAddresses?: Readonly<Record<string, string>>;
}

/** What has to be known of the host and the store, in the transaction that makes the record. */
export interface NetworkFacts {
  readonly networks: readonly NetworkRecord[];
  /** Destinations of the host's routes, as decodeRoutes gives them; those of our own bridges may be among them. */
  readonly hostRoutes: readonly string[];
  /** Names of all interfaces of the host. */
  readonly interfaces: readonly string[];
  /** Five random bytes, the same ever after on this host. */
  readonly ulaGlobalId: Uint8Array;
}

/**
 * The subnet that is meant by an address in it with a prefix length, "10.1.2.0/24" for "10.1.2.3/24"; undefined for any other text.
 * Docker took such a one until version 25, and books and scripts write it.
 */
export function subnetOfAddress(text: string): string | undefined {
  const parsed = parseInterfaceAddress(text);
  if (parsed === undefined) return undefined;
  const cidr = cidrOf(parsed.ip, parsed.prefix);
  return cidr.base === parsed.ip.value ? undefined : formatCidr(cidr);
}

interface Options {
  readonly mtu: number;
  readonly icc: boolean;
  readonly masquerade: boolean;
  readonly bridge: string;
  readonly hostBinding: string;
}

const LONG_KEYS: Readonly<Record<string, string>> = {
  "com.docker.network.driver.mtu": "mtu",
  "com.docker.network.bridge.enable_icc": "icc",
  "com.docker.network.bridge.enable_ip_masquerade": "masquerade",
  "com.docker.network.bridge.name": "bridge",
  "com.docker.network.bridge.host_binding_ipv4": "host-binding",
};

/** It is part of names by which containers are found ("web.net"), and those have at most 255 bytes (RFC 1035). */
const LONGEST_NAME = 255;

/** Bridges can have 68 to 65535 bytes (RFC 791; ETH_MAX_MTU), and IPv6 needs 1280 (RFC 8200). */
function readOptions(request: NetworkCreateRequest, problems: string[]): Options {
  const options = { mtu: 0, icc: true, masquerade: true, bridge: "", hostBinding: "" };
  const flag = (key: string, value: string): boolean => {
    if (value === "true" || value === "1") return true;
    if (value !== "false" && value !== "0") problems.push(`invalid option ${key}=${value}: it is true or false`);
    return false;
  };
  for (const [key, value] of Object.entries(request.options)) {
    switch (LONG_KEYS[key] ?? key) {
      case "mtu": {
        options.mtu = Number(value);
        const least = request.ipv6 ? 1280 : 68;
        if (!/^\d{1,5}$/.test(value) || (options.mtu !== 0 && (options.mtu < least || options.mtu > 65535)))
          problems.push(`invalid option ${key}=${value}: a number of bytes from ${least} to 65535`);
        break;
      }
      case "icc":
        options.icc = flag(key, value);
        break;
      case "masquerade":
        options.masquerade = flag(key, value);
        break;
      case "bridge":
        options.bridge = value;
        if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(value))
          problems.push(`invalid option ${key}=${value}: an interface name has 1 to 15 letters, digits, "_", "." and "-"`);
        break;
      case "host-binding":
        options.hostBinding = value;
        if (parseIp(value)?.family !== 4) problems.push(`invalid option ${key}=${value}: not an IPv4 address`);
        break;
      default:
        problems.push(`unknown option ${key}`);
    }
  }
  return options;
}

/** Everything that is wrong with a request, one sentence each; nothing has been made, and nothing is if there is one. */
export function validateNetworkCreate(request: NetworkCreateRequest, facts: NetworkFacts): string[] {
  const problems: string[] = [];
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(request.name)) {
    problems.push(`invalid network name ${JSON.stringify(request.name)}: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  } else if (request.name.length > LONGEST_NAME) {
    problems.push(`invalid network name ${request.name.slice(0, 20)}…: it is ${request.name.length} characters long, and ${LONGEST_NAME} are the most`);
  } else if (Object.hasOwn(PREDEFINED_NETWORKS, request.name) || request.name === "default" || request.name === "container") {
    problems.push(`operation is not permitted on predefined ${request.name} network`);
  } else if (facts.networks.some((n) => n.name === request.name)) {
    problems.push(`network with name ${request.name} already exists`);
  }
  if (request.driver === "host" || request.driver === "null") problems.push(`only one instance of "${request.driver}" network is allowed`);
  else if (request.driver !== "bridge") problems.push(`could not find plugin ${request.driver} in v1 plugin registry: plugin not found`);
  const options = readOptions(request, problems);
  if (options.bridge !== "" && (facts.interfaces.includes(options.bridge) || facts.networks.some((n) => n.bridge === options.bridge))) {
    problems.push(`bridge name ${options.bridge} is taken by another interface or network`);
  }
  const families = new Set<number>();
  for (const pool of request.pools) {
    const own = poolProblems(pool);
    problems.push(...own);
    if (own.length > 0) continue;
    const { family } = parseCidr(pool.subnet);
    if (families.has(family)) problems.push(`invalid subnet ${pool.subnet}: a network has one IPv${family} subnet`);
    families.add(family);
    if (family === 6 && !request.ipv6) problems.push(`invalid subnet ${pool.subnet}: an IPv6 subnet needs --ipv6`);
    const network = facts.networks.find((n) => findOverlap(pool.subnet, n.pools.map((p) => p.subnet)) !== undefined);
    const route = findOverlap(pool.subnet, facts.hostRoutes);
    if (network !== undefined) problems.push(`invalid pool request: Pool overlaps with other one on this address space: ${pool.subnet} with that of network "${network.name}"`);
    else if (route !== undefined)
      problems.push(`invalid pool request: Pool overlaps with other one on this address space: ${pool.subnet} with the host's route to ${route}`);
  }
  return problems;
}

/**
 * The record of a new network, with subnets chosen where none were asked for. Throws if no free subnet is left; the request has
 * been validated before.
 */
export function resolveNetwork(request: NetworkCreateRequest, facts: NetworkFacts, made: { readonly id: string; readonly created: string }): NetworkRecord {
  const options = readOptions(request, []);
  const others = facts.networks.flatMap((n) => n.pools.map((p) => p.subnet));
  const pools = request.pools.map(resolvePool);
  const has = (family: 4 | 6): boolean => pools.some((p) => parseCidr(p.subnet).family === family);
  if (!has(4)) pools.unshift(resolvePool({ subnet: choosePrivateSubnet(facts.hostRoutes, others) }));
  if (request.ipv6 && !has(6)) pools.push(resolvePool({ subnet: chooseUniqueLocalSubnet(facts.ulaGlobalId, facts.hostRoutes, others) }));
  // IPv4 first: whoever reads the first subnet of `inspect` means that.
  pools.sort((a, b) => Number(a.subnet.includes(":")) - Number(b.subnet.includes(":")));
  return {
    id: made.id,
    name: request.name,
    driver: "bridge",
    bridge: options.bridge === "" ? bridgeNameFor(made.id) : options.bridge,
    pools,
    internal: request.internal,
    attachable: request.attachable,
    icc: options.icc,
    masquerade: options.masquerade,
    mtu: options.mtu,
    hostBinding: options.hostBinding,
    labels: request.labels,
    options: request.options,
    created: made.created,
  };
}

function resolvePool(pool: PoolRequest): AddressPool {
  const subnet = parseCidr(pool.subnet);
  return { ...pool, subnet: formatCidr(subnet), gateway: pool.gateway ?? defaultGateway(subnet) };
}

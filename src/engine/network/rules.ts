import { buildRuleset } from "../../network/nftables.ts";
import type { FirewallNetwork, FirewallPort, FirewallState } from "../../network/nftables.ts";
import { dockerUserRules } from "../../network/docker-user.ts";
import { forwardingBlocked } from "../../network/other-firewalls.ts";
import type { NetworkRecord } from "../../network/model.ts";
import type { PublishedPort } from "../../network/ports.ts";
import type { ContainerId } from "../../base/ids.ts";
import type { EngineContext } from "../context.ts";
import { findTool, runTool } from "../host-tool.ts";
import { loadRules } from "./filter.ts";
import { hostNamesOf } from "./host-names.ts";
import { networkOf } from "./model.ts";

export function firewallNetwork(network: NetworkRecord): FirewallNetwork {
  const { bridge, pools, internal, icc, masquerade } = network;
  return { bridge, subnets: pools.map(({ subnet }) => subnet), internal, icc, masquerade };
}

/** Where published ports lead: to the container's first address of each family that is on a network with a way out. */
export interface PortTarget {
  readonly ipv4?: string;
  readonly ipv6?: string;
}

interface Placed {
  readonly networkId: string;
  readonly ipv4: string | null | undefined;
  readonly ipv6: string | null | undefined;
}

export function portTarget(endpoints: readonly Placed[], isInternal: (networkId: string) => boolean): PortTarget {
  const open = endpoints.filter(({ networkId }) => !isInternal(networkId));
  const ipv4 = open.find((endpoint) => endpoint.ipv4)?.ipv4;
  const ipv6 = open.find((endpoint) => endpoint.ipv6)?.ipv6;
  return { ...(ipv4 ? { ipv4 } : {}), ...(ipv6 ? { ipv6 } : {}) };
}

export function firewallPorts(ports: readonly PublishedPort[], target: PortTarget): FirewallPort[] {
  return ports.map(({ hostIp, hostPort, containerPort, protocol }) => ({ hostIp, hostPort, containerPort, protocol, ...target }));
}

/** What the store says the packet filter should hold; `without` leaves one container's ports out. */
function firewallState(context: EngineContext, without?: ContainerId): FirewallState {
  const { store } = context;
  const networks = store.networks.list().map(networkOf).filter(({ driver }) => driver === "bridge");
  const internal = new Set(networks.filter((network) => network.internal).map(({ id }) => id));
  const ports = store.ports.list().filter(({ containerId }) => containerId !== without);
  const targets = new Map<string, PortTarget>();
  for (const { containerId } of ports)
    if (!targets.has(containerId))
      targets.set(containerId, portTarget(store.endpoints.ofContainer(containerId).filter(({ active }) => active), (id) => internal.has(id)));
  return { networks: networks.map(firewallNetwork), ports: ports.flatMap((port) => firewallPorts([port], targets.get(port.containerId) ?? {})) };
}

/**
 * The whole table anew from the store. Somebody may lease a port and add its element while nft works on the older state; so it is
 * looked at again afterwards, until what was loaded is what is to be.
 */
export async function rebuildRules(context: EngineContext, without?: ContainerId): Promise<void> {
  const { table } = hostNamesOf(context.paths.root);
  for (let loaded = ""; ;) {
    const wanted = buildRuleset(firewallState(context, without), table);
    if (wanted === loaded) return;
    await loadRules(context, wanted);
    loaded = wanted;
  }
}

/** The families of a network's subnets, each with the program that shows its other rules. */
function filtersOf({ pools }: NetworkRecord): ("iptables" | "ip6tables")[] {
  const has = (ipv6: boolean): boolean => pools.some(({ subnet }) => subnet.includes(":") === ipv6);
  return [...(has(false) ? (["iptables"] as const) : []), ...(has(true) ? (["ip6tables"] as const) : [])];
}

/** What other firewalls have against a bridge's packets, for the user; one sentence each. */
export async function blockedByOthers(context: EngineContext, network: NetworkRecord): Promise<string[]> {
  if (network.internal) return [];
  const nft = findTool("nft");
  // Tersely: without the elements of sets, of which there may be thousands.
  const ruleset = nft === undefined ? "" : (await runTool(context, nft, ["-t", "list", "ruleset"])).stdout;
  // Most are told to let both families pass in one sentence.
  const blocked = new Set<string>();
  for (const program of filtersOf(network)) {
    const save = findTool(`${program}-save`);
    const filter = save === undefined ? "" : (await runTool(context, save, ["-t", "filter"])).stdout;
    for (const sentence of forwardingBlocked(network.bridge, filter, ruleset, program)) blocked.add(sentence);
  }
  return [...blocked];
}

/** Our bridges past Docker's FORWARD policy, where there is Docker. For the user what went wrong, one sentence each. */
export async function passDocker(context: EngineContext): Promise<string[]> {
  const networks = context.store.networks.list().map(networkOf).filter(({ driver }) => driver === "bridge");
  const { chain } = hostNamesOf(context.paths.root);
  const warnings: string[] = [];
  for (const program of ["iptables", "ip6tables"] as const) {
    const save = findTool(`${program}-save`);
    const restore = findTool(`${program}-restore`);
    if (save === undefined || restore === undefined) continue;
    const { stdout } = await runTool(context, save, ["-t", "filter"]);
    const text = dockerUserRules(stdout, networks.filter((network) => filtersOf(network).includes(program)).map(({ bridge }) => bridge), chain);
    if (text === "") continue;
    const { code, stderr } = await runTool(context, restore, ["--noflush", "--wait"], text);
    if (code !== 0)
      warnings.push(`Docker's firewall may keep the containers from other hosts, its chain DOCKER-USER could not be changed: ${stderr.trim().split("\n")[0] ?? ""}; try again with: sampan network reload`);
  }
  return warnings;
}

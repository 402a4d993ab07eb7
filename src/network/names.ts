import type { HostsEntry } from "./hosts.ts";
import { DEFAULT_NETWORK } from "./model.ts";
import type { EndpointRecord } from "./model.ts";

/**
 * Who knows whom by name: on every network but the default one, all running members each other, by container
 * name, short id and aliases. Kept in the members' hosts files, which whoever starts or stops a container updates in
 * place; so no process has to stay for it.
 */
export interface NetworkMembers {
  readonly networkName: string;
  /** Of running containers. */
  readonly endpoints: readonly EndpointRecord[];
}

function bare(address: string): string {
  const slash = address.indexOf("/");
  return slash < 0 ? address : address.slice(0, slash);
}

/** The members that a container's hosts file lists, itself among them (it shall know its own aliases), in the endpoints' order. */
export function membersFor(containerId: string, networks: readonly NetworkMembers[]): HostsEntry[] {
  const entries: HostsEntry[] = [];
  for (const { networkName, endpoints } of networks) {
    if (networkName === DEFAULT_NETWORK || !endpoints.some((e) => e.containerId === containerId)) continue;
    for (const { ipv4, ipv6, names } of endpoints) {
      for (const address of [ipv4, ipv6]) if (address !== undefined) entries.push({ address: bare(address), names });
    }
  }
  return entries;
}

/** The containers whose hosts files a change on these networks concerns, each once. */
export function affectedContainers(networks: readonly NetworkMembers[]): string[] {
  const ids = new Set<string>();
  for (const { networkName, endpoints } of networks) {
    if (networkName !== DEFAULT_NETWORK) for (const endpoint of endpoints) ids.add(endpoint.containerId);
  }
  return [...ids];
}

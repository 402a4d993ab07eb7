import type { PublishedPort } from "../../../engine/api.ts";
import { naturalOrder } from "../../output/natural.ts";

/**
 * "0.0.0.0:8080->80/tcp, 9000-9002/udp": Docker's summary of ports. Ports in a row with the same address, protocol and number on
 * both sides are told as one range; mappings to another number follow, one by one.
 */
export function formatPorts(ports: readonly PublishedPort[]): string {
  const groups = new Map<string, { readonly hostIp: string; readonly protocol: string; first: number; last: number }>();
  const closed: string[] = [];
  const mappings: string[] = [];
  for (const port of [...ports].sort(byNumber)) {
    const { hostIp, hostPort, containerPort, protocol } = port;
    const published = hostPort !== 0;
    if (published && hostPort !== containerPort) {
      mappings.push(`${joinHostPort(hostIp, String(hostPort))}->${containerPort}/${protocol}`);
      continue;
    }
    const key = `${published ? hostIp : ""}/${protocol}`;
    const group = groups.get(key);
    if (group?.last === containerPort - 1) group.last = containerPort;
    else {
      if (group !== undefined) closed.push(formatGroup(group));
      groups.set(key, { hostIp: published ? hostIp : "", protocol, first: containerPort, last: containerPort });
    }
  }
  return [...closed, ...[...groups.values()].map(formatGroup), ...mappings].join(", ");
}

function byNumber(a: PublishedPort, b: PublishedPort): number {
  return a.containerPort - b.containerPort || Number(a.hostIp.includes(":")) - Number(b.hostIp.includes(":")) ||
    naturalOrder(a.hostIp, b.hostIp) || a.hostPort - b.hostPort || naturalOrder(a.protocol, b.protocol);
}

function formatGroup(
  { hostIp, protocol, first, last }: { readonly hostIp: string; readonly protocol: string; readonly first: number; readonly last: number },
): string {
  const range = first === last ? String(first) : `${first}-${last}`;
  return `${hostIp === "" ? range : `${joinHostPort(hostIp, range)}->${range}`}/${protocol}`;
}

/** "127.0.0.1:80", "[::1]:80". */
export function joinHostPort(host: string, port: string): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

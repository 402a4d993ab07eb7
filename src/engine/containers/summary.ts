import type { ContainerRecord, ContainerStatus as StoredStatus, PortLease } from "../../storage/state/index.ts";
import type { ContainerStatus, ContainerSummary, MountPoint, PublishedPort } from "../api.ts";
import type { NetworkAttachment } from "../request.ts";
import { commandOf } from "../spec/command.ts";
import type { StoredConfig } from "../spec/stored.ts";

/** What people are told of a state: the two that are only ours look like what comes before or after them. */
export function shownStatus({ status, startedMs, nextRestartMs }: { readonly status: StoredStatus; readonly startedMs: number | null; readonly nextRestartMs: number | null }): ContainerStatus {
  switch (status) {
    case "creating":
      return startedMs === null ? "created" : nextRestartMs !== null ? "restarting" : "exited";
    case "ending":
      return "exited";
    default:
      return status;
  }
}

/** Docker's mount points: binds, volumes, and what `--mount` made of memory; `--tmpfs` is in HostConfig alone. */
export function mountPointsOf(stored: StoredConfig): MountPoint[] {
  const written = new Map(stored.request.mounts.map(({ target, type, shorthand }) => [target, shorthand ?? (type === "volume" ? "z" : "")]));
  const shorthands = new Set(stored.request.mounts.filter(({ type, shorthand }) => type === "tmpfs" && shorthand !== undefined).map(({ target }) => target));
  return stored.mounts.filter(({ type, target }) => type !== "tmpfs" || !shorthands.has(target)).map((mount) => ({
    Type: mount.type,
    Name: mount.volume,
    Source: mount.source,
    Destination: mount.target,
    Driver: mount.type === "volume" ? "local" : undefined,
    Mode: written.get(mount.target) ?? "",
    RW: !mount.readonly,
    Propagation: mount.type === "bind" ? mount.propagation : "",
  }));
}

/** Docker's name of the network that a container is on if nobody says otherwise. */
export const DEFAULT_NETWORK = "bridge";

/** The networks that a container is to be on. */
export function attachmentsOf({ request: { networks }, disconnected }: StoredConfig): readonly NetworkAttachment[] {
  if (disconnected === true) return [];
  return networks.length === 0 ? [{ network: DEFAULT_NETWORK, aliases: [] }] : networks.filter(({ network }) => !network.startsWith("container:"));
}

/** "80/tcp" of every port that the image or the person exposes or publishes. */
export function exposedPortsOf({ request, image }: StoredConfig): string[] {
  const published = request.ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`);
  const expanded = [...image.config.exposedPorts, ...request.expose].flatMap(expandPort);
  return [...new Set([...expanded, ...published])];
}

/** "8000-8002/udp" as its three ports; a port without a protocol is tcp. */
function expandPort(text: string): string[] {
  const match = /^(\d+)(?:-(\d+))?(?:\/(\w+))?$/.exec(text);
  if (!match) return [];
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => `${first + i}/${(match[3] ?? "tcp").toLowerCase()}`);
}

/** Published ports as they are leased, and exposed ones that are not; only a container that runs has any. */
function portsOf(stored: StoredConfig, leases: readonly PortLease[]): PublishedPort[] {
  const published = leases.flatMap(({ hostIp, hostPort, containerPort, protocol }) =>
    (hostIp === "" ? ["0.0.0.0", "::"] : [hostIp]).map((address) => ({ hostIp: address, hostPort, containerPort, protocol })));
  const exposed = exposedPortsOf(stored)
    .map((text) => ({ containerPort: Number.parseInt(text, 10), protocol: text.slice(text.indexOf("/") + 1) as PortLease["protocol"] })) // our own notation
    .filter(({ containerPort, protocol }) => !published.some((port) => port.containerPort === containerPort && port.protocol === protocol))
    .map((port) => ({ hostIp: "", hostPort: 0, ...port }));
  return [...published, ...exposed];
}

export interface Sizes {
  readonly sizeRwBytes: number;
  readonly sizeRootFsBytes: number;
}

/** A line of `ps`. */
export function summaryOf(record: ContainerRecord, stored: StoredConfig, leases: readonly PortLease[], sizes: Sizes | undefined): ContainerSummary {
  const status = shownStatus(record);
  const runs = status === "running" || status === "paused";
  return {
    id: record.id, name: record.name, image: record.imageReference, imageId: record.imageId ?? "", command: commandOf(stored),
    createdAtMs: record.createdMs, status, startedAtMs: record.startedMs ?? 0, finishedAtMs: runs ? 0 : (record.finishedMs ?? 0), exitCode: record.exitCode ?? 0,
    health: runs ? record.healthStatus : "none", ports: runs ? portsOf(stored, leases) : [], labels: record.labels, mounts: mountPointsOf(stored), networks: attachmentsOf(stored).map(({ network }) => network),
    ...sizes,
  };
}

import { readFileSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import type { ContainerId } from "../../base/ids.ts";
import { describeHolder, findListener, readListeners } from "../../network/busy-ports.ts";
import { forgetUdpFlows } from "../../network/conntrack.ts";
import { addPorts, removePorts } from "../../network/nftables.ts";
import { chooseHostPorts, hostIpsMeet, parseExpose, publishExposed } from "../../network/ports.ts";
import type { PortSpec, PublishedPort } from "../../network/ports.ts";
import { NETLINK_NETFILTER } from "../../linux/netlink.ts";
import type { PortLease } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import type { RunRequest } from "../request.ts";
import { loadRules, unloadRules } from "./filter.ts";
import { hostNamesOf } from "./host-names.ts";
import { publishOnLoopback, withdrawFromLoopback } from "./loopback.ts";
import { probePorts } from "./probe.ts";
import type { HostPort } from "./probe.ts";
import { firewallPorts, rebuildRules } from "./rules.ts";
import type { PortTarget } from "./rules.ts";
import { decodeAddresses } from "../../network/rtnetlink/views.ts";
import { dump, sendBatches } from "./send.ts";

/** The ports that a container is to have published; `-P` adds those that it or its image exposes. */
export function portSpecs(request: RunRequest, exposedByImage: readonly string[], hostBinding: string): PortSpec[] {
  const specs: PortSpec[] = request.ports.map((port) => ({ ...port }));
  if (request.publishAll) {
    const exposed = new Map([...request.expose, ...exposedByImage].flatMap(parseExpose).map((port) => [`${port.port}/${port.protocol}`, port]));
    specs.push(...publishExposed([...exposed.values()], specs));
  }
  return specs.map((spec) => (spec.hostIp === "" && hostBinding !== "" ? { ...spec, hostIp: hostBinding } : spec));
}

/** Where any port would do, so many more than are wanted are looked at at first. */
const CANDIDATES = 16;

/** What is known of the host's ports before the transaction, which shall be short. */
export interface HostPorts {
  readonly ephemeral: { readonly first: number; readonly last: number };
  readonly seed: number;
  readonly free: ReadonlySet<string>;
}

function keyOf({ hostIp, hostPort, protocol }: HostPort): string {
  return `${protocol} ${hostIp} ${hostPort}`;
}

/** Finds the lease that has a port, or one that meets it: a host may have leased thousands. */
function leaseFinder(leases: readonly PortLease[]): (port: HostPort) => PortLease | undefined {
  const byNumber = Map.groupBy(leases, ({ protocol, hostPort }) => `${protocol} ${hostPort}`);
  return ({ protocol, hostPort, hostIp }) => byNumber.get(`${protocol} ${hostPort}`)?.find((lease) => hostIpsMeet(lease.hostIp, hostIp));
}

/** Looks at every host port that is asked for, and at as many others as it takes where any would do. Throws `invalid` for an address that the host has not. */
export async function lookAtPorts(context: EngineContext, specs: readonly PortSpec[]): Promise<HostPorts> {
  const [first = 32768, last = 60999] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").trim().split(/\s+/).map(Number);
  const seed = Math.floor(Math.random() * (last - first + 1));
  const count = last - first + 1;
  const leaseOf = leaseFinder(context.store.ports.list());
  const free = new Set<string>();
  /** Adds to `free`, and gives back which of them are. */
  const look = async (ports: readonly HostPort[]): Promise<HostPort[]> => {
    const wanted = [...new Map(ports.filter((port) => leaseOf(port) === undefined).map((port) => [keyOf(port), port])).values()];
    const probed = wanted.length === 0 ? [] : await probePorts(context, wanted);
    const found = wanted.filter((_, i) => probed[i] === "free");
    for (const port of found) free.add(keyOf(port));
    return found;
  };
  const named = specs.filter(({ hostPort }) => hostPort !== 0).flatMap(({ hostIp, hostPort, hostPortEnd = hostPort, protocol }) =>
    Array.from({ length: hostPortEnd - hostPort + 1 }, (_, i) => ({ hostIp, hostPort: hostPort + i, protocol })));
  const any = specs.filter(({ hostPort }) => hostPort === 0);
  const kinds = [...new Map(any.map((spec) => [keyOf(spec), spec])).values()];
  const taken = new Set(named.map(({ protocol, hostPort }) => `${protocol} ${hostPort}`));
  const candidates = (from: number, to: number): HostPort[] => kinds.flatMap(({ hostIp, protocol }) =>
    Array.from({ length: to - from }, (_, i) => ({ hostIp, protocol, hostPort: first + ((seed + from + i) % count) })).filter(({ hostPort }) =>
      !taken.has(`${protocol} ${hostPort}`)));
  let to = Math.min(CANDIDATES + any.length, count);
  const found = await look([...named, ...candidates(0, to)]);
  // Somebody may have a whole range around where we begin. The steps grow: he may have thousands.
  const lacks = ({ hostIp, protocol }: PortSpec): boolean =>
    found.filter((port) => port.hostIp === hostIp && port.protocol === protocol && !taken.has(`${protocol} ${port.hostPort}`)).length < any.length;
  while (to < count && kinds.some(lacks)) {
    const next = Math.min(to * 4, count);
    found.push(...(await look(candidates(to, next))));
    to = next;
  }
  return { ephemeral: { first, last }, seed, free };
}

/** Inside a transaction: decides host ports and leases them. Throws `conflict` with the holder's name. */
export function leasePorts(context: EngineContext, containerId: ContainerId, specs: readonly PortSpec[], known: HostPorts): PublishedPort[] {
  const { store } = context;
  const leaseOf = leaseFinder(store.ports.list());
  const fixed = new Set(specs.filter(({ hostPort, hostPortEnd }) => hostPort !== 0 && hostPortEnd === undefined).map(keyOf));
  const holder = (port: PublishedPort): string | undefined => {
    const lease = leaseOf(port);
    if (lease !== undefined) return `container "${store.containers.get(lease.containerId)?.name ?? lease.containerId}"`;
    const key = keyOf(port);
    if (known.free.has(key)) return undefined;
    if (!fixed.has(key)) return "somebody";
    const listener = findListener(port, readListeners([port.protocol]));
    return listener === undefined ? "another process" : describeHolder(listener);
  };
  const ports = chooseHostPorts(specs, { ephemeral: known.ephemeral, seed: known.seed, holder });
  store.ports.lease(ports.map((port) => ({ ...port, containerId })));
  return ports;
}

/** Adds a container's ports to the packet filter. What a crash left there in their place is swept away by a rebuild. */
export async function publishPorts(context: EngineContext, ports: readonly PublishedPort[], target: PortTarget): Promise<void> {
  await Promise.all([addRules(context, ports, target), publishOnLoopback(context, ports, target)]);
  await forgetFlows(context, ports, target);
}

async function addRules(context: EngineContext, ports: readonly PublishedPort[], target: PortTarget): Promise<void> {
  const { table } = hostNamesOf(context.paths.root);
  try {
    await loadRules(context, addPorts(firewallPorts(ports, target), table));
  } catch (error) {
    // "File exists": a left-over with another target. "No such file": somebody flushed the rules. The store knows better.
    if (!(error instanceof SampanError) || (error.code !== "EEXIST" && error.code !== "ENOENT")) throw error;
    await rebuildRules(context);
  }
}

/** Takes them out again. */
export async function withdrawPorts(context: EngineContext, ports: readonly PublishedPort[], target: PortTarget): Promise<void> {
  const { table } = hostNamesOf(context.paths.root);
  await Promise.all([unloadRules(context, removePorts(firewallPorts(ports, target), table)), withdrawFromLoopback(context, ports, target)]);
  await forgetFlows(context, ports, target);
}

/** After the rules have changed, so that the next packet of a UDP client meets the new ones. */
async function forgetFlows(context: EngineContext, ports: readonly PublishedPort[], { ipv4, ipv6 }: PortTarget): Promise<void> {
  const udp = ports.filter(({ protocol }) => protocol === "udp").map(({ hostPort }) => hostPort);
  if (udp.length === 0) return;
  const hostAddresses = udp.length > 1 ? decodeAddresses(await dump(context, "addresses")).map(({ address }) => address.slice(0, address.indexOf("/"))) : [];
  const batches = forgetUdpFlows(udp, [ipv4, ipv6].filter((address) => address !== undefined), hostAddresses);
  // ENOENT: there was none. The others: a kernel that has no such filter, or no conntrack over netlink at all.
  for (const batch of batches)
    await sendBatches(context, [{ batch, protocol: NETLINK_NETFILTER, tolerate: ["ENOENT", "EINVAL", "EOPNOTSUPP"] }], { what: "forget UDP flows" });
}

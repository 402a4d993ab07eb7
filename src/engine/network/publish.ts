import { readFileSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import type { ContainerId } from "../../base/ids.ts";
import { describeHolder, findListener, readListeners } from "../../network/busy-ports.ts";
import { forgetUdpFlows } from "../../network/conntrack.ts";
import { addPorts, removePorts } from "../../network/nftables.ts";
import { chooseHostPorts, hostIpsMeet, parseExpose, publishExposed } from "../../network/ports.ts";
import type { PortSpec, PublishedPort } from "../../network/ports.ts";
import { NETLINK_NETFILTER } from "../../linux/netlink.ts";
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

/** Free ports are looked for among this many candidates per port that is to be any; in a range, among the first of it. */
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

/** Looks at every host port that is asked for, and at some of those that any would do of. Throws `conflict` for a fixed one that is busy, with its holder. */
export async function lookAtPorts(context: EngineContext, specs: readonly PortSpec[]): Promise<HostPorts> {
  const [first = 32768, last = 60999] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").trim().split(/\s+/).map(Number);
  const seed = Math.floor(Math.random() * (last - first + 1));
  const random = specs.filter(({ hostPort }) => hostPort === 0).length;
  const leased = context.store.ports.list();
  const isOurs = (port: HostPort): boolean => leased.some((lease) => lease.hostPort === port.hostPort && lease.protocol === port.protocol && hostIpsMeet(lease.hostIp, port.hostIp));
  const fixed = specs.filter(({ hostPort, hostPortEnd }) => hostPort !== 0 && hostPortEnd === undefined);
  const others = specs.filter(({ hostPort, hostPortEnd }) => hostPort === 0 || hostPortEnd !== undefined).flatMap(({ hostIp, hostPort, hostPortEnd, protocol }) => {
    const numbers = hostPortEnd === undefined
      ? Array.from({ length: CANDIDATES + random }, (_, i) => first + ((seed + i) % (last - first + 1)))
      : Array.from({ length: hostPortEnd - hostPort + 1 }, (_, i) => hostPort + i);
    return numbers.map((number) => ({ hostIp, hostPort: number, protocol }));
  });
  const wanted = [...new Map([...fixed, ...others].filter((port) => !isOurs(port)).map((port) => [keyOf(port), port])).values()];
  const probed = await probePorts(context, wanted);
  return { ephemeral: { first, last }, seed, free: new Set(wanted.filter((_, i) => probed[i] === "free").map(keyOf)) };
}

/** Inside a transaction: decides host ports and leases them. Throws `conflict` with the holder's name. */
export function leasePorts(context: EngineContext, containerId: ContainerId, specs: readonly PortSpec[], known: HostPorts): PublishedPort[] {
  const { store } = context;
  const leases = store.ports.list();
  const fixed = new Set(specs.filter(({ hostPort, hostPortEnd }) => hostPort !== 0 && hostPortEnd === undefined).map(keyOf));
  const holder = (port: PublishedPort): string | undefined => {
    const lease = leases.find((other) => other.hostPort === port.hostPort && other.protocol === port.protocol && hostIpsMeet(other.hostIp, port.hostIp));
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
  for (const batch of batches) await sendBatches(context, [{ batch, protocol: NETLINK_NETFILTER, tolerate: ["ENOENT", "EINVAL", "EOPNOTSUPP"] }], { what: "forget UDP flows" });
}

import { readFileSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import type { ContainerId } from "../../base/ids.ts";
import { describeHolder, findListener, readListeners } from "../../network/busy-ports.ts";
import type { Listener } from "../../network/busy-ports.ts";
import { forgetUdpFlows } from "../../network/conntrack.ts";
import { addPorts, removePorts } from "../../network/nftables.ts";
import { chooseHostPorts, hostIpsMeet, parseExpose, publishExposed } from "../../network/ports.ts";
import type { PortSpec, PublishedPort } from "../../network/ports.ts";
import { NETLINK_NETFILTER } from "../../linux/netlink.ts";
import type { EngineContext } from "../context.ts";
import type { RunRequest } from "../request.ts";
import { loadRules } from "./filter.ts";
import { hostNamesOf } from "./host-names.ts";
import { firewallPorts, rebuildRules } from "./rules.ts";
import type { PortTarget } from "./rules.ts";
import { sendBatches } from "./send.ts";

/** The ports that a container is to have published; `-P` adds those that it or its image exposes. */
export function portSpecs(request: RunRequest, exposedByImage: readonly string[], hostBinding: string): PortSpec[] {
  const specs: PortSpec[] = request.ports.map((port) => ({ ...port }));
  if (request.publishAll) {
    const exposed = new Map([...request.expose, ...exposedByImage].flatMap(parseExpose).map((port) => [`${port.port}/${port.protocol}`, port]));
    specs.push(...publishExposed([...exposed.values()], specs));
  }
  return specs.map((spec) => (spec.hostIp === "" && hostBinding !== "" ? { ...spec, hostIp: hostBinding } : spec));
}

/** What listens on the host, read before the transaction: that shall be short. */
export function listenersFor(specs: readonly PortSpec[]): Listener[] {
  return readListeners(specs.map(({ protocol }) => protocol));
}

/** Inside a transaction: decides host ports and leases them. Throws `conflict` with the holder's name. */
export function leasePorts(context: EngineContext, containerId: ContainerId, specs: readonly PortSpec[], listeners: readonly Listener[]): PublishedPort[] {
  const { store } = context;
  const leases = store.ports.list();
  const holder = (port: PublishedPort): string | undefined => {
    const lease = leases.find((other) => other.hostPort === port.hostPort && other.protocol === port.protocol && hostIpsMeet(other.hostIp, port.hostIp));
    if (lease !== undefined) return `container "${store.containers.get(lease.containerId)?.name ?? lease.containerId}"`;
    const listener = findListener(port, listeners);
    return listener === undefined ? undefined : describeHolder(listener);
  };
  const [first = 32768, last = 60999] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").trim().split(/\s+/).map(Number);
  const ports = chooseHostPorts(specs, { ephemeral: { first, last }, seed: Math.floor(Math.random() * 65536), holder });
  store.ports.lease(ports.map((port) => ({ ...port, containerId })));
  return ports;
}

/** Adds a container's ports to the packet filter. What a crash left there in their place is swept away by a rebuild. */
export async function publishPorts(context: EngineContext, ports: readonly PublishedPort[], target: PortTarget): Promise<void> {
  const { table } = hostNamesOf(context.paths.root);
  try {
    await loadRules(context, addPorts(firewallPorts(ports, target), table));
  } catch (error) {
    // "File exists": a left-over with another target. "No such file": somebody flushed the rules. The store knows better.
    if (!(error instanceof SampanError) || (error.code !== "EEXIST" && error.code !== "ENOENT")) throw error;
    await rebuildRules(context);
  }
  await forgetFlows(context, ports, target);
}

/** Takes them out again. A table that is not there holds nothing. */
export async function withdrawPorts(context: EngineContext, ports: readonly PublishedPort[], target: PortTarget): Promise<void> {
  const { table } = hostNamesOf(context.paths.root);
  try {
    await loadRules(context, removePorts(firewallPorts(ports, target), table));
  } catch (error) {
    if (!(error instanceof SampanError) || error.code !== "ENOENT") throw error;
  }
  await forgetFlows(context, ports, target);
}

/** After the rules have changed, so that the next packet of a UDP client meets the new ones. */
async function forgetFlows(context: EngineContext, ports: readonly PublishedPort[], { ipv4, ipv6 }: PortTarget): Promise<void> {
  const udp = ports.filter(({ protocol }) => protocol === "udp").map(({ hostPort }) => hostPort);
  if (udp.length === 0) return;
  const batch = forgetUdpFlows(udp, [ipv4, ipv6].filter((address) => address !== undefined));
  // ENOENT: there was none. The others: a kernel that has no such filter, or no conntrack over netlink at all.
  await sendBatches(context, [{ batch, protocol: NETLINK_NETFILTER, tolerate: ["ENOENT", "EINVAL", "EOPNOTSUPP"] }], { what: "forget UDP flows" });
}

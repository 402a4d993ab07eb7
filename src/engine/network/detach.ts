import { closeSync, openSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import { interfaceIndexFor } from "../../network/model.ts";
import type { NetworkRecord } from "../../network/model.ts";
import { newRoute } from "../../network/rtnetlink/address.ts";
import { BatchWriter } from "../../network/rtnetlink/batch.ts";
import type { ContainerRecord, EndpointRecord } from "../../storage/state/index.ts";
import { storedConfigOf } from "../containers/begin.ts";
import { processOf } from "../containers/liveness.ts";
import type { EngineContext } from "../context.ts";
import { openProcess } from "../processes.ts";
import type { NetworkAttachment } from "../request.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { appendNetworkEvent } from "./events.ts";
import { gatewayOf } from "./lease.ts";
import { isInternal, removeLinks } from "./leave.ts";
import { refreshHostsOf, refreshMembers } from "./members.ts";
import { networkOf } from "./model.ts";
import { publishPorts, withdrawPorts } from "./publish.ts";
import { portTarget } from "./rules.ts";
import type { PortTarget } from "./rules.ts";
import { sendBatches } from "./send.ts";
import { findNetwork } from "./wishes.ts";

/** A running container taken off a network: interface, lease, default routes, ports and names, in this order; and what connecting needs of it. */
export interface Placed {
  readonly row: EndpointRecord;
  readonly network: NetworkRecord;
}

export function isRunning({ status }: ContainerRecord): boolean {
  return status === "running" || status === "paused";
}

export function activeEndpoints({ store }: EngineContext, record: ContainerRecord): Placed[] {
  return store.endpoints.ofContainer(record.id).filter(({ active }) => active).flatMap((row) => {
    const network = store.networks.get(row.networkId);
    return network === undefined ? [] : [{ row, network: networkOf(network) }];
  });
}

/**
 * In the transaction that begins to change an endpoint of a running container: it is half-made or half-removed until `markWhole`. Whoever
 * finds the mark and has the turn (turn.ts) knows that the one who set it is dead.
 */
export function markHalf({ store }: EngineContext, record: ContainerRecord, networkId: string): void {
  store.resources.record([{ kind: "endpoint", key: networkId, containerId: record.id, lifetime: "run" }], Date.now());
}

export function markWhole({ store }: EngineContext, record: ContainerRecord, networkId: string): void {
  store.resources.release(record.id, "endpoint", networkId);
}

/** Every step can be done again by the next one if this process dies. */
export async function detach(context: EngineContext, record: ContainerRecord, network: NetworkRecord, row: EndpointRecord): Promise<void> {
  const before = activeEndpoints(context, record);
  markHalf(context, record, network.id);
  // The host's end takes the container's with it, whatever has become of that.
  await removeLinks(context, [row.hostInterface]);
  forget(context, record, network, row.hostInterface);
  await moveDefaultRoutes(context, record, before);
  await movePorts(context, record, before);
  refreshMembers(context, [network.id]);
  refreshHostsOf(context, record.id);
  markWhole(context, record, network.id);
  appendNetworkEvent(context, network, "disconnect", { container: record.id });
}

/** What is left to do of a detachment whose endpoint is forgotten already, with nobody to say what it was. */
export async function finishDetachment(context: EngineContext, record: ContainerRecord, networkId: string): Promise<void> {
  await moveDefaultRoutes(context, record, []);
  const ports = context.store.ports.list(record.id);
  if (ports.length > 0) {
    const { rebuildRules } = await import("./rules.ts");
    const { publishOnLoopback, withdrawFromLoopback } = await import("./loopback.ts");
    const target = targetOf(context, activeEndpoints(context, record));
    await rebuildRules(context);
    // They are known by their ports alone: the address is any.
    await withdrawFromLoopback(context, ports, { ipv4: "0.0.0.0" });
    await publishOnLoopback(context, ports, target);
  }
  refreshMembers(context, [networkId]);
  refreshHostsOf(context, record.id);
}

/** In a transaction: changes what the container is to be on when it starts again. */
export function setNetworks(context: EngineContext, record: ContainerRecord, change: (networks: readonly NetworkAttachment[]) => NetworkAttachment[]): void {
  const { disconnected: _, ...stored } = storedConfigOf(context, record);
  const { networks } = stored.request;
  // Nothing asked for is the default network; "none" is in the way of any other.
  const explicit = networks.length === 0 ? [{ network: "bridge", aliases: [] }] : networks.filter(({ network }) => network !== "none");
  const changed = change(explicit);
  const config: StoredConfig = changed.length === 0
    ? { ...stored, disconnected: true, request: { ...stored.request, networks: [{ network: "none", aliases: [] }] } }
    : { ...stored, request: { ...stored.request, networks: changed } };
  context.store.containers.setConfig(record.id, JSON.stringify(config));
}

/** A descriptor of the container's network namespace; the caller closes it. */
export function openNetns(context: EngineContext, record: ContainerRecord): number {
  const ref = processOf(context, record);
  const directory = ref === undefined ? undefined : openProcess(ref);
  if (directory === undefined) throw new SampanError("wrong-state", `container ${record.id} is not running`);
  try {
    return openSync(`/proc/self/fd/${directory}/ns/net`, "r");
  } finally {
    closeSync(directory);
  }
}

/** After the interface is gone: its record, its lease and the wish. */
export function forget(context: EngineContext, record: ContainerRecord, network: NetworkRecord, hostInterface: string | null): void {
  const { store } = context;
  store.transaction(() => {
    store.endpoints.delete(network.id, record.id);
    store.networks.releaseAddresses(record.id, network.id);
    if (hostInterface !== null) store.resources.release(record.id, "veth", hostInterface);
    if (store.containers.get(record.id) !== undefined)
      setNetworks(context, record, (networks) => networks.filter((attachment) => findNetwork(context, attachment.network)?.id !== network.id));
  });
}

/** The next network with a way out takes over where the one that left had the default route. */
async function moveDefaultRoutes(context: EngineContext, record: ContainerRecord, before: readonly Placed[]): Promise<void> {
  const left = activeEndpoints(context, record);
  const writer = new BatchWriter();
  for (const family of [4, 6] as const) {
    const had = before.find((place) => gatewayOf(place.network, family) !== undefined);
    const next = left.find((place) => gatewayOf(place.network, family) !== undefined);
    if (next === undefined || had === next) continue;
    const index = interfaceIndexFor(Number((next.row.interfaceName ?? "eth0").slice("eth".length)));
    newRoute(writer, `add default route via network "${next.network.name}"`, { destination: "default", gateway: gatewayOf(next.network, family) ?? "", index });
  }
  const batch = writer.finish();
  if (batch.messages.length === 0) return;
  const netns = openNetns(context, record);
  try {
    await sendBatches(context, [{ batch, inside: true, tolerate: ["EEXIST"] }], { what: `disconnect container "${record.name}"`, netns });
  } finally {
    closeSync(netns);
  }
}

function targetOf(context: EngineContext, places: readonly Placed[]): PortTarget {
  return portTarget(places.map(({ row }) => row), (id) => isInternal(context, id));
}

/** Published ports lead to the container's first address with a way out: another one by now, perhaps. */
export async function movePorts(context: EngineContext, record: ContainerRecord, before: readonly Placed[]): Promise<void> {
  const ports = context.store.ports.list(record.id);
  if (ports.length === 0) return;
  const was = targetOf(context, before);
  const is = targetOf(context, activeEndpoints(context, record));
  if (was.ipv4 === is.ipv4 && was.ipv6 === is.ipv6) return;
  await withdrawPorts(context, ports, was);
  await publishPorts(context, ports, is);
}

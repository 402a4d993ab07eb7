import { attachFromHost, configureFromContainer, containerSysctls, loopbackOnly } from "../../network/attach.ts";
import { interfaceIndexFor, interfaceNameFor } from "../../network/model.ts";
import type { PublishedPort } from "../../network/ports.ts";
import type { HeldSocket, NetworkPlan } from "../../runtime/index.ts";
import type { ContainerId } from "../../base/ids.ts";
import type { EngineContext } from "../context.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { findDefaultNetwork, recordPredefined } from "./defaults.ts";
import { filesFor } from "./files.ts";
import type { NetworkFiles } from "./files.ts";
import { attachmentsOf, leaseEndpoint } from "./lease.ts";
import type { Endpoint } from "./lease.ts";
import { isModelOfItsOwn, networkModeOf } from "./model.ts";
import { appendNetworkEvent } from "./events.ts";
import { ensureBridge, readyIndex } from "./bridge.ts";
import { refreshMembers } from "./members.ts";
import { wishesOf } from "./wishes.ts";
import type { Wish } from "./wishes.ts";

/**
 * A container's network through its start, in three steps that the start calls in this order: `prepareNetwork` looks things
 * up and makes bridges, before anything of the container is recorded; `reserveNetwork` leases addresses and ports in the
 * transaction that records the container; `networkForStart` gives the messages and files. `joined` follows once keel has the plan, and
 * `leaveNetworks` (leave.ts) at the end.
 */
export interface NetworkStart {
  /** "none", "host", "container:ID", or the first network's name. */
  readonly mode: string;
  readonly wishes: readonly Wish[];
  readonly warnings: readonly string[];
  /** Leases the ports; absent where none are wanted. */
  readonly leasePorts: ((id: ContainerId) => readonly PublishedPort[]) | undefined;
  /** Sockets that keep others off leased ports. */
  readonly heldFor: (port: PublishedPort, hasIpv6: boolean) => readonly HeldSocket[];
  /** What `reserveNetwork` leased. */
  endpoints: readonly Endpoint[];
  published: readonly PublishedPort[];
}

/** What a start needs of the network: messages for both sides, and the files by which names are found. */
export interface StartNetwork extends NetworkFiles {
  readonly plan: NetworkPlan;
  /** To be awaited before the plan runs: the packet filter has the container's ports. */
  readonly ready: Promise<void> | undefined;
}

/** A network that nobody asked for by name is no reason not to run, and one without a packet filter would be open. */
const WITHOUT_FILTER = "nft is not installed: the container has no network but its own loopback. Install it (apt install nftables) for the network \"bridge\"";

/** A process may commonly have 1024 descriptors, and the monitor needs a few for other things: of a range of thousands of ports the first are held. */
const MOST_HELD = 512;

const PORTS_WITHOUT_WAY = "no port is published while every network of the container is internal";

/** Looks up networks, sees to it that their bridges are there unless `make` is false, and reads who has which port. */
export async function prepareNetwork(context: EngineContext, stored: StoredConfig, make = true): Promise<NetworkStart> {
  const { request, image } = stored;
  const mode = networkModeOf(request.networks);
  const isOwn = isModelOfItsOwn(mode);
  if (isOwn && findDefaultNetwork(context) === undefined) await recordPredefined(context);
  let wishes = wishesOf(context, request);
  const warnings: string[] = [];
  let leasePorts: NetworkStart["leasePorts"];
  let heldFor: NetworkStart["heldFor"] = () => [];
  const wantsPorts = request.ports.length > 0 || request.publishAll;
  const hasWayOut = wishes.some(({ network }) => !network.internal);
  if (wantsPorts && isOwn && !hasWayOut) warnings.push(PORTS_WITHOUT_WAY);
  else if (wantsPorts && isOwn) {
    const publish = await import("./publish.ts");
    const specs = publish.portSpecs(request, image.config.exposedPorts, wishes[0]?.network.hostBinding ?? "");
    if (specs.length > 0) {
      const known = await publish.lookAtPorts(context, specs);
      ({ heldFor } = await import("./probe.ts"));
      leasePorts = (id) => publish.leasePorts(context, id, specs, known);
    }
  } else if (wantsPorts && mode === "host") warnings.push("Published ports are discarded when using host network mode");
  if (make && wishes.some(({ network }) => readyIndex(context, network) === undefined)) {
    const { hasFilter } = await import("./filter.ts");
    if (request.networks.length === 0 && !wantsPorts && !hasFilter())
      return { mode: "none", wishes: [], warnings: [WITHOUT_FILTER], leasePorts, heldFor, endpoints: [], published: [] };
    for (const { network } of wishes) warnings.push(...(await ensureBridge(context, network)).warnings);
    // Making the default network's bridge may have given it another subnet.
    wishes = wishesOf(context, request);
  }
  return { mode, wishes, warnings, leasePorts, heldFor, endpoints: [], published: [] };
}

/** In the transaction that records the container's start. What it throws undoes all of that. */
export function reserveNetwork(context: EngineContext, start: NetworkStart, id: ContainerId): void {
  start.endpoints = start.wishes.map((wish, n) => leaseEndpoint(context, id, wish, { name: interfaceNameFor(n), index: interfaceIndexFor(n) }));
  start.published = start.leasePorts?.(id) ?? [];
  if (start.mode.startsWith("container:")) {
    const owner = context.store.containers.find(start.mode.slice("container:".length));
    // Whoever ends the owner finds us by it, and takes the owner's interfaces away.
    context.store.resources.record([{ kind: "netns", key: owner.id, containerId: id, lifetime: "run" }], Date.now());
  }
}

/** After `reserveNetwork`. With `make` the packet filter is told of the ports at once, while the start goes on. */
export function networkForStart(context: EngineContext, stored: StoredConfig, start: NetworkStart, make = true): StartNetwork {
  const { mode, endpoints } = start;
  const files = filesFor(context, stored, mode, endpoints);
  const base = { ...files, warnings: [...start.warnings, ...files.warnings] };
  if (!isModelOfItsOwn(mode)) return { ...base, ready: undefined, plan: mode === "none" ? { inner: loopbackOnly() } : {} };
  // Without its bridge the plan is only to be looked at.
  const attachments = attachmentsOf(context, endpoints, (network) => readyIndex(context, network) ?? 0);
  const ready = make && start.published.length > 0 ? publish(context, start) : undefined;
  // Whoever never comes to await it has failed before, and says why.
  ready?.catch(() => undefined);
  const hasIpv6 = endpoints.some(({ ipv6 }) => ipv6 !== undefined);
  return {
    ...base, ready,
    plan: {
      outer: attachFromHost(attachments, "pid"),
      sysctls: containerSysctls(attachments),
      inner: configureFromContainer(attachments),
      held: start.published.flatMap((port) => start.heldFor(port, hasIpv6)).slice(0, MOST_HELD),
    },
  };
}

async function publish(context: EngineContext, { published, endpoints }: NetworkStart): Promise<void> {
  const [{ publishPorts }, { portTarget }] = await Promise.all([import("./publish.ts"), import("./rules.ts")]);
  const internal = new Set(endpoints.filter(({ network }) => network.internal).map(({ network }) => network.id));
  const places = endpoints.map(({ network, ipv4, ipv6 }) => ({ networkId: network.id, ipv4, ipv6 }));
  await publishPorts(context, published, portTarget(places, (id) => internal.has(id)));
}

/** Once keel works on the plan: the others on its networks are told the container's names, and whoever listens of the connection. */
export function joined(context: EngineContext, id: ContainerId, start: NetworkStart): void {
  if (start.endpoints.length === 0) return;
  context.store.transaction(() => {
    for (const { network } of start.endpoints) appendNetworkEvent(context, network, "connect", { container: id });
  });
  refreshMembers(context, start.endpoints.map(({ network }) => network.id));
}

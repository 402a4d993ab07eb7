import { closeSync } from "node:fs";
import { ProblemsError, SampanError } from "../../base/errors.ts";
import { attachFromHost, configureOneMore, containerSysctls } from "../../network/attach.ts";
import type { Attachment } from "../../network/attach.ts";
import { interfaceIndexFor, interfaceNameFor } from "../../network/model.ts";
import type { NetworkRecord } from "../../network/model.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import { storedConfigOf } from "../containers/begin.ts";
import { findSteady } from "../containers/settle.ts";
import type { EngineContext } from "../context.ts";
import { requireRoot } from "../context.ts";
import type { NetworkAttachment } from "../request.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { ensureBridge } from "./bridge.ts";
import { recordPredefined } from "./defaults.ts";
import { activeEndpoints, detach, forget, isRunning, markHalf, markWhole, movePorts, openNetns, setNetworks } from "./detach.ts";
import type { Placed } from "./detach.ts";
import { appendNetworkEvent } from "./events.ts";
import { attachmentsOf, gatewayOf, leaseEndpoint } from "./lease.ts";
import type { Endpoint } from "./lease.ts";
import { removeLinks } from "./leave.ts";
import { refreshMembers } from "./members.ts";
import { isModelOfItsOwn, networkModeOf, notFound } from "./model.ts";
import { leasePorts, lookAtPorts, portSpecs } from "./publish.ts";
import { sendBatches } from "./send.ts";
import { inTurn } from "./turn.ts";
import { findNetwork, resolveWish, wishProblems } from "./wishes.ts";
import type { Wish } from "./wishes.ts";

/** Puts a container on one more network: at once if it runs, else from its next start on. */
export async function connect(context: EngineContext, name: string, attachment: NetworkAttachment): Promise<void> {
  requireRoot();
  await recordPredefined(context);
  await inTurn(context, () => connectAlone(context, name, attachment));
}

async function connectAlone(context: EngineContext, name: string, attachment: NetworkAttachment): Promise<void> {
  const record = await findSteady(context, name);
  const wish = resolveWish(context, attachment);
  const stored = storedConfigOf(context, record);
  refuseModels(stored, wish.network);
  const problems = wishProblems(wish);
  if (problems.length > 0) throw new ProblemsError(problems, { exitCode: 1 });
  if (wishedNetworks(context, stored).some(({ id }) => id === wish.network.id)) {
    throw new SampanError("conflict", `endpoint with name ${record.name} already exists in network ${wish.network.name}`);
  }
  if (isRunning(record)) await connectLive(context, record, wish);
  else context.store.transaction(() => { setNetworks(context, record, (networks) => [...networks, attachment]); });
}

/** Docker's words where a container has no network of its own, or none at all. */
function refuseModels({ request, disconnected }: StoredConfig, network: NetworkRecord): void {
  const mode = networkModeOf(request.networks);
  if (network.driver === "host") throw new SampanError("denied", "container cannot be disconnected from host network or connected to host network");
  if (mode.startsWith("container:") || mode === "host") {
    throw new SampanError("denied", "container sharing network namespace with another container or host cannot be connected to any other network");
  }
  if (network.driver === "none" || (mode === "none" && disconnected !== true)) {
    const hint = network.driver === "none" ? undefined : "Take it off that first: sampan network disconnect none CONTAINER";
    throw new SampanError("denied", "container cannot be connected to multiple networks with one of the networks in private (none) mode", { hint });
  }
}

/** The networks that a container is to be on as far as they are still there. */
function wishedNetworks(context: EngineContext, { request }: StoredConfig): NetworkRecord[] {
  if (!isModelOfItsOwn(networkModeOf(request.networks))) return [];
  const names = request.networks.length === 0 ? ["bridge"] : request.networks.map(({ network }) => network);
  return names.map((name) => findNetwork(context, name)).filter((network) => network !== undefined);
}

async function connectLive(context: EngineContext, record: ContainerRecord, wish: Wish): Promise<void> {
  const { store } = context;
  const { index } = await ensureBridge(context, wish.network);
  const { network, attachment } = resolveWish(context, wish.attachment);
  const before = activeEndpoints(context, record);
  const leaseWanted = await wantedPorts(context, record, network);
  const netns = openNetns(context, record);
  let endpoint: Endpoint | undefined;
  try {
    endpoint = store.transaction((): Endpoint => {
      const now = store.containers.get(record.id);
      if (now === undefined || !isRunning(now)) throw new SampanError("wrong-state", `container ${record.id} is not running`);
      if (store.endpoints.get(network.id, record.id)?.active === true)
        throw new SampanError("conflict", `endpoint with name ${record.name} already exists in network ${network.name}`);
      markHalf(context, record, network.id);
      setNetworks(context, record, (networks) => [...networks, attachment]);
      leaseWanted?.();
      return leaseEndpoint(context, record.id, { network, attachment }, freePlace(activeEndpoints(context, record)));
    });
    const values = withGateways(attachmentsOf(context, [endpoint], () => index)[0], before.map((other) => other.network));
    await sendBatches(
      context,
      [{ batch: attachFromHost([values], "netns-fd") }, { batch: configureOneMore(values), inside: true, sysctls: containerSysctls([values]) }],
      { what: `connect container "${record.name}" to network "${network.name}"`, netns },
    );
  } catch (error) {
    if (endpoint !== undefined) await undo(context, record, endpoint);
    if (endpoint !== undefined && leaseWanted !== undefined) store.ports.release(record.id);
    throw error;
  } finally {
    closeSync(netns);
  }
  await movePorts(context, record, before);
  refreshMembers(context, [network.id]);
  markWhole(context, record, network.id);
  appendNetworkEvent(context, network, "connect", { container: record.id });
}

/**
 * What leases, in the transaction, the ports that a container has been waiting to have published: it was started on no network with a
 * way out. Its monitor, which runs already, holds none of them against programs of the host's.
 */
async function wantedPorts(context: EngineContext, record: ContainerRecord, network: NetworkRecord): Promise<(() => void) | undefined> {
  const { request, image } = storedConfigOf(context, record);
  if (network.internal || context.store.ports.list(record.id).length > 0) return undefined;
  const specs = portSpecs(request, image.config.exposedPorts, network.hostBinding);
  if (specs.length === 0) return undefined;
  const known = await lookAtPorts(context, specs);
  return () => { leasePorts(context, record.id, specs, known); };
}

/** Default routes only for a family that no other network of the container gives one for. */
function withGateways(values: Attachment | undefined, others: readonly NetworkRecord[]): Attachment {
  if (values === undefined) throw new SampanError("internal", "An endpoint has no attachment");
  return { ...values, gateways: values.gateways.filter((gateway) => !others.some((other) => gatewayOf(other, gateway.includes(":") ? 6 : 4) !== undefined)) };
}

/** eth0, eth1, …: the first that is free. */
function freePlace(endpoints: readonly Placed[]): { name: string; index: number } {
  let n = 0;
  while (endpoints.some(({ row }) => row.interfaceName === interfaceNameFor(n))) n++;
  return { name: interfaceNameFor(n), index: interfaceIndexFor(n) };
}

async function undo(context: EngineContext, record: ContainerRecord, endpoint: Endpoint): Promise<void> {
  await removeLinks(context, [endpoint.hostInterface]);
  forget(context, record, endpoint.network, endpoint.hostInterface);
  markWhole(context, record, endpoint.network.id);
}

/** Takes a container off a network: at once if it runs. As with Docker, `force` only changes what is said of a container that is not there. */
export async function disconnect(context: EngineContext, name: string, networkName: string, force: boolean): Promise<void> {
  requireRoot();
  await recordPredefined(context);
  await inTurn(context, () => disconnectAlone(context, name, networkName, force));
}

async function disconnectAlone(context: EngineContext, name: string, networkName: string, force: boolean): Promise<void> {
  const network = findNetwork(context, networkName);
  let record: ContainerRecord;
  try {
    record = await findSteady(context, name);
  } catch (error) {
    // What a container that is gone has left on a network is removed by whoever looks at it next, so there is never anything to be forced.
    if (force && error instanceof SampanError && error.kind === "not-found")
      throw network === undefined ? notFound(networkName) : new SampanError("not-found", `endpoint ${name} not found`);
    throw error;
  }
  const stored = storedConfigOf(context, record);
  if (network === undefined) {
    // Removed while the container was at rest, which could never start again if it could not be told to do without.
    if (isRunning(record) || !stored.request.networks.some((attachment) => attachment.network === networkName)) throw notFound(networkName);
    context.store.transaction(() => { setNetworks(context, record, (networks) => networks.filter((attachment) => attachment.network !== networkName)); });
    return;
  }
  const mode = networkModeOf(stored.request.networks);
  if (network.driver === "none" && mode === "none" && stored.disconnected !== true) {
    context.store.transaction(() => { setNetworks(context, record, () => []); });
    return;
  }
  if (mode === "host") {
    throw new SampanError("denied", "container cannot be disconnected from host network or connected to host network");
  }
  const row = context.store.endpoints.get(network.id, record.id);
  const isActive = isRunning(record) && row?.active === true;
  if (!isActive && (isRunning(record) || !wishedNetworks(context, stored).some(({ id }) => id === network.id))) {
    throw new SampanError("conflict", `container ${record.id} is not connected to network ${network.name}`);
  }
  if (isActive) await detach(context, record, network, row);
  else forget(context, record, network, null);
}

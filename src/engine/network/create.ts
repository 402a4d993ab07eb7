import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { ProblemsError, SampanError, errnoOf } from "../../base/errors.ts";
import { createId } from "../../base/ids.ts";
import { resolveNetwork, subnetOfAddress, validateNetworkCreate } from "../../network/create.ts";
import type { NetworkCreateRequest } from "../../network/create.ts";
import { PREDEFINED_NETWORKS } from "../../network/model.ts";
import type { NetworkRecord } from "../../network/model.ts";
import { decodeLinks, decodeRoutes } from "../../network/rtnetlink/views.ts";
import type { NetworkRequest } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { requireRoot } from "../context.ts";
import { aloneOnHost } from "./alone.ts";
import { makeBridgeAlone, underHostLock } from "./bridge.ts";
import { recordPredefined } from "./defaults.ts";
import { appendNetworkEvent } from "./events.ts";
import { networkOf, rowOf } from "./model.ts";
import { dump } from "./send.ts";

/** Records a network and makes its bridge; if that fails, there is none. Throws every problem at once, in Docker's words. */
export async function createNetwork(context: EngineContext, request: NetworkRequest): Promise<{ id: string; warnings: readonly string[] }> {
  requireRoot();
  if (request.ipv6 && !context.hasIpv6)
    throw new SampanError(
      "unsupported",
      `Cannot make network "${request.name}" with IPv6: this kernel has none`,
      { hint: "Is it started with ipv6.disable=1?" },
    );
  await recordPredefined(context);
  const wanted: NetworkCreateRequest = {
    name: request.name, driver: request.driver, internal: request.internal, ipv6: request.ipv6, attachable: request.attachable,
    labels: request.labels, options: request.options,
    pools: request.subnets.map(({ subnet, gateway, ipRange, auxAddresses }) => ({
      subnet: subnetOfAddress(subnet) ?? subnet, ...(gateway === undefined ? {} : { gateway }),
      ...(ipRange === undefined ? {} : { ipRange }), ...(auxAddresses === undefined ? {} : { auxAddresses }),
    })),
  };
  const ulaGlobalId = request.ipv6 ? globalId(context) : new Uint8Array(5);
  let network: NetworkRecord | undefined;
  try {
    // Until the bridge is there, with its routes, no other engine knows which subnet is taken.
    const warnings = await underHostLock(context, () => aloneOnHost(context, async () => {
      network = await record(context, wanted, ulaGlobalId);
      return (await makeBridgeAlone(context, network)).warnings;
    }));
    if (network === undefined) throw new SampanError("internal", "A network was made and not recorded");
    const guessed = request.subnets.filter(({ subnet }) => subnetOfAddress(subnet) !== undefined).map(({ subnet }) =>
      `${subnet} is no subnet but an address in one: ${subnetOfAddress(subnet) ?? ""} is taken`);
    return { id: network.id, warnings: [...guessed, ...warnings] };
  } catch (error) {
    if (network !== undefined) {
      const { dropNetwork } = await import("./remove.ts");
      await dropNetwork(context, network);
    }
    throw error;
  }
}

async function record(context: EngineContext, wanted: NetworkCreateRequest, ulaGlobalId: Uint8Array): Promise<NetworkRecord> {
  const { store } = context;
  const hostRoutes = decodeRoutes(await dump(context, "routes")).map(({ destination }) => destination);
  const interfaces = decodeLinks(await dump(context, "links")).map(({ name }) => name);
  return store.transaction((): NetworkRecord => {
    const facts = { networks: store.networks.list().map(networkOf), hostRoutes, interfaces, ulaGlobalId };
    if (!Object.hasOwn(PREDEFINED_NETWORKS, wanted.name) && facts.networks.some(({ name }) => name === wanted.name))
      throw new SampanError("already-exists", `network with name ${wanted.name} already exists`, { exitCode: 1 });
    const problems = validateNetworkCreate(wanted, facts);
    if (problems.length > 0) throw new ProblemsError(problems, { exitCode: 1 });
    const made = resolveNetwork(wanted, facts, { id: createId(), created: new Date().toISOString() });
    store.networks.create(rowOf(made));
    appendNetworkEvent(context, made, "create");
    return made;
  }, { durable: true });
}

/** The random part of this host's unique local prefix (RFC 4193, 3.2.2): made once, the same ever after. */
function globalId(context: EngineContext): Uint8Array {
  const path = `${context.paths.root}/ula-global-id`;
  try {
    writeFileSync(path, randomBytes(5), { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
  return readFileSync(path);
}

import { ProblemsError, SampanError } from "../../base/errors.ts";
import { DEFAULT_NETWORK, parseMacAddress } from "../../network/model.ts";
import type { NetworkRecord } from "../../network/model.ts";
import { parseIp } from "../../network/ip.ts";
import { isHostName } from "../../network/hosts.ts";
import type { EngineContext } from "../context.ts";
import type { NetworkAttachment, RunRequest } from "../request.ts";
import { isModelOfItsOwn, networkModeOf, networkOf } from "./model.ts";

/** A network that a container is to be on, and how it would like to be there. */
export interface Wish {
  readonly network: NetworkRecord;
  readonly attachment: NetworkAttachment;
}

/** The networks of a request; none for host, none and another container's. Throws every problem at once, in Docker's words. */
export function wishesOf(context: EngineContext, request: RunRequest): Wish[] {
  const mode = networkModeOf(request.networks);
  const problems = conflicts(request, mode);
  if (problems.length > 0) throw new ProblemsError(problems, { exitCode: 125 });
  if (!isModelOfItsOwn(mode)) return [];
  const asked = request.networks.length === 0 ? [{ network: DEFAULT_NETWORK, aliases: [] }] : request.networks;
  const wishes = asked.map((attachment) => resolveWish(context, attachment));
  const seen = new Set<string>();
  for (const { network } of wishes) {
    if (seen.has(network.id)) problems.push(`network "${network.name}" is specified multiple times`);
    seen.add(network.id);
  }
  problems.push(...wishes.flatMap(wishProblems));
  if (problems.length > 0) throw new ProblemsError(problems, { exitCode: 125 });
  return wishes;
}

/** Throws "not-found" in Docker's words. */
export function resolveWish(context: EngineContext, attachment: NetworkAttachment): Wish {
  const name = attachment.network === "default" ? DEFAULT_NETWORK : attachment.network;
  return { network: networkOf(context.store.networks.find(name)), attachment };
}

/** The network of that name or id, if there is one. */
export function findNetwork(context: EngineContext, name: string): NetworkRecord | undefined {
  try {
    return networkOf(context.store.networks.find(name === "default" ? DEFAULT_NETWORK : name));
  } catch (error) {
    if (error instanceof SampanError && error.kind === "not-found") return undefined;
    throw error;
  }
}

function conflicts(request: RunRequest, mode: string): string[] {
  const problems: string[] = [];
  const modes = request.networks.map(({ network }) => network);
  if (modes.length > 1 && modes.some((name) => !isModelOfItsOwn(name)))
    problems.push("conflicting options: cannot attach both user-defined and non-user-defined network-modes");
  if (mode.startsWith("container:")) {
    if (request.ports.length > 0 || request.publishAll) problems.push("conflicting options: port publishing and the container type network mode");
    if (request.expose.length > 0) problems.push("conflicting options: port exposing and the container type network mode");
    if (request.hostname !== undefined) problems.push("conflicting options: hostname and the network mode");
    if (request.dns.length > 0) problems.push("conflicting options: dns and the network mode");
    if (request.addHosts.length > 0) problems.push("conflicting options: custom host-to-IP mapping and the network mode");
  }
  if (!isModelOfItsOwn(mode) && request.networks.some(({ macAddress }) => macAddress !== undefined))
    problems.push("conflicting options: mac-address and the network mode");
  return problems;
}

/** What one wish asks of its network that cannot be. Whether an address is free is seen when it is leased. */
export function wishProblems({ network, attachment }: Wish): string[] {
  const problems: string[] = [];
  const { aliases, ipv4, ipv6, macAddress, linkLocalIps = [] } = attachment;
  if (network.name === DEFAULT_NETWORK) {
    if (aliases.length > 0) problems.push("network-scoped aliases are only supported for user-defined networks");
    if (ipv4 !== undefined || ipv6 !== undefined) problems.push("user specified IP address is supported on user defined networks only");
  }
  for (const alias of aliases) if (!isHostName(alias)) problems.push(`invalid alias ${JSON.stringify(alias)}: a name has letters, digits, "_", "." and "-"`);
  for (const [family, address] of [[4, ipv4], [6, ipv6]] as const) {
    if (address === undefined) continue;
    if (parseIp(address)?.family !== family) problems.push(`invalid IPv${family} address: ${address}`);
    else if (!network.pools.some(({ subnet }) => subnet.includes(":") === (family === 6)))
      problems.push(`Cannot give the address ${address}: network "${network.name}" has no IPv${family} subnet`);
  }
  for (const text of linkLocalIps) {
    const ip = parseIp(text);
    const good = ip?.family === 4 ? ip.value >> 16n === 0xa9fen : ip?.family === 6 && ip.value >> 118n === 0x3fan;
    if (!good) problems.push(`invalid link local IP address: ${text}`);
  }
  if (macAddress !== undefined) {
    try {
      parseMacAddress(macAddress);
    } catch (error) {
      if (!(error instanceof SampanError)) throw error;
      problems.push(error.message);
    }
  }
  return problems;
}

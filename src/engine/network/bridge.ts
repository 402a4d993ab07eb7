import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { SampanError, errnoOf } from "../../base/errors.ts";
import { errnoNumber, errnoText } from "../../linux/errno.ts";
import { configureBridge, createBridge, deleteBridge, hostSysctls } from "../../network/attach.ts";
import type { BridgeSpec } from "../../network/attach.ts";
import { parseCidr } from "../../network/ip.ts";
import { macFor } from "../../network/model.ts";
import type { NetworkRecord } from "../../network/model.ts";
import { decodeLinks } from "../../network/rtnetlink/views.ts";
import { withLock } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { readIfThere } from "../processes.ts";
import { dump, sendBatches } from "./send.ts";

/**
 * A network's bridge on the host: made when first used after boot, found at once ever after. A file in the run state, written last,
 * says that everything of it was made; what a crash left half-made has none and is made again from the start.
 */
export interface ReadyBridge {
  readonly index: number;
  /** For the user, one sentence each. */
  readonly warnings: readonly string[];
}

function markerPath(context: EngineContext, bridge: string): string {
  return `${context.paths.state}/networks/${bridge}`;
}

/** Things on the host are changed by one process at a time; only the cold paths come here. */
export function underHostLock<T>(context: EngineContext, work: () => Promise<T>): Promise<T> {
  mkdirSync(context.paths.state, { recursive: true, mode: 0o700 });
  return withLock(`${context.paths.state}/network.lock`, work);
}

/** The bridge's index if all of it was made in this boot and is still there. Two small reads. */
export function readyIndex(context: EngineContext, { bridge }: NetworkRecord): number | undefined {
  const marked = readIfThere(markerPath(context, bridge));
  if (marked === undefined) return undefined;
  const now = readIfThere(`/sys/class/net/${bridge}/ifindex`);
  return now !== undefined && now === marked ? Number(now) : undefined;
}

/** From now on every bridge has to be made ready again before somebody is put on it. */
export function forgetReady(context: EngineContext): void {
  rmSync(`${context.paths.state}/networks`, { recursive: true, force: true });
}

/** Makes the bridge with its addresses, rules and sysctls unless it is there. */
export async function ensureBridge(context: EngineContext, network: NetworkRecord): Promise<ReadyBridge> {
  const index = readyIndex(context, network);
  if (index !== undefined) return { index, warnings: [] };
  return underHostLock(context, async () => {
    const made = readyIndex(context, network);
    return made === undefined ? makeBridge(context, network) : { index: made, warnings: [] };
  });
}

/** Under the host's lock. Every step may have been done before. */
export async function makeBridge(context: EngineContext, network: NetworkRecord): Promise<ReadyBridge> {
  const { aloneOnHost } = await import("./alone.ts");
  return aloneOnHost(context, () => makeBridgeAlone(context, network));
}

/** For whoever is alone on the host already. */
export async function makeBridgeAlone(context: EngineContext, recorded: NetworkRecord): Promise<ReadyBridge> {
  const { settleDefaultSubnet } = await import("./defaults.ts");
  await removeStrayBridges(context);
  const network = await settleDefaultSubnet(context, recorded);
  const { bridge, pools } = network;
  // Rules first: they go by the bridge's name, and nobody shall find an open bridge.
  const { blockedByOthers, passDocker, rebuildRules } = await import("./rules.ts");
  await rebuildRules(context);
  const spec: BridgeSpec = {
    name: bridge, mtu: network.mtu, mac: macFor(pools[0]?.gateway ?? "0.0.0.0"),
    addresses: pools.map(({ gateway, subnet }) => `${gateway}/${parseCidr(subnet).prefix}`), kernelWithoutIpv6: !context.hasIpv6,
  };
  const what = `set up network "${network.name}"`;
  await sendBatches(context, [{ batch: createBridge(spec), tolerate: ["EEXIST"] }], { what });
  const link = decodeLinks(await dump(context, "links")).find(({ name }) => name === bridge);
  if (link?.kind !== "bridge") {
    throw new SampanError(
      "conflict",
      `Cannot ${what}: the interface "${bridge}" is there and is no bridge of ours`,
      { hint: `Look at it with: ip -d link show ${bridge}` },
    );
  }
  const warnings = setSysctls(network);
  await sendBatches(context, [{ batch: configureBridge(spec, link.index), tolerate: ["EEXIST"] }], { what });
  warnings.push(...(await passDocker(context)), ...(await blockedByOthers(context, network)));
  const marker = markerPath(context, bridge);
  mkdirSync(`${context.paths.state}/networks`, { recursive: true, mode: 0o700 });
  writeFileSync(`${marker}.${process.pid}`, `${link.index}\n`);
  renameSync(`${marker}.${process.pid}`, marker);
  return { index: link.index, warnings };
}

/** Turns on what is off, and says so where it is the host's own affair. */
function setSysctls({ name, bridge, pools, internal }: NetworkRecord): string[] {
  const warnings: string[] = [];
  for (const { path, value, why } of hostSysctls(bridge, pools.some(({ subnet }) => subnet.includes(":")))) {
    const isForwarding = path.endsWith("forward") || path.endsWith("forwarding");
    if (internal && isForwarding) continue; // it has no way out, and needs none
    const file = `/proc/sys/${path}`;
    if (!existsSync(file)) continue; // no IPv6 in this kernel
    try {
      if (readFileSync(file, "utf8").trim() === value) continue;
      writeFileSync(file, value);
    } catch (error) {
      const key = path.replaceAll("/", ".");
      const reason = errnoText(errnoNumber(errnoOf(error) ?? "") ?? 0);
      throw new SampanError("unavailable", `Cannot set up network "${name}": ${key} cannot be set to ${value} (${why}): ${reason}`, {
        cause: error, hint: "Where /proc/sys is read-only, as in a container, run with --network none or --network host",
      });
    }
    if (isForwarding) warnings.push(`${path.replaceAll("/", ".")} was off and is on now: ${why}`);
  }
  return warnings;
}

/** Under the host's lock; no failure if it is gone. The marker last: a bridge without a network is found by it (`removeStrayBridges`). */
export async function removeBridge(context: EngineContext, bridge: string): Promise<void> {
  await sendBatches(context, [{ batch: deleteBridge(bridge), tolerate: ["ENODEV"] }], { what: `remove bridge "${bridge}"` });
  rmSync(markerPath(context, bridge), { force: true });
}

/** Bridges that were made in this boot. */
export function markedBridges(context: EngineContext): string[] {
  try {
    return readdirSync(`${context.paths.state}/networks`).filter((name) => !/\.\d+$/.test(name));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** Under the host's lock: whoever removed the network was killed before its bridge was gone. */
export async function removeStrayBridges(context: EngineContext): Promise<void> {
  const marked = markedBridges(context);
  const wanted = new Set(marked.length === 0 ? [] : context.store.networks.list().map(({ bridge }) => bridge));
  for (const bridge of marked) if (!wanted.has(bridge)) await removeBridge(context, bridge);
}

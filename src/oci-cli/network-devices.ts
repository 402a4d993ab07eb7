import { SampanError } from "../base/errors.ts";
import type { RuntimeConfig } from "../oci/index.ts";
import { runPlan } from "../plan/index.ts";
import type { PermanentAddress } from "../network/index.ts";
import { BatchWriter, decodeLinks, dumpNetwork, moveLink, permanentAddresses, restoreAddress, setLink } from "../network/index.ts";
import type { NetworkDevicePlan } from "../runtime/index.ts";
import type { Context } from "./context.ts";

/** Added to an index that is taken where the device goes: indexes are given from 1 upwards, so this one hardly is. */
const ELSEWHERE = 0x100000;

/** A name with "%d" stands for the next one that is free (config-linux.md "Network Devices"). */
const isTemplate = (name: string): boolean => name.includes("%d");

/**
 * The devices that linux.netDevices wants in the container, as messages for the kernel. What can be known to fail is refused here,
 * before anything is made: a device that is not there, a name that is taken in a namespace that the container joins.
 */
export async function networkDevices(context: Context, config: RuntimeConfig): Promise<readonly NetworkDevicePlan[] | undefined> {
  const wanted = Object.entries(config.linux?.netDevices ?? {}).map(([name, device]) => ({
    name,
    newName: device.name === undefined || device.name === "" ? name : device.name,
  }));
  if (wanted.length === 0) return undefined;
  if (config.linux?.namespaces?.some(({ type, path }) => type === "user" && path !== undefined))
    throw new SampanError(
      "unsupported",
      "Cannot move network devices into a container that joins a user namespace: in there nobody has the right to move the host's",
    );
  const { keel, root } = context;
  const run = (plan: Parameters<typeof runPlan>[0]): ReturnType<typeof runPlan> => runPlan(plan, { keel, directory: root });
  const links = decodeLinks(await dumpNetwork("links", run));
  const addresses = await dumpNetwork("addresses", run);
  const path = config.linux?.namespaces?.find(({ type }) => type === "network")?.path;
  const taken = new Set(path === undefined ? ["lo"] : decodeLinks(await dumpNetwork("links", run, path)).map(({ name }) => name));
  return wanted.map(({ name, newName }) => {
    const refuse = (reason: string): SampanError => new SampanError("invalid", `Cannot move the network device "${name}" into the container: ${reason}`);
    const link = links.find((candidate) => candidate.name === name);
    if (!link) throw refuse("there is no such network device");
    if (link.loopback) throw refuse("a loopback device stays in its namespace");
    if (!isTemplate(newName) && taken.has(newName)) throw refuse(`a device named "${newName}" is there already`);
    taken.add(newName);
    const permanent = permanentAddresses(addresses, link.index);
    return { own: planMove(name, newName, link.index, link.index, permanent), other: planMove(name, newName, link.index, link.index + ELSEWHERE, permanent) };
  });
}

function planMove(name: string, newName: string, index: number, newIndex: number, addresses: readonly PermanentAddress[]): NetworkDevicePlan["own"] {
  const move = new BatchWriter();
  // It goes down when it leaves in any case; before, the host's routes go in good order, and older kernels rename it.
  setLink(move, `take the network device "${name}" down`, { index }, { up: false });
  moveLink(move, `move the network device "${name}" to "${newName}"`, index, { netns: "pid", name: newName, index: newIndex });
  const settle = new BatchWriter();
  for (const address of addresses) restoreAddress(settle, `give the network device "${newName}" its address ${address.text}`, newIndex, address);
  setLink(settle, `bring up the network device "${newName}"`, { index: newIndex }, { up: true });
  return { move: move.finish(), settle: settle.finish() };
}

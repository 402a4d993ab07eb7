import type { ContainerRecord } from "../../storage/state/index.ts";
import { deleteLink } from "../../network/rtnetlink/link.ts";
import { BatchWriter } from "../../network/rtnetlink/batch.ts";
import type { EngineContext } from "../context.ts";
import { appendNetworkEvent } from "./events.ts";
import { networkOf } from "./model.ts";
import { refreshMembers } from "./members.ts";

/**
 * Before a container's end is recorded: its ports leave the packet filter while they are still its own. What it returns is to be called
 * after the end is recorded: the others forget its names. Its interfaces need nothing, since they go with its network namespace;
 * but where other containers share that, it stays, and the address would be used by them and by its next owner.
 * Idempotent.
 */
export async function leaveNetworks(context: EngineContext, { id, bootId }: Pick<ContainerRecord, "id" | "bootId">): Promise<() => Promise<void>> {
  const { store } = context;
  const endpoints = store.endpoints.ofContainer(id).filter(({ active }) => active);
  const networkIds = endpoints.map(({ networkId }) => networkId);
  // Rules and interfaces of an earlier boot are gone.
  const ports = store.ports.list(id);
  if (bootId === context.bootId) {
    if (ports.length > 0) {
      const [{ withdrawPorts }, { portTarget }] = await Promise.all([import("./publish.ts"), import("./rules.ts")]);
      await withdrawPorts(context, ports, portTarget(endpoints, (networkId) => isInternal(context, networkId)));
    }
    if (endpoints.length > 0 && store.resources.holders("netns", id).length > 0)
      await removeLinks(context, endpoints.map(({ hostInterface }) => hostInterface));
  }
  return async () => {
    if (networkIds.length > 0) {
      appendDisconnects(context, id, networkIds);
      refreshMembers(context, networkIds);
    }
    if (ports.length > 0) await (await import("./loopback.ts")).releaseLoopback(context);
  };
}

function appendDisconnects(context: EngineContext, container: string, networkIds: readonly string[]): void {
  const { store } = context;
  store.transaction(() => {
    for (const networkId of networkIds) {
      const row = store.networks.get(networkId);
      if (row !== undefined) appendNetworkEvent(context, networkOf(row), "disconnect", { container });
    }
  });
}

export function isInternal(context: EngineContext, networkId: string): boolean {
  const row = context.store.networks.get(networkId);
  return row !== undefined && networkOf(row).internal;
}

/** Host's ends of veth pairs, and with them their other ends. No failure if they are gone. */
export async function removeLinks(context: EngineContext, names: readonly (string | null)[]): Promise<void> {
  const { sendBatches } = await import("./send.ts");
  const writer = new BatchWriter();
  for (const name of names) if (name !== null) deleteLink(writer, `remove ${name}`, { name });
  await sendBatches(context, [{ batch: writer.finish(), tolerate: ["ENODEV"] }], { what: "remove interfaces" });
}

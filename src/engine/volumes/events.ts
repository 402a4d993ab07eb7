import type { ContainerId, EngineContext } from "../context.ts";

/** Appends what happened to a volume, in the shape of Docker's. */
export function appendVolumeEvent(
  context: EngineContext,
  action: "create" | "mount" | "unmount" | "destroy" | "prune",
  name: string,
  attributes: Readonly<Record<string, string>>,
): void {
  context.store.events.append({ timeNs: BigInt(Date.now()) * 1_000_000n, type: "volume", action, actorId: name, attributes });
}

/** A container's volumes are mounted no more. */
export function appendUnmounts(context: EngineContext, container: ContainerId, names: readonly string[]): void {
  for (const name of new Set(names)) appendVolumeEvent(context, "unmount", name, { container, driver: "local" });
}

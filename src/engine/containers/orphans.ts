import { rmSync } from "node:fs";
import type { EngineContext } from "../context.ts";

/** Removes what the ledger says was made and nobody will remove any more. Only what lies where we make such things. */
export async function reclaimOrphans(context: EngineContext): Promise<void> {
  const { root, state } = context.paths;
  const orphans = context.store.resources.orphans();
  if (orphans.length === 0) return;
  const { removeCgroup } = await import("../../runtime/cgroups/operations.ts");
  for (const { kind, key, containerId } of orphans) {
    const isOurs = key.endsWith(`/${containerId}`) && !key.includes("/../");
    if (kind === "cgroup" && isOurs) await removeCgroup({ controllers: {}, directories: [key] });
    else if (kind === "dir" && isOurs && [root, state].some((place) => key.startsWith(`${place}/containers/`)))
      rmSync(key, { recursive: true, force: true });
    else if (kind === "veth") await (await import("../network/leave.ts")).removeLinks(context, [key]);
    else if (kind !== "netns" && kind !== "endpoint" && kind !== "freeze") continue;
    context.store.resources.release(containerId, kind, key);
  }
}

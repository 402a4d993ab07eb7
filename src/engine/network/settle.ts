import type { EngineContext } from "../context.ts";

/** What somebody who was killed left half connected or half disconnected is put right before it is shown. */
export async function settleConnections(context: EngineContext): Promise<void> {
  if (context.store.resources.ofKind("endpoint").length > 0) await (await import("./turn.ts")).inTurn(context, () => Promise.resolve());
}

import type { ContainerId } from "../../base/ids.ts";
import type { EngineContext } from "../context.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { healthOf } from "./health.ts";
import { processOf } from "./liveness.ts";
import { nowNs } from "./record.ts";

/**
 * What the monitor starts when the verdict may have changed: writes it down, tells it as an event, and with
 * `--restart on-unhealthy` stops it, so that its policy starts it again. Idempotent: without a change it does nothing.
 */
export async function noteHealth(context: EngineContext, id: string): Promise<void> {
  const { containers, events } = context.store;
  const record = containers.get(id as ContainerId); // one that was never given finds nothing
  if (!record || !processOf(context, record)) return;
  // Written by `reserve` from a StoredConfig.
  const health = healthOf(context, record, JSON.parse(containers.config(record.id)) as StoredConfig);
  if (!health || health.Status === record.healthStatus) return;
  context.store.transaction(() => {
    containers.update(record.id, { healthStatus: health.Status, healthFailingStreak: health.FailingStreak });
    events.append({ timeNs: nowNs(), type: "container", action: `health_status: ${health.Status}`, actorId: record.id, attributes: { ...record.labels, image: record.imageReference, name: record.name } });
  });
  if (health.Status !== "unhealthy" || record.restartPolicy !== "on-unhealthy") return;
  const { stopForPolicy } = await import("./stop.ts");
  await stopForPolicy(context, record);
}

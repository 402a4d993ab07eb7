import type { ContainerId } from "../../base/ids.ts";
import type { EngineContext } from "../context.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { healthOf } from "./health.ts";
import { processOf } from "./liveness.ts";
import { appendEvent } from "./events.ts";

/**
 * What the monitor starts when the verdict may have changed: writes it down, tells it as an event, and with
 * `--restart on-unhealthy` stops it, so that its policy starts it again. Idempotent: without a change it does nothing.
 */
export async function noteHealth(context: EngineContext, id: string): Promise<void> {
  const { containers } = context.store;
  const record = containers.get(id as ContainerId); // one that was never given finds nothing
  if (!record || !processOf(context, record)) return;
  // Written by `reserve` from a StoredConfig.
  const health = healthOf(context, record, JSON.parse(containers.config(record.id)) as StoredConfig);
  if (!health || health.Status === record.healthStatus) return;
  context.store.transaction(() => {
    containers.update(record.id, { healthStatus: health.Status, healthFailingStreak: health.FailingStreak });
    appendEvent(context, record, `health_status: ${health.Status}`);
  });
  if (health.Status !== "unhealthy" || record.restartPolicy !== "on-unhealthy") return;
  const { stopForPolicy } = await import("./stop.ts");
  await stopForPolicy(context, record);
}

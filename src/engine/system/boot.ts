import { messageOf } from "../../base/errors.ts";
import type { Cancellable } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { cancelled } from "../containers/end.ts";
import { trueRecords } from "../containers/list.ts";
import { reclaimOrphans } from "../containers/orphans.ts";
import { shouldBoot } from "../containers/restart-policy.ts";
import { startInBackground } from "../containers/begin.ts";

export interface BootResult {
  readonly started: readonly string[];
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
}

/** After a reboot: everything reads as ended, and what a policy says is started again, the oldest first. */
export async function bootContainers(context: EngineContext, options: Cancellable): Promise<BootResult> {
  const started: string[] = [];
  const failed: { name: string; reason: string }[] = [];
  const records = await trueRecords(context);
  await reclaimOrphans(context);
  for (const record of records.toReversed()) {
    const error = cancelled(options.signal);
    if (error) throw error;
    if (record.status !== "exited" || !shouldBoot(record)) continue;
    try {
      await startInBackground(context, record.id, options);
      started.push(record.name);
    } catch (failure) {
      failed.push({ name: record.name, reason: messageOf(failure) });
    }
  }
  return { started, failed };
}

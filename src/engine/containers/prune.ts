import { SampanError } from "../../base/errors.ts";
import type { Filters, PruneOptions, PruneResult } from "../api.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { cancelled } from "./end.ts";
import { labelTest } from "./filters.ts";
import { trueRecords } from "./list.ts";
import { nowNs } from "./record.ts";
import { removeContainer } from "./remove.ts";
import { treeBytes } from "./sizes.ts";

/** Removes every container that does not run, and what a crash may have left of others. */
export async function pruneContainers(context: EngineContext, options: PruneOptions): Promise<PruneResult> {
  const matches = pruneTest(options.filters ?? {});
  const deleted: string[] = [];
  let reclaimedBytes = 0;
  for (const record of await trueRecords(context)) {
    if (!["created", "exited", "dead"].includes(record.status) || !matches(record)) continue;
    const error = cancelled(options.signal);
    if (error) throw error;
    const bytes = treeBytes(containerPaths(context.paths, record.id).upper);
    try {
      await removeContainer(context, record.id, { force: false, volumes: false });
    } catch (failure) {
      // Started or removed by somebody else since we looked.
      if (failure instanceof SampanError && (failure.kind === "conflict" || failure.kind === "not-found")) continue;
      throw failure;
    }
    deleted.push(record.id);
    reclaimedBytes += bytes;
  }
  const { reclaimOrphans } = await import("./orphans.ts");
  await reclaimOrphans(context);
  context.store.events.append({ timeNs: nowNs(), type: "container", action: "prune", actorId: "", attributes: { reclaimed: String(reclaimedBytes) } });
  return { deleted, reclaimedBytes };
}

/** `until`, `label` and `label!`: every one must hold. */
function pruneTest(filters: Filters): (record: ContainerRecord) => boolean {
  const tests = Object.entries(filters).flatMap(([key, values]) => values.map((value): ((record: ContainerRecord) => boolean) => {
    switch (key) {
      case "label": {
        const matches = labelTest(value);
        return ({ labels }) => matches(labels);
      }
      case "label!": {
        const matches = labelTest(value);
        return ({ labels }) => !matches(labels);
      }
      case "until": {
        const before = untilMs(value);
        return ({ createdMs }) => createdMs < before;
      }
      default:
        throw new SampanError("invalid", `Invalid filter '${key}'`);
    }
  }));
  return (record) => tests.every((test) => test(record));
}

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** "24h", "1h30m", seconds since the epoch, or a date. */
function untilMs(text: string): number {
  if (/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(text))
    return Date.now() - [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)].reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? "s"] ?? 0), 0);
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new SampanError("invalid", `Invalid filter 'until=${text}'`, { hint: "Write it as 24h or 2024-01-02T15:04:05Z" });
  return time;
}

import type { ContainerRecord, PortLease } from "../../storage/state/index.ts";
import type { ContainerSummary, ListOptions } from "../api.ts";
import type { EngineContext } from "../context.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { settleConnections } from "../network/settle.ts";
import { isTrue, settle } from "./settle.ts";
import { summaryOf } from "./summary.ts";

/** Every container that there is, each as it truly is: what looks wrong is put right first. Newest first. */
export async function trueRecords(context: EngineContext): Promise<ContainerRecord[]> {
  const { containers } = context.store;
  const records = containers.list();
  const wrong = records.filter((record) => !isTrue(context, record));
  if (wrong.length === 0) return records;
  // One that cannot be put right now is shown as it is, and does not hide the others.
  await Promise.all(wrong.map((record) => settle(context, record).catch(() => undefined)));
  return containers.list();
}

/** `ps`: those that run; all with `all`, a `status` filter, or a number of the newest. */
export async function listContainers(context: EngineContext, options: ListOptions): Promise<readonly ContainerSummary[]> {
  const { store } = context;
  const filters = options.filters ?? {};
  const matches = Object.keys(filters).length === 0 ? undefined : (await import("./filters.ts")).compileFilters(context, filters);
  await settleConnections(context);
  const records = await trueRecords(context);
  if (records.length === 0) return [];
  const configs = store.containers.configs();
  const leases = Map.groupBy(store.ports.list(), (lease: PortLease) => lease.containerId);
  const all = options.all || options.last !== undefined || filters["status"] !== undefined;
  const found: ContainerSummary[] = [];
  for (const record of records) {
    const config = configs.get(record.id);
    // Removed between the two queries.
    if (config === undefined) continue;
    if (!all && record.status !== "running" && record.status !== "paused" && record.status !== "restarting") continue;
    const stored = JSON.parse(config) as StoredConfig; // written by `reserve` from a StoredConfig
    const summary = summaryOf(record, stored, leases.get(record.id) ?? [], undefined);
    if (matches !== undefined && !matches({ record, stored, summary })) continue;
    if (options.size !== true) found.push(summary);
    else found.push(summaryOf(record, stored, leases.get(record.id) ?? [], (await import("./sizes.ts")).sizesOf(context, record, stored)));
    if (options.last !== undefined && found.length === options.last) break;
  }
  return found;
}

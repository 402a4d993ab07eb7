import { SampanError } from "../../base/errors.ts";
import type { LabelFilter, VolumeRecord } from "../../storage/state/index.ts";
import type { Cancellable, Filters, PruneOptions, PruneResult, VolumeDetails } from "../api.ts";
import { trueRecords } from "../containers/list.ts";
import type { EngineContext } from "../context.ts";
import { needRoot } from "../privilege.ts";
import { contentBytes } from "../system/disk-bytes.ts";
import { appendVolumeEvent } from "./events.ts";
import { volumeDetails, volumeDirectory } from "./layout.ts";
import { removeVolume } from "./remove.ts";

function labelFilter(text: string): LabelFilter {
  const equals = text.indexOf("=");
  return equals < 0 ? { key: text } : { key: text.slice(0, equals), value: text.slice(equals + 1) };
}

function boolean(key: string, value: string): boolean {
  if (["1", "true", "True", "TRUE", "t", "T"].includes(value)) return true;
  if (["0", "false", "False", "FALSE", "f", "F"].includes(value)) return false;
  throw new SampanError("invalid", `invalid filter '${key}=[${value}]'`, { hint: `Write ${key}=true or ${key}=false` });
}

/** `volume ls`, with Docker's filters: dangling, driver, label, name. */
export function listVolumes(context: EngineContext, filters: Filters): readonly VolumeDetails[] {
  needRoot("list volumes");
  return matching(context, filters).map(volumeDetails);
}

function matching(context: EngineContext, filters: Filters): VolumeRecord[] {
  const unknown = Object.keys(filters).find((key) => !["dangling", "driver", "label", "name"].includes(key));
  if (unknown !== undefined) throw new SampanError("invalid", `invalid filter '${unknown}'`);
  const dangling = new Set((filters["dangling"] ?? []).map((value) => boolean("dangling", value)));
  const names = (filters["name"] ?? []).map(namePattern);
  const [only] = dangling;
  return context.store.volumes
    .list({ labels: (filters["label"] ?? []).map(labelFilter), ...(dangling.size === 1 && only !== undefined ? { dangling: only } : {}) })
    .filter(({ name, driver }) => (names.length === 0 || names.some((matches) => matches(name))) && (filters["driver"]?.includes(driver) ?? true));
}

/** Docker's match: equal, or a regular expression that is found in it. */
function namePattern(value: string): (name: string) => boolean {
  let pattern: RegExp | undefined;
  try {
    pattern = new RegExp(value);
  } catch {
    pattern = undefined; // no expression: then only that very name
  }
  return (name) => name === value || pattern?.test(name) === true;
}

export function inspectVolume(context: EngineContext, name: string): VolumeDetails {
  needRoot("inspect a volume");
  return volumeDetails(context.store.volumes.find(name));
}

/** Docker's words if it is not there or in use. A container that has ended with `--rm` and was not yet cleaned up does not count as a user. */
export async function removeVolumeByName(context: EngineContext, name: string): Promise<void> {
  needRoot("remove a volume");
  if (context.store.volumes.users(name).length > 0) await trueRecords(context);
  removeVolume(context, name);
}

/** Anonymous volumes that no container uses, or with `all` those with names too. What somebody has mounted something in counts as used. */
export async function pruneVolumes(context: EngineContext, options: PruneOptions & { readonly all: boolean }): Promise<PruneResult> {
  needRoot("prune volumes");
  const filters = options.filters ?? {};
  const unknown = Object.keys(filters).find((key) => !["all", "label", "label!"].includes(key));
  if (unknown !== undefined) throw new SampanError("invalid", `invalid filter '${unknown}'`);
  const all = options.all || (filters["all"] ?? []).some((value) => boolean("all", value));
  const wanted = (filters["label"] ?? []).map(labelFilter);
  const unwanted = (filters["label!"] ?? []).map(labelFilter);
  const has = ({ labels }: VolumeRecord, { key, value }: LabelFilter): boolean => labels[key] !== undefined && (value === undefined || labels[key] === value);
  await trueRecords(context);
  const deleted: string[] = [];
  let reclaimedBytes = 0;
  for (const volume of context.store.volumes.list({ dangling: true, ...(all ? {} : { anonymous: true }) })) {
    if (!wanted.every((label) => has(volume, label)) || unwanted.some((label) => has(volume, label))) continue;
    refuseIfCancelled(options);
    const bytes = contentBytes(`${volumeDirectory(context.paths, volume.name)}/_data`);
    try {
      removeVolume(context, volume.name);
    } catch (error) {
      // Somebody has begun to use it, or was faster.
      if (error instanceof SampanError && (error.kind === "conflict" || error.kind === "not-found")) continue;
      throw error;
    }
    deleted.push(volume.name);
    reclaimedBytes += bytes;
  }
  appendVolumeEvent(context, "prune", "", { reclaimed: String(reclaimedBytes) });
  return { deleted, reclaimedBytes };
}

function refuseIfCancelled({ signal }: Cancellable): void {
  if (signal?.aborted === true) throw new SampanError("cancelled", "Cancelled");
}

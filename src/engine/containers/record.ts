import type { ContainerRecord, NewContainer, Reservation } from "../../storage/state/index.ts";
import { reserveRun } from "../../storage/state/index.ts";
import type { Digest } from "../../oci/index.ts";
import type { CgroupPlan } from "../../runtime/cgroups/index.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { processAt } from "../processes.ts";
import { commandOf } from "../spec/command.ts";
import type { StoredConfig } from "../spec/stored.ts";

export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** Who is starting a container: this process, until its monitor takes over. */
function starterFields(): { monitorPid: number; monitorStartTime: number } {
  const self = processAt(process.pid);
  return { monitorPid: process.pid, monitorStartTime: self?.startTime ?? 0 };
}

/** Takes the name and records all that is about to be made, in one transaction. */
export function reserve(
  context: EngineContext,
  stored: StoredConfig,
  cgroup: CgroupPlan | undefined,
  more: Partial<Reservation> & { readonly actions: readonly string[] },
): { record: ContainerRecord; stored: StoredConfig } {
  const { request, image } = stored;
  const paths = containerPaths(context.paths, stored.id);
  const container: NewContainer = {
    id: stored.id,
    name: request.name,
    createdMs: stored.createdMs,
    imageReference: image.reference,
    imageId: image.id === "" ? null : (image.id as Digest), // ids of the image store are digests
    chainIds: image.chainIds as Digest[], // likewise
    command: commandOf(stored).join(" "),
    labels: { ...image.config.labels, ...request.labels },
    runDir: paths.run,
    autoRemove: request.remove,
    bootId: context.bootId,
    ...starterFields(),
    restartPolicy: request.restart.name,
    restartMaxRetries: request.restart.maximumRetryCount,
    config: "",
  };
  let config = JSON.stringify(stored);
  const resources = [
    { kind: "dir" as const, key: paths.directory, lifetime: "container" as const },
    { kind: "dir" as const, key: paths.run, lifetime: "run" as const },
    ...(cgroup?.remove ?? []).map((key) => ({ kind: "cgroup" as const, key, lifetime: "run" as const })),
  ];
  const record = reserveRun(context.store, { ...more, container: { ...container, config }, resources, timeNs: nowNs() });
  if (record.name === stored.name) return { record, stored };
  const named = { ...stored, name: record.name };
  config = JSON.stringify(named);
  return { record, stored: named };
}

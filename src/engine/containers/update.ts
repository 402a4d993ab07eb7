import { ProblemsError, SampanError } from "../../base/errors.ts";
import { applyUpdate } from "../../runtime/cgroups/operations.ts";
import type { Cancellable, UpdateRequest } from "../api.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { requireRoot } from "../context.ts";
import type { ResourceRequest } from "../request.ts";
import { updateProblems } from "../request-rules.ts";
import { ociResources } from "../spec/resources.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { isAlive } from "../processes.ts";
import { sleep } from "./end.ts";
import { cgroupPathsOf } from "./groups.ts";
import { processOf } from "./liveness.ts";
import { appendEvent } from "./events.ts";
import { findSteady, steady } from "./settle.ts";
import { cgroupPath, cgroupPlanOf } from "./start.ts";

/**
 * Changes limits and restart policy. Of a running container the kernel takes the limits first, all of them or none; only
 * then are they kept, so that what is stored is what was in force.
 */
export async function updateContainer(
  context: EngineContext,
  name: string,
  request: UpdateRequest,
  _options: Cancellable,
): Promise<{ readonly warnings: readonly string[] }> {
  requireRoot();
  const problems = updateProblems(request.resources);
  if (problems.length > 0) throw new ProblemsError(problems, { exitCode: 1 });
  const record = await findSteady(context, name);
  if (request.restart && request.restart.name !== "no" && record.autoRemove)
    throw new SampanError("conflict", "Restart policy cannot be updated because AutoRemove is enabled for the container");
  if (record.status === "removing" || record.status === "dead")
    throw new SampanError("wrong-state", `Container is marked for removal and cannot be "update".`);
  // Written by `reserve` from a StoredConfig.
  const stored = JSON.parse(context.store.containers.config(record.id)) as StoredConfig;
  // the same, less what was not given
  const given = Object.fromEntries(Object.entries(request.resources).filter(([, value]) => value !== undefined)) as ResourceRequest;
  const sum = memoryAndSwap(stored.request.resources);
  if (given.memoryBytes && !given.memorySwapBytes && sum > 0 && given.memoryBytes > sum)
    throw new SampanError("conflict", "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time");
  const updatedOf = (now: StoredConfig): StoredConfig => ({
    ...now, request: { ...now.request, resources: merge(now.request.resources, given), ...(request.restart ? { restart: request.restart } : {}) },
  });
  // refuses what a start would refuse
  if (Object.keys(given).length > 0 && !(await applyToRunning(context, record, stored, given))) cgroupPlanOf(context, updatedOf(stored));
  context.store.transaction(() => {
    // Read again: another update may have come between.
    const now = JSON.parse(context.store.containers.config(record.id)) as StoredConfig;
    context.store.containers.setConfig(record.id, JSON.stringify(updatedOf(now)));
    if (request.restart)
      context.store.containers.update(record.id, { restartPolicy: request.restart.name, restartMaxRetries: request.restart.maximumRetryCount });
    appendEvent(context, record, "update");
  });
  return { warnings: [] };
}

/** How long a failure is taken for that of a container which is just ending, or being started again. */
const ENDING_MS = 300;

/** Gives the limits to the kernel; false if the container does not run, or has ended meanwhile. One that was started again meanwhile gets them anew. */
async function applyToRunning(context: EngineContext, record: ContainerRecord, stored: StoredConfig, given: ResourceRequest): Promise<boolean> {
  for (;;) {
    const first = processOf(context, record);
    if (first === undefined) return false;
    const groups = cgroupPathsOf(context, record.id);
    if (groups.directories.length === 0) throw new SampanError("unsupported", `Cannot update container "${record.name}": this host has no control groups`);
    const { devices: _devices, ...resources } = ociResources(given, false, []);
    try {
      const after = applyUpdate(resources, context.cgroups, cgroupPath(stored), groups, { keepSum: true });
      const added = after.directories.filter((directory) => !groups.directories.includes(directory));
      if (added.length > 0)
        context.store.resources.record(added.map((key) => ({ kind: "cgroup" as const, key, lifetime: "run" as const, containerId: record.id })), Date.now());
      return true;
    } catch (error) {
      const deadline = performance.now() + ENDING_MS;
      while (isAlive(first)) {
        if (performance.now() > deadline) throw error;
        await sleep(5);
      }
      await steady(context, record);
    }
  }
}

/** What was given goes over what was there; one way to say how much CPU takes the place of the other. */
function merge(before: ResourceRequest, given: ResourceRequest): ResourceRequest {
  const merged = { ...before, ...given };
  // A new limit leaves the sum as it is, the default one too.
  if (given.memoryBytes && !given.memorySwapBytes && before.memoryBytes) merged.memorySwapBytes = memoryAndSwap(before);
  if (given.nanoCpus) {
    delete merged.cpuQuotaUs;
    delete merged.cpuPeriodUs;
  } else if (given.cpuQuotaUs || given.cpuPeriodUs) delete merged.nanoCpus;
  return merged;
}

/** The limit of both together, -1 for none, 0 where nothing was said: twice the memory unless it was given. */
function memoryAndSwap({ memoryBytes = 0, memorySwapBytes }: ResourceRequest): number {
  return memorySwapBytes ?? memoryBytes * 2;
}

import { rmSync } from "node:fs";
import type { CgroupPlan } from "../../runtime/cgroups/index.ts";
import { finishRun } from "../../storage/state/index.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { nowNs } from "./record.ts";

/** How a run ended, by whoever saw it. */
export interface EndedRun {
  readonly exitCode: number;
  readonly signal: number;
  readonly finishedMs: number;
  /** Why it could not start; "" if it did. */
  readonly error: string;
}

/**
 * After the last process: reads what the cgroup still knows, removes it and the run files, and records the end. Idempotent: whoever
 * comes second finds nothing to do. With --rm the container goes as a whole.
 */
export async function finishContainer(context: EngineContext, record: ContainerRecord, cgroup: CgroupPlan | undefined, ended: EndedRun): Promise<void> {
  const paths = containerPaths(context.paths, record.id);
  let oom = false;
  if (cgroup) {
    const { oomKilled, removeCgroup } = await import("../../runtime/cgroups/operations.ts");
    oom = oomKilled(cgroup.paths);
    await removeCgroup(cgroup.paths);
  }
  rmSync(paths.run, { recursive: true, force: true });
  if (record.autoRemove) rmSync(paths.directory, { recursive: true, force: true });
  finishRun(context.store, record.id, {
    fields: {
      finishedMs: ended.finishedMs, exitCode: ended.exitCode, exitSignal: ended.signal === 0 ? null : ended.signal, oomKilled: oom, error: ended.error,
    },
    remove: record.autoRemove,
    actions: [...(oom ? ["oom"] : []), "die", ...(record.autoRemove ? ["destroy"] : [])],
    attributes: { exitCode: String(ended.exitCode) },
    timeNs: nowNs(),
  });
}

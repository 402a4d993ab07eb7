import { rmSync, writeFileSync } from "node:fs";
import { hostArch } from "../../linux/arch.ts";
import { encodePlan } from "../../plan/index.ts";
import type { CgroupPlan } from "../../runtime/cgroups/index.ts";
import { compileExec } from "../../runtime/exec.ts";
import type { HealthPlan } from "../../runtime/index.ts";
import type { EngineContext } from "../context.ts";
import type { ContainerPaths } from "../paths.ts";
import { capabilitiesOf, securityOptions } from "../spec/security.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { execProcess } from "./exec-process.ts";
import { healthCheckOf } from "./health.ts";

/**
 * Writes the exec that the monitor is to run on its timer, before the container starts; undefined if it has no check. The
 * monitor is the first process's parent and probes only while it lives, so the link that
 * its birth leaves (src/runtime/birth.ts) cannot lead to another process.
 */
export async function prepareHealth(
  context: EngineContext,
  stored: StoredConfig,
  paths: ContainerPaths,
  cgroup: CgroupPlan | undefined,
): Promise<HealthPlan | undefined> {
  const check = healthCheckOf(stored);
  if (!check) return undefined;
  const { request } = stored;
  const seccomp = await context.seccomp(securityOptions(request).seccomp, capabilitiesOf(request));
  const plan = compileExec({
    name: stored.name, target: `${paths.run}/process`, userNamespace: false,
    cgroup: cgroup === undefined ? { v1TaskFiles: [] } : { ...cgroup.join, v2Leaf: "sampan.health" },
    process: execProcess(paths, stored, { command: check.command, tty: false, privileged: false, env: [] }),
    idleStreams: [0], host: { lastCapability: context.hostFacts([]).lastCapability }, ...(seccomp ? { seccomp } : {}),
  });
  context.store.containers.update(stored.id, { healthStatus: "starting", healthFailingStreak: 0 });
  rmSync(paths.healthLog, { force: true }); // of an earlier run
  writeFileSync(paths.healthPlan, encodePlan(plan, hostArch()), { mode: 0o600 });
  const { intervalMs, timeoutMs, startPeriodMs, startIntervalMs, retries } = check;
  return {
    intervalMs, timeoutMs, startPeriodMs, startIntervalMs, retries, plan: paths.healthPlan, log: paths.healthLog,
    notify: [...context.options.command, "--root", context.paths.root, "--state", context.paths.state, "system", "health", stored.id],
  };
}

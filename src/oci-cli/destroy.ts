import { messageOf } from "../base/errors.ts";
import type { RuntimeConfig } from "../oci/index.ts";
import { Plan, planFailure, startPlan } from "../plan/index.ts";
import { removeCgroup } from "../runtime/cgroups/operations.ts";
import type { HookKind } from "../runtime/hooks.ts";
import { addHooks } from "../runtime/hooks.ts";
import type { Context } from "./context.ts";
import { ownEnvironment } from "./environment.ts";
import type { Container } from "./state.ts";
import { removeFiles } from "./state.ts";

/** Runs hooks of a kind outside of any plan of a container's; throws what failed. */
export async function runHooks(
  context: Context,
  container: Container,
  config: RuntimeConfig,
  kind: HookKind,
  status: "creating" | "running" | "stopped",
): Promise<void> {
  if ((config.hooks?.[kind] ?? []).length === 0) return;
  const { state, init } = container;
  const plan = new Plan();
  addHooks(plan.outer, config.hooks, kind, {
    state, status, pid: status === "stopped" ? 0 : (init?.pid ?? 0), where: `of container "${state.id}"`, output: 2, environment: ownEnvironment(),
  });
  plan.outer.exit(0);
  const running = await startPlan(plan, { keel: context.keel, directory: context.root, stdio: ["ignore", "ignore", 2] });
  const { report } = await running.finished;
  const failure = planFailure(plan, report);
  if (failure) throw (await import("./failure.ts")).explain(failure, report, "");
}

/**
 * Takes back what the creation made: processes, groups, files; then, with a config, the poststop hooks, whose failures are
 * warnings (runtime.md "Lifecycle", 13).
 */
export async function destroy(context: Context, container: Container, config: RuntimeConfig | undefined): Promise<void> {
  const { state, files } = container;
  if (state.cgroup) {
    const { paths, remove, unit } = state.cgroup;
    if (unit !== undefined) await (await import("./systemd/index.ts")).stopScope(unit);
    await removeCgroup({ ...paths, directories: remove });
  }
  if (state.hostMounts !== undefined) await (await import("./host-mounts.ts")).removeHostMounts(context, state.rootfs, state.hostMounts);
  removeFiles(files);
  for (const hook of config?.hooks?.poststop ?? []) {
    try {
      await runHooks(context, container, { ociVersion: "", hooks: { poststop: [hook] } }, "poststop", "stopped");
    } catch (error) {
      context.log.write("warning", messageOf(error));
    }
  }
}

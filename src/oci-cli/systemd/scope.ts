import { existsSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import * as C from "../../linux/constants.ts";
import type { Resources, RuntimeConfig } from "../../oci/index.ts";
import { Block } from "../../plan/index.ts";
import { Part, Session } from "../../plan/session.ts";
import type { Context } from "../context.ts";
import { Manager } from "./manager.ts";
import { annotatedProperties, limitProperties, scopeProperties } from "./properties.ts";
import type { Unit } from "./unit-name.ts";

export function requireSystemd(): void {
  if (!existsSync("/run/systemd/system"))
    throw new SampanError("unsupported", "Cannot use the systemd cgroup driver: systemd does not run on this host", { hint: "leave out --systemd-cgroup" });
}

function isUnified(context: Context): boolean {
  return context.cgroups.hierarchies.every(({ version }) => version === 2);
}

/**
 * Has systemd make a container's scope. A scope begins with a process and ends with its last one, so that one of ours, which does nothing,
 * holds it until the container's first process is there; what is returned lets go of it.
 */
export async function startScope(
  context: Context,
  unit: Unit,
  given: { id: string; config: RuntimeConfig; resources: Resources; directory: string },
): Promise<() => void> {
  const unified = isUnified(context);
  const session = await Session.open({ keel: context.keel, directory: given.directory });
  try {
    using manager = await Manager.connect();
    const pid = holder(session, unit.name);
    const limits = limitProperties(given.resources, unified);
    await manager.start(unit.name, [...scopeProperties(given.id, unit.slice, pid, unified), ...limits, ...annotatedProperties(given.config.annotations ?? {})]);
    return () => {
      process.kill(pid, "SIGKILL");
      session[Symbol.dispose]();
    };
  } catch (error) {
    session[Symbol.dispose]();
    throw error;
  }
}

function holder(session: Session, unit: string): number {
  const what = `hold the unit "${unit}"`;
  const part = new Part();
  part.line.clone(new Block(88, "struct clone_args").u64(32, C.SIGCHLD), 88, { what, why: "a scope ends with its last process" });
  const { inner } = part.plan;
  inner.call("prctl", [C.PR_SET_PDEATHSIG, C.SIGKILL, 0, 0, 0], { what, why: "it goes with its parent" });
  inner.call("ppoll", [null, 0, null, null, 8], { what, why: "until it is killed" });
  return session.run(part).report.childPid;
}

export async function stopScope(unit: string): Promise<void> {
  using manager = await Manager.connect();
  await manager.stop(unit);
}

export async function updateScope(context: Context, unit: string, resources: Resources): Promise<void> {
  using manager = await Manager.connect();
  await manager.set(unit, limitProperties(resources, isUnified(context)));
}

import { existsSync, readFileSync, realpathSync } from "node:fs";
import * as C from "../linux/constants.ts";
import { Plan, runPlan } from "../plan/index.ts";
import type { Context } from "./context.ts";

interface HostMount {
  /** What of its filesystem it shows: "/" for all. */
  readonly root: string;
  readonly path: string;
  readonly type: string;
}

/** The mount table of this process (proc_pid_mountinfo(5)). */
function hostMounts(): HostMount[] {
  return readFileSync("/proc/self/mountinfo", "utf8").split("\n").map((line) => line.split(" ")).map((fields) => ({
    root: fields[3] ?? "", type: fields[fields.indexOf("-") + 1] ?? "",
    path: (fields[4] ?? "").replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
  }));
}

/** Whole proc and sysfs mounts outside of a root filesystem, the last one first. */
export function fullMounts(rootfs: string): string[] {
  return hostMounts()
    .filter(({ root, type, path }) => root === "/" && ["proc", "sysfs"].includes(type) && !`${path}/`.startsWith(`${rootfs}/`))
    .map(({ path }) => path)
    .reverse();
}

/** How many mounts lie over each other at a path; what is not there cannot have any. */
export function mountsAt(path: string): number {
  if (!existsSync(path)) return 0;
  const real = realpathSync(path);
  return hostMounts().filter((mount) => mount.path === real).length;
}

/**
 * Takes away what a container without a mount namespace has mounted on the host: everything lies on the copy of its root filesystem,
 * and goes with that. What was there before stays, whoever made it.
 */
export async function removeHostMounts(context: Context, rootfs: string, before: number): Promise<void> {
  const plan = new Plan();
  for (let more = mountsAt(rootfs) - before; more > 0; more--)
    plan.outer.call("umount2", [rootfs, C.MNT_DETACH], { what: `unmount "${rootfs}"`, why: "made for a container without a mount namespace" });
  plan.outer.exit(0);
  await runPlan(plan, { keel: context.keel, directory: context.root });
}

import type { Call } from "../plan/index.ts";
import type { NamespaceType } from "../oci/index.ts";
import type { Line } from "../plan/index.ts";
import { addCgroupView } from "./cgroup-view.ts";
import type { Context, HostTrees } from "./context.ts";
import { addDevices } from "./devices.ts";
import { addMasks } from "./masks.ts";
import { addMount, takeBindSources } from "./mounts.ts";
import { openMaskCover } from "./null-device.ts";
import { makeInRoot } from "./resolve.ts";
import { addRoot, takeRoot } from "./rootfs.ts";
import { addSysctls } from "./sysctls.ts";

/** While `line` still sees the host's mounts, and before anything is made private: a copy that shall hear of the host's mounts has to be their peer now. */
export function takeHostTrees(context: Context, line: Line): HostTrees {
  return { binds: takeBindSources(context, line), root: takeRoot(context, line) };
}

export function buildRoot(context: Context, cwd: string, namespaces: ReadonlyMap<NamespaceType, string | undefined>, newUser: boolean):
  { root: Call; dev: Call | undefined; pts: Call | undefined } {
  const { inner, config, where } = context;
  inner.stage("host trees");
  const trees = context.trees ?? takeHostTrees(context, inner);
  const root = addRoot(context, trees.root);
  inner.stage("mounts");
  const mounted = new Map<string, Call>();
  for (const mount of config.mounts ?? []) {
    if (mount.type === "cgroup") addCgroupView(context, mount, root);
    else mounted.set(mount.destination, addMount(context, mount, root, trees.binds));
  }
  const bindDev = (config.mounts ?? []).some((mount) => mount.destination === "/dev" && mount.type !== "tmpfs");
  const dev = bindDev ? undefined : mounted.get("/dev");
  if (!bindDev) addDevices(context, root, dev, newUser);
  if (cwd !== "/") makeInRoot(inner, root, cwd, "directory", { what: `make the working directory "${cwd}" ${where}`, why: "process.cwd, made if it is missing" });
  addSysctls(context, mounted.get("/proc"));
  const masked = (config.linux?.maskedPaths ?? []).length > 0;
  addMasks(context, root, masked ? openMaskCover(context, dev, newUser) : undefined);
  void namespaces;
  return { root, dev, pts: mounted.get("/dev/pts") };
}

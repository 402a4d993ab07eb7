import type { Call } from "../plan/index.ts";
import type { Mount, NamespaceType } from "../oci/index.ts";
import type { Line } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import { addCgroupView } from "./cgroup-view.ts";
import type { Context, HostTrees } from "./context.ts";
import { addDevices, takeDeviceNodes } from "./devices.ts";
import { addMasks } from "./masks.ts";
import { addMount, isBind, isReadonlyTmpfs, makeFilesystem, setAttributes, takeBindSource } from "./mounts.ts";
import { openMaskCover } from "./null-device.ts";
import { makeInRoot } from "./resolve.ts";
import { addRoot, takeRoot } from "./rootfs.ts";
import { addSysctls } from "./sysctls.ts";

/**
 * While `line` still sees the host's mounts, and before anything is made private: a copy that shall hear of the host's mounts has to
 * be their peer now. With `nodes` the device nodes too.
 */
export function takeHostTrees(context: Context, line: Line, nodes = false): HostTrees {
  const root = takeRoot(context, line);
  const mounts = new Map<Mount, Call>();
  // The mount table is in the order in which mounts are made, not attached (since Linux 6.8), and has to be the config's:
  // where the inside takes the copies, it makes the filesystems between them now, too.
  const inOrder = line === context.inner && root !== undefined;
  for (const mount of context.config.mounts ?? []) {
    if (context.launch.lateBinds?.has(mount)) continue;
    if (isBind(mount)) mounts.set(mount, takeBindSource(context, line, mount));
    else if (inOrder && mount.type !== "cgroup") mounts.set(mount, makeFilesystem(context, mount));
  }
  return { mounts, root, ...(nodes && !bringsDevices(context) ? { devices: takeDeviceNodes(context, line) } : {}) };
}

/** A /dev of the config's own is taken as it is: no nodes are put into it. */
function bringsDevices(context: Context): boolean {
  return (context.config.mounts ?? []).some((mount) => mount.destination === "/dev" && mount.type !== "tmpfs");
}

export function buildRoot(context: Context, cwd: string, namespaces: ReadonlyMap<NamespaceType, string | undefined>, newUser: boolean):
  { root: Call; dev: Call | undefined; pts: Call | undefined; seal: () => void } {
  const { inner, config, where } = context;
  inner.stage("host trees");
  const trees = context.trees ?? takeHostTrees(context, inner);
  const root = addRoot(context, trees.root);
  inner.stage("mounts");
  const mounted = new Map<string, Call>();
  for (const mount of config.mounts ?? []) {
    if (mount.type === "cgroup") addCgroupView(context, mount, root);
    else mounted.set(mount.destination, addMount(context, mount, root, trees.mounts));
  }
  const bindDev = bringsDevices(context);
  const dev = bindDev ? undefined : mounted.get("/dev");
  if (!bindDev) addDevices(context, root, dev, newUser);
  if (cwd !== "/")
    makeInRoot(inner, root, cwd, "directory", { what: `make the working directory "${cwd}" ${where}`, why: "process.cwd, made if it is missing" });
  addSysctls(context, mounted.get("/proc"));
  const masked = (config.linux?.maskedPaths ?? []).length > 0;
  addMasks(context, root, masked ? openMaskCover(context, dev, newUser) : undefined);
  void namespaces;
  return { root, dev, pts: mounted.get("/dev/pts"), seal: () => { sealMounts(context, mounted); } };
}

/** A read-only tmpfs is made writable, since other mounts and devices have their places in it, and closed when all is there. */
function sealMounts(context: Context, mounted: ReadonlyMap<string, Call>): void {
  for (const mount of context.config.mounts ?? []) {
    const tree = mounted.get(mount.destination);
    if (tree && isReadonlyTmpfs(mount))
      setAttributes(context.inner, tree, { set: C.MOUNT_ATTR_RDONLY }, false, {
        what: `make "${mount.destination}" read-only ${context.where}`,
        why: "now that everything has been put into it",
      });
  }
}

import { SampanError } from "../base/errors.ts";
import type { Call, Line } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import type { Context, Fd } from "./context.ts";
import type { RootSource } from "./launch.ts";
import { attach, cloneTree, newFilesystem, setAttributes } from "./mounts.ts";

/** Without one the container's mounts are the host's: beneath its root filesystem, until it is deleted. */
function hasMountNamespace({ config }: Pick<Context, "config">): boolean {
  return config.linux?.namespaces?.some(({ type }) => type === "mount") === true;
}

/** The page that mount(2) takes options in, less its NUL. */
const MOUNT_DATA_MAX = 4095;

function atLeast(kernel: readonly [number, number], major: number, minor: number): boolean {
  return kernel[0] > major || (kernel[0] === major && kernel[1] >= minor);
}

/** Colons separate lower directories and commas options, so both are escaped (overlayfs documentation, mount(8)). */
function escapeOverlay(path: string): string {
  return path.replace(/[\\:,]/g, (character) => `\\${character}`);
}

function overlay(context: Context, source: Extract<RootSource, { kind: "overlay" }>): Call {
  const { inner: line, host, launch } = context;
  const what = `mount the root filesystem ${context.where}`;
  const data: [string, string?][] = [
    // Without these a kernel's defaults could put references into the upper layer that no other host understands.
    ["index", "off"], ["metacopy", "off"], ["redirect_dir", "off"],
  ];
  if (source.volatile) data.push(["volatile"]);
  if (context.config.linux?.namespaces?.some(({ type, path }) => type === "user" && path === undefined)) data.push(["userxattr"]);
  if (atLeast(host.kernel, 6, 5)) {
    return newFilesystem(
      line, "overlay",
      [...source.lowers.map((lower): [string, string] => ["lowerdir+", lower]), ["upperdir", source.upper], ["workdir", source.work], ...data],
      0, { what, why: "the image's layers, read-only, under a layer of the container's own", source: "overlay" },
    );
  }
  const options = [
    `lowerdir=${source.lowers.map(escapeOverlay).join(":")}`, `upperdir=${escapeOverlay(source.upper)}`, `workdir=${escapeOverlay(source.work)}`,
    ...data.map(([key, value]) => (value === undefined ? key : `${key}=${value}`)),
  ].join(",");
  if (Buffer.byteLength(options) > MOUNT_DATA_MAX)
    throw new SampanError("unsupported", `Cannot ${what}: ${source.lowers.length} layers do not fit into one mount option page before Linux 6.5`);
  line.call("mount", ["overlay", launch.mountPoint, "overlay", 0, options], { what, why: "the image's layers under a layer of the container's own" });
  return line.call("openat", [C.AT_FDCWD, launch.mountPoint, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], { what, why: "the root, by descriptor" });
}

/** A copy of the directory that becomes the root, attached nowhere yet: pivot_root needs a mount. */
export function takeRoot(context: Context, line: Line): Call | undefined {
  const { root } = context.launch;
  if (root.kind !== "directory") return undefined;
  const what = `open the root filesystem "${root.path}" ${context.where}`;
  const tree = cloneTree(line, C.AT_FDCWD, root.path, true, { what, why: "a mount of its own, since pivot_root needs one" });
  const slave = ["slave", "rslave"].includes(context.config.linux?.rootfsPropagation ?? "");
  setAttributes(line, tree, { propagation: slave ? C.MS_SLAVE : C.MS_PRIVATE }, true, {
    what,
    why: slave ? "what the host mounts beneath it arrives, as linux.rootfsPropagation asks" : "private as everything else",
  });
  return tree;
}

/** Makes the mount table private and attaches the root filesystem; returns its descriptor. */
export function addRoot(context: Context, taken: Call | undefined): Call {
  const { inner: line, launch } = context;
  line.stage("mount namespace");
  if (hasMountNamespace(context))
    line.call("mount", [null, "/", null, C.MS_REC | C.MS_PRIVATE, null], {
      what: `make the mounts private ${context.where}`, why: "nothing that is mounted here may appear on the host",
    });
  line.stage("root filesystem");
  let root = taken;
  if (launch.root.kind === "overlay") {
    root = overlay(context, launch.root);
    if (!atLeast(context.host.kernel, 6, 5)) return root;
  }
  if (!root) throw new SampanError("internal", `Cannot mount the root filesystem ${context.where}: nobody took it`);
  const where = line.call("openat", [C.AT_FDCWD, launch.mountPoint, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], {
    what: `open "${launch.mountPoint}"`, why: "a place to attach the root to",
  });
  attach(line, root, where, `mount the root filesystem ${context.where}`);
  return root;
}

const PROPAGATIONS: Record<string, number> = { private: C.MS_PRIVATE, slave: C.MS_SLAVE, shared: C.MS_SHARED, unbindable: C.MS_UNBINDABLE };

/**
 * pivot_root(".", "."): the new root is stacked over the old one at the same place, and one umount takes the old one
 * away, so that there is no directory where it could be reached in between (pivot_root(2), NOTES).
 */
export function enterRoot(context: Context, root: Fd): void {
  const { inner: line, config } = context;
  line.stage("pivot");
  const what = `change to the root filesystem ${context.where}`;
  line.call("fchdir", [root], { what, why: "into the new root" });
  if (!hasMountNamespace(context)) {
    line.call("chroot", ["."], { what, why: "the mount namespace is the host's, whose root stays" });
  } else if (context.launch.noPivot) {
    // Beneath the moved root they would stay and, as whole mounts that can be seen, allow a user namespace to mount others without masks.
    for (const path of context.launch.fullMounts ?? []) {
      const gone = line.call("umount2", [path, C.MNT_DETACH], {
        what,
        why: "no whole proc or sysfs of the host's stays behind",
        tolerate: ["EINVAL", "EPERM"],
      });
      line.unless({ of: gone, is: "ok" }, () => {
        line.call("mount", ["tmpfs", path, "tmpfs", C.MS_RDONLY, null], { what, why: "covered where it cannot be taken away" });
      });
    }
    line.call("mount", [".", "/", null, C.MS_MOVE, null], { what, why: "--no-pivot: for a host whose root is a ramfs, which pivot_root refuses" });
    line.call("chroot", ["."], { what, why: "the mount that lies over the old root" });
  } else {
    line.call("pivot_root", [".", "."], { what, why: "the new root becomes /, the old one lies over it" });
    line.call("umount2", [".", C.MNT_DETACH], { what, why: "the host's root is gone from this namespace" });
  }
  line.call("chdir", ["/"], { what, why: "no directory of the host is left as working directory" });
  const wanted = config.linux?.rootfsPropagation ?? "";
  if (wanted !== "" && hasMountNamespace(context)) {
    const recursive = wanted.length > 1 && wanted.startsWith("r");
    const flag = PROPAGATIONS[recursive ? wanted.slice(1) : wanted];
    if (flag === undefined) throw new SampanError("invalid", `Cannot ${what}: rootfsPropagation "${wanted}" is not known`);
    line.call("mount", [null, "/", null, flag | (recursive ? C.MS_REC : 0), null], { what, why: "linux.rootfsPropagation" });
  }
  if (config.root?.readonly)
    setAttributes(line, root, { set: C.MOUNT_ATTR_RDONLY }, false, { what: `make the root filesystem read-only ${context.where}`, why: "--read-only" });
}

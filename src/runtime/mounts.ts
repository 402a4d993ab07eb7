import { SampanError } from "../base/errors.ts";
import { Block } from "../plan/index.ts";
import type { Call, CallOptions, Line } from "../plan/index.ts";
import type { Mount } from "../oci/index.ts";
import * as C from "../linux/constants.ts";
import type { MountOptions } from "../linux/mount-options.ts";
import { parseMountOptions } from "../linux/mount-options.ts";
import type { Context, Fd } from "./context.ts";
import { copyUp } from "./copy-up.ts";
import { makeInRoot, openInRoot } from "./resolve.ts";

/** `struct mount_attr` of mount_setattr(2). */
export function setAttributes(
  line: Line,
  tree: Fd,
  change: { set?: number; clear?: number; propagation?: number; userns?: Fd },
  recursive: boolean,
  options: { what: string; why: string; tolerate?: ("EINVAL" | "EPERM")[] },
): Call {
  const attr = new Block(32, "struct mount_attr").u64(0, change.set ?? 0).u64(8, change.clear ?? 0).u64(16, change.propagation ?? 0);
  if (change.userns !== undefined) line.patch(attr, 24, change.userns, "u64", { why: "the user namespace whose mapping applies" });
  return line.call("mount_setattr", [tree, "", C.AT_EMPTY_PATH | (recursive ? C.AT_RECURSIVE : 0), attr, 32], options);
}

/** Makes a new filesystem, attached nowhere yet: nobody can reach it or be redirected through it. */
export function newFilesystem(
  line: Line,
  type: string,
  data: readonly (readonly [key: string, value?: string])[],
  attributes: number,
  options: { what: string; why: string; source?: string },
): Call {
  const fs = line.call("fsopen", [type, C.FSOPEN_CLOEXEC], options);
  if (options.source)
    line.call("fsconfig", [fs, C.FSCONFIG_SET_STRING, "source", options.source, 0], { what: options.what, why: "the name that the mount table shows" });
  for (const [key, value] of data)
    line.call(
      "fsconfig",
      [fs, value === undefined ? C.FSCONFIG_SET_FLAG : C.FSCONFIG_SET_STRING, key, value ?? null, 0],
      { what: `${options.what} with option "${key}${value === undefined ? "" : `=${value}`}"`, why: "an option of the filesystem" },
    );
  line.call("fsconfig", [fs, C.FSCONFIG_CMD_CREATE, null, null, 0], { what: options.what, why: "makes the filesystem" });
  return line.call("fsmount", [fs, C.FSMOUNT_CLOEXEC, attributes], { what: options.what, why: "a mount that is attached nowhere yet" });
}

/** Attaches a mount at an opened target: by descriptor, so that no path can be changed in between. */
export function attach(line: Line, tree: Fd, target: Fd, what: string): Call {
  return line.call("move_mount", [tree, "", target, "", C.MOVE_MOUNT_F_EMPTY_PATH | C.MOVE_MOUNT_T_EMPTY_PATH], {
    what, why: "attached by descriptor: no path that could be swapped in between",
  });
}

/** Copies a mount (with `recursive`, all beneath it) to one that is attached nowhere yet. */
export function cloneTree(line: Line, from: Fd, path: string, recursive: boolean, options: CallOptions): Call {
  return line.call(
    "open_tree",
    [from, path, C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC | (recursive ? C.AT_RECURSIVE : 0) | (path === "" ? C.AT_EMPTY_PATH : 0)],
    options,
  );
}

export function isBind(mount: Mount): boolean {
  return mount.type === "bind" || (mount.options ?? []).some((option) => option === "bind" || option === "rbind");
}

function words(options: readonly string[]): (readonly [string, string?])[] {
  return options.map((option) => {
    const equals = option.indexOf("=");
    return equals < 0 ? [option] : [option.slice(0, equals), option.slice(equals + 1)];
  });
}

/** How messages name a mount. */
function naming(mount: Mount, context: Context): string {
  return `mount "${mount.destination}" ${context.where}`;
}

/**
 * Opens a path beneath a directory that containers write to: a link in it that leads out, absolute or by "..", is refused
 * by the kernel (openat2(2), RESOLVE_BENEATH), and what was opened is what is mounted (CVE-2021-30465).
 */
export function openBeneath(line: Line, root: string, path: string, what: string, tolerate: "any" | [] = []): Call {
  const directory = line.call("openat", [C.AT_FDCWD, root, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], {
    what: `${what}: open "${root}"`,
    why: "the root that the path must stay beneath",
    tolerate,
  });
  return openInRoot(line, directory, path, {
    what: `${what}: open "${path}" without leaving "${root}"`,
    why: "beneath that root, whatever its links say",
    resolve: C.RESOLVE_BENEATH,
    tolerate,
  });
}

/**
 * A copy of the tree that is bound into the container, taken while this process still sees the host's mounts, and
 * before everything is made private: a copy that shall go on receiving mounts from the host has to be its peer now.
 */
export function takeBindSource(context: Context, line: Line, mount: Mount): Call {
  const options = parseMountOptions(mount.options ?? []);
  const subpath = context.launch.subpaths?.get(mount.destination);
  const from = subpath === undefined ? C.AT_FDCWD : openBeneath(line, mount.source ?? "", subpath, naming(mount, context));
  const tree = cloneTree(line, from, subpath === undefined ? (mount.source ?? "") : "", options.recursiveBind || !options.bind, {
    what: `${naming(mount, context)}: bind "${mount.source ?? ""}"`,
    why: `a copy of the mount at ${mount.source ?? ""}`,
  });
  const userns = context.launch.idMappings?.get(mount);
  if (userns !== undefined)
    setAttributes(line, tree, { set: C.MOUNT_ATTR_IDMAP, userns }, options.idmap === "ridmap", {
      what: `${naming(mount, context)}: map its owners`, why: "files of the mount appear as owned by others (mount_setattr(2), MOUNT_ATTR_IDMAP)",
    });
  return tree;
}

/** Of what an earlier mount has put into the root filesystem: by a path of the host's only that mount's place would be found. */
function takeLateSource(context: Context, mount: Mount, root: Fd): Call | undefined {
  const path = context.launch.lateBinds?.get(mount);
  if (path === undefined) return undefined;
  const options = parseMountOptions(mount.options ?? []);
  const what = `${naming(mount, context)}: bind "${mount.source ?? ""}"`;
  const from = openInRoot(context.inner, root, path, { what, why: "as the container sees it by now" });
  return cloneTree(context.inner, from, "", options.recursiveBind || !options.bind, { what, why: `a copy of the mount at /${path}` });
}

export function isReadonlyTmpfs(mount: Mount): boolean {
  return mount.type === "tmpfs" && !isBind(mount) && (parseMountOptions(mount.options ?? []).attributes.set & C.MOUNT_ATTR_RDONLY) !== 0;
}

/** The filesystem of a mount that is no bind, attached nowhere yet. */
export function makeFilesystem(context: Context, mount: Mount): Call {
  const what = naming(mount, context);
  const options = parseMountOptions(mount.options ?? []);
  const type = mount.type ?? "";
  if (type === "") throw new SampanError("invalid", `Cannot ${what}: the mount has no type`);
  const attributes = isReadonlyTmpfs(mount) ? options.attributes.set & ~C.MOUNT_ATTR_RDONLY : options.attributes.set;
  return newFilesystem(context.inner, type, words(options.data), attributes, { what, why: `a new ${type} filesystem`, source: mount.source ?? type });
}

function applyOptions(context: Context, mount: Mount, tree: Call, options: MountOptions): void {
  const line = context.inner;
  const what = naming(mount, context);
  const recursivePropagation = options.propagationRecursive || options.propagation === 0;
  const propagation = options.propagation === 0 ? C.MS_PRIVATE : options.propagation;
  const { set, clear } = options.attributes;
  if (propagation === C.MS_SHARED) {
    // A copy of a shared mount is its peer; made a slave first it would only listen.
    setAttributes(line, tree, { propagation: C.MS_SHARED }, recursivePropagation, { what, why: "mounts made on either side appear on the other" });
    if (set || clear) setAttributes(line, tree, { set, clear }, false, { what, why: "the mount's own flags" });
  } else {
    const whole = recursivePropagation && (set || clear) && options.recursiveBind === false;
    setAttributes(line, tree, { propagation }, recursivePropagation, { what, why: "mounts made on the other side stay there" });
    if (set || clear || whole) setAttributes(line, tree, { set, clear }, false, { what, why: "read-only, nosuid, nodev, noexec as asked" });
  }
  const { recursive } = options;
  if (recursive.set || recursive.clear)
    setAttributes(line, tree, recursive, true, { what, why: "flags for the whole tree" });
}

const STATX_MODE = 2;

/** The mode of a directory that is there already (`struct statx`, stx_mode at 28, a spare zero after it). */
function modeOf(line: Line, root: Fd, path: string, what: string): { found: Call; stat: Fd } {
  const stat = new Block(256, "struct statx");
  const found = openInRoot(line, root, path, { what, why: "what the tmpfs is about to cover", tolerate: "any" });
  line.unless({ of: found, is: "failed" }, () => {
    line.call("statx", [found, "", C.AT_EMPTY_PATH, STATX_MODE, stat], { what, why: "its mode, which is then the tmpfs's, too" });
  });
  return { found, stat: { load32: stat, offset: 28 } };
}

/** Adds one mount of the config. Returns the descriptor of its root, which later steps use instead of its path. */
export function addMount(context: Context, mount: Mount, root: Fd, taken: ReadonlyMap<Mount, Call>): Call {
  const line = context.inner;
  const what = naming(mount, context);
  const options = parseMountOptions(mount.options ?? []);
  const destination = context.launch.landings?.get(mount) ?? mount.destination;
  const source = taken.get(mount) ?? takeLateSource(context, mount, root);
  if (source && isBind(mount)) {
    applyOptions(context, mount, source, options);
    const isFile = context.launch.fileMounts?.has(mount.destination) ?? false;
    const target = makeInRoot(line, root, destination, isFile ? "file" : "directory", {
      what, why: `the place for ${mount.source ?? "the mount"}, inside the root`,
    });
    attach(line, source, target, what);
    return source;
  }
  // /proc and /sys carry security decisions: a symlink there is an attack (CVE-2019-19921), not a layout.
  const strict = mount.type === "proc" || mount.type === "sysfs";
  const mode = mount.type === "tmpfs" && !options.data.some((option) => option.startsWith("mode=")) ? modeOf(line, root, mount.destination, what) : undefined;
  const target = makeInRoot(line, root, destination, "directory", {
    what: strict ? `${what}: ${mount.type ?? ""} must be mounted on ordinary directory` : what,
    why: `where ${mount.type ?? "it"} goes, inside the root`, ...(strict ? { resolve: C.RESOLVE_IN_ROOT | C.RESOLVE_NO_SYMLINKS } : {}),
  });
  const tree = source ?? makeFilesystem(context, mount);
  const copies = context.launch.copyUps?.get(mount);
  if (copies) copyUp(line, target, tree, copies, what);
  if (mode) line.unless({ of: mode.found, is: "failed" }, () => {
    line.call("fchmodat", [tree, ".", mode.stat], { what, why: "the mode of the directory that it covers" });
  });
  if (options.propagation && options.propagation !== C.MS_PRIVATE)
    setAttributes(line, tree, { propagation: options.propagation }, options.propagationRecursive, { what, why: "propagation as asked" });
  attach(line, tree, target, what);
  return tree;
}

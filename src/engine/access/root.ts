import { closeSync, constants, fstatSync, mkdirSync, openSync, statSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import * as C from "../../linux/constants.ts";
import { errnoName } from "../../linux/errno.ts";
import type { Call, Line } from "../../plan/index.ts";
import { Part, Session } from "../../plan/session.ts";
import { attach, cloneTree, newFilesystem, openBeneath, setAttributes } from "../../runtime/mounts.ts";
import { makeInRoot, openInRoot } from "../../runtime/resolve.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import { livenessOf } from "../containers/liveness.ts";
import type { EngineContext } from "../context.ts";
import type { ContainerPaths } from "../paths.ts";
import { containerPaths } from "../paths.ts";
import { openProcess } from "../processes.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { FileHelper, OURS_REGISTER, ROOT_REGISTER } from "./helper.ts";

/**
 * `mounted`: what a program in the container sees, volumes included. `bare`: the container's own files alone, also those
 * that a mount lies over.
 */
export type RootView = "mounted" | "bare";

/** The root filesystem of a container, running or not, for reading and writing from outside. */
export class RootAccess implements Disposable {
  readonly helper: FileHelper;
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
    this.helper = new FileHelper(session);
  }

  /**
   * Opens what a path means inside the container, with its links resolved there (openat2(2), RESOLVE_IN_ROOT). A
   * descriptor of ours, to be closed by the caller; or the errno by which it is not there.
   */
  open(path: string, flags: number): { readonly fd: number } | { readonly errno: string } {
    const found = this.helper.resolve(path, C.O_PATH | flags);
    if ("errno" in found) return { errno: errnoName(found.errno) };
    try {
      return { fd: openFound(`/proc/${this.#session.pid}/fd/${found.descriptor}`) };
    } finally {
      found.close();
    }
  }

  /** A directory by its path in the container. Throws "not-found" with the errno as code. */
  openDirectory(path: string): number {
    const opened = this.open(path, C.O_DIRECTORY);
    if ("fd" in opened) return opened.fd;
    throw new SampanError("not-found", `Cannot open directory "${path}" of the container: ${opened.errno}`, { code: opened.errno });
  }

  /** Ends the helper process; what it had mounted is gone with it. */
  [Symbol.dispose](): void {
    this.#session[Symbol.dispose]();
  }
}

/** Opens a file that was found for reading; one that opening does something to (a device, a FIFO) only as a place (O_PATH). */
export function openFound(path: string): number {
  const place = openSync(path, C.O_PATH);
  const stat = fstatSync(place);
  if (!stat.isFile() && !stat.isDirectory()) return place;
  try {
    return openSync(`/proc/self/fd/${place}`, constants.O_RDONLY | constants.O_NOCTTY);
  } finally {
    closeSync(place);
  }
}

/**
 * Opens a container's root filesystem. That of a running one is entered through its first process; that of a stopped one
 * is mounted in a mount namespace of the helper's own, so that the host's mount table never shows it. Nothing of the
 * container is executed (CVE-2019-14271), and no path of it is resolved outside of its root (CVE-2018-15664).
 */
export async function openRootAccess(context: EngineContext, record: ContainerRecord, stored: StoredConfig, view: RootView): Promise<RootAccess> {
  const { process: first } = livenessOf(context, record);
  const directory = first && openProcess(first);
  const paths = containerPaths(context.paths, record.id);
  const session = await Session.open({ keel: context.keel, directory: context.paths.state, inherit: directory === undefined ? [] : [directory] });
  try {
    const part = new Part();
    const { line } = part;
    line.call("openat", [C.AT_FDCWD, `/proc/${process.pid}/fd`, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], {
      what: "find the engine's descriptors",
      why: "before /proc is another one",
      register: OURS_REGISTER,
    });
    if (directory !== undefined) enterRunning(part, record.name, view);
    else mountStopped(part, context, stored, paths, view);
    line.call("fchdir", [{ register: OURS_REGISTER }], { what: "enter the engine's descriptors", why: "places are told by descriptor and name" });
    session.run(part);
    return new RootAccess(session);
  } catch (error) {
    session[Symbol.dispose]();
    throw error;
  } finally {
    if (directory !== undefined) closeSync(directory);
  }
}

/** A helper without a container, for files of the host. */
export async function openHostAccess(context: EngineContext): Promise<RootAccess> {
  const session = await Session.open({ keel: context.keel, directory: context.paths.state });
  const part = new Part();
  part.line.call("openat", [C.AT_FDCWD, "/", C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], { what: "open the root", register: ROOT_REGISTER });
  part.line.call("chdir", [`/proc/${process.pid}/fd`], { what: "enter the engine's descriptors", why: "places are told by descriptor and name" });
  session.run(part);
  return new RootAccess(session);
}

function enterRunning({ line }: Part, name: string, view: RootView): void {
  const what = `enter the root filesystem of container "${name}"`;
  const namespace = line.call("openat", [3, "ns/mnt", C.O_RDONLY | C.O_CLOEXEC, 0], {
    what,
    why: "of its first process, whose directory in /proc was checked",
  });
  line.call("setns", [namespace, C.CLONE_NEWNS], { what, why: "its root becomes ours" });
  line.call("close", [namespace], { what });
  if (view === "mounted") line.call("openat", [C.AT_FDCWD, "/", C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], { what, register: ROOT_REGISTER });
  else line.call("open_tree", [C.AT_FDCWD, "/", C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC], {
    what,
    why: "a copy of the one mount, without what is mounted on it",
    register: ROOT_REGISTER,
  });
}

function mountStopped({ line }: Part, context: EngineContext, stored: StoredConfig, paths: ContainerPaths, view: RootView): void {
  const what = `mount the root filesystem of container "${stored.name}"`;
  line.call("unshare", [C.CLONE_NEWNS], { what, why: "nobody else sees what is mounted here" });
  line.call("mount", [null, "/", null, C.MS_REC | C.MS_PRIVATE, null], { what, why: "and nothing gets out" });
  const { image } = stored;
  mkdirSync(paths.directory, { recursive: true, mode: 0o700 }); // before its first start there may be none yet
  // Before the root lies over the directory that they are in.
  const files = view === "mounted" ? openFiles(line, stored, paths, what) : [];
  const place = line.call("openat", [C.AT_FDCWD, paths.directory, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], { what, why: "a directory to mount over" });
  let root: Call;
  let attached = false;
  if (image.writableRoot !== undefined) root = cloneTree(line, C.AT_FDCWD, image.writableRoot, false, { what, why: "the directory that is its root" });
  else {
    for (const directory of [paths.upper, paths.work]) mkdirSync(directory, { recursive: true, mode: 0o755 });
    const [major = 0, minor = 0] = context.kernelVersion.split(".").map(Number);
    const options: [string, string?][] = [["upperdir", paths.upper], ["workdir", paths.work], ["index", "off"], ["metacopy", "off"], ["redirect_dir", "off"]];
    if (major > 6 || (major === 6 && minor >= 5)) {
      root = newFilesystem(line, "overlay", [...image.lowers.map((lower): [string, string] => ["lowerdir+", lower]), ...options], 0, {
        what,
        why: "the image's layers beneath its own",
        source: "overlay",
      });
    } else {
      const escape = (path: string): string => path.replace(/[\\:,]/g, (character) => `\\${character}`);
      const text = [`lowerdir=${image.lowers.map(escape).join(":")}`, ...options.map(([key, value]) => `${key}=${escape(value ?? "")}`)].join(",");
      line.call("mount", ["overlay", paths.directory, "overlay", 0, text], { what, why: "the image's layers beneath its own" });
      root = line.call("openat", [C.AT_FDCWD, paths.directory, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], { what, why: "the root, by descriptor" });
      attached = true;
    }
  }
  line.pick(root, 0, { register: ROOT_REGISTER });
  if (view !== "mounted") return;
  if (!attached) attach(line, root, place, what);
  for (const { target, tree } of files) {
    const place = openInRoot(line, root, target, { what, why: target, tolerate: "any" });
    line.unless({ of: place, is: "failed" }, () => line.unless({ of: tree, is: "failed" }, () => { attach(line, tree, place, what); }));
  }
  bindMounts(line, root, stored, what);
}

/** The files that every container has of its own, opened; where the person has mounted something it is that. */
function openFiles(line: Line, { mounts }: StoredConfig, paths: ContainerPaths, what: string): { readonly target: string; readonly tree: Call }[] {
  return ([["/etc/resolv.conf", paths.resolvConf], ["/etc/hostname", paths.hostname], ["/etc/hosts", paths.hosts]] as const)
    .filter(([target]) => !mounts.some((mount) => mount.target === target))
    .map(([target, file]) => ({
      target,
      tree: line.call("open_tree", [C.AT_FDCWD, file, C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC], { what, why: target, tolerate: "any" }),
    }));
}

/** Volumes and bind mounts where they would be, in directories that a first start would make; what has gone away since is left out. */
function bindMounts(line: Line, root: Call, stored: StoredConfig, what: string): void {
  for (const mount of stored.mounts) {
    if (mount.type === "tmpfs" || mount.filesystem === "tmpfs") continue;
    const source = mount.subpath === undefined ? statSync(mount.source, { throwIfNoEntry: false }) : undefined;
    const target = source === undefined
      ? openInRoot(line, root, mount.target, { what, why: mount.target, tolerate: "any" })
      : makeInRoot(line, root, mount.target, source.isDirectory() ? "directory" : "file", { what, why: mount.target });
    line.unless({ of: target, is: "failed" }, () => {
      const recursive = mount.recursive ? C.AT_RECURSIVE : 0;
      const [from, path, flags] = mount.subpath === undefined
        ? [C.AT_FDCWD, mount.source, recursive]
        : [openBeneath(line, mount.source, mount.subpath, what, "any"), "", recursive | C.AT_EMPTY_PATH];
      const tree = line.call("open_tree", [from, path, C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC | flags], { what, why: mount.source, tolerate: "any" });
      line.unless({ of: tree, is: "failed" }, () => {
        if (mount.readonly) setAttributes(line, tree, { set: C.MOUNT_ATTR_RDONLY }, false, { what, why: "read-only as in the container" });
        attach(line, tree, target, what);
      });
    });
  }
}

import { SampanError } from "../base/errors.ts";
import { Block, Plan } from "../plan/index.ts";
import type { Call } from "../plan/index.ts";
import type { Mount, NamespaceType } from "../oci/index.ts";
import * as C from "../linux/constants.ts";
import type { CgroupFds } from "./cgroup-steps.ts";
import { addCgroup, joinCgroup } from "./cgroup-steps.ts";
import type { Context, Fd, Pipe } from "./context.ts";
import { addDevices } from "./devices.ts";
import { addIdentity, addRlimits } from "./identity.ts";
import type { Launch } from "./launch.ts";
import { addMasks } from "./masks.ts";
import { handOver } from "./monitor-steps.ts";
import { addMount, attach, newFilesystem, takeBindSources } from "./mounts.ts";
import { sendNetlink } from "./netlink-steps.ts";
import { cleanProcess, dieWithParent, enterDirectory, execute } from "./program.ts";
import { makeInRoot, openInRoot } from "./resolve.ts";
import { addRoot, enterRoot } from "./rootfs.ts";
import { addPipe, addSocketPair, addTerminal, awaitByte, receiveDescriptor, sendByte, useStreams } from "./stdio.ts";

export const NAMESPACE_FLAGS: Record<NamespaceType, number> = {
  pid: C.CLONE_NEWPID, network: C.CLONE_NEWNET, mount: C.CLONE_NEWNS, ipc: C.CLONE_NEWIPC, uts: C.CLONE_NEWUTS,
  user: C.CLONE_NEWUSER, cgroup: C.CLONE_NEWCGROUP, time: C.CLONE_NEWTIME,
};

/** Pipes and descriptors that the two sides meet at. */
interface Meeting {
  /** The inner side waits here until what only the outer side can do is done; undefined if there is nothing. */
  readonly prepared: Pipe | undefined;
  readonly release: Pipe | undefined;
  readonly ready: Pipe | undefined;
  readonly terminal: Pipe | undefined;
  readonly streams: { readonly stdin: Pipe | undefined; readonly stdout: Pipe; readonly stderr: Pipe } | undefined;
}

/**
 * Compiles an OCI runtime config and what is known of this host into a plan. Pure: no I/O, no root needed.
 * Throws SampanError "invalid" or "unsupported" for what cannot be compiled.
 */
export function compile(launch: Launch): Plan {
  const { config, monitor } = launch;
  const process = config.process;
  if (!process) throw new SampanError("invalid", `Cannot start container "${launch.name}": the config has no process`);
  const plan = new Plan({ trace: launch.trace, fork: monitor !== undefined });
  const where = `in container "${launch.name}"`;
  const context: Context = { launch, config, host: launch.host, plan, outer: plan.outer, inner: plan.inner, where };
  const namespaces = new Map((config.linux?.namespaces ?? []).map((namespace) => [namespace.type, namespace.path]));
  const newUser = namespaces.has("user") && namespaces.get("user") === undefined;
  const { outer, inner } = plan;

  const cgroup = launch.cgroup ? addCgroup(outer, launch.cgroup, where) : { tasks: [], directory: undefined };
  const meeting = meet(context, newUser);
  joinByPath(context, namespaces, newUser);
  const { child, pidfd } = cloneChild(context, namespaces, cgroup);

  inner.stage("process");
  if (meeting.prepared) awaitByte(inner, meeting.prepared.read, `start ${where}`, "until mappings and network exist");
  if (newUser) becomeRoot(context);
  joinCgroup(inner, cgroup, where);
  if (namespaces.has("cgroup") && namespaces.get("cgroup") === undefined)
    inner.call("unshare", [C.CLONE_NEWCGROUP], { what: `make the cgroup namespace ${where}`, why: "after joining, so that the container's own group is its root" });
  inner.call("setsid", [], { what: `start a session ${where}`, why: "no controlling terminal of the host's" });
  inner.call("umask", [0], { what: `set the umask ${where}`, why: "modes are as asked while the filesystem is built" });
  if (process.oomScoreAdj !== undefined) writeFile(context, "/proc/self/oom_score_adj", String(process.oomScoreAdj), "process.oomScoreAdj");
  if (launch.network?.inner) sendNetlink(context, inner, launch.network.inner, undefined, "network inside");
  const devpts = buildRoot(context, process.cwd, namespaces, newUser);
  setHostname(context, namespaces);
  const { root, dev } = devpts;
  if (process.terminal && meeting.terminal) {
    inner.stage("terminal");
    addTerminal(inner, {
      where, devpts: devpts.pts ?? dev ?? root, uid: process.user?.uid ?? 0, socket: meeting.terminal.write, root,
      size: process.consoleSize ? { rows: process.consoleSize.height, columns: process.consoleSize.width } : undefined,
    });
  }
  enterRoot(context, root);
  inner.stage("identity");
  addRlimits(inner, process, where);
  if (meeting.streams) {
    const stdin = meeting.streams.stdin?.read ?? inner.call("openat", [C.AT_FDCWD, "/dev/null", C.O_RDONLY | C.O_CLOEXEC, 0], { what: `open "/dev/null" ${where}`, why: "nobody types" });
    useStreams(inner, [stdin, meeting.streams.stdout.write, meeting.streams.stderr.write], process.user?.uid ?? 0, where);
  }
  enterDirectory(inner, process.cwd, where);
  if (meeting.release) awaitByte(inner, meeting.release.read, `start ${where}`, "until the monitor has the streams: no output is lost");
  addIdentity(inner, process, {
    where, seccomp: launch.seccomp, lastCapability: launch.host.lastCapability,
    beforeFilter: () => {
      cleanProcess(inner, process.user?.umask ?? 0o022, 3, where);
      if (monitor) dieWithParent(inner, where);
    },
  });
  inner.stage("program");
  if (launch.init) inner.init({ what: `start init ${where}`, why: "--init: a reaper as PID 1, with the container's own privileges" });
  execute(inner, process, where);

  finishOuter(context, meeting, child, pidfd, newUser);
  return plan;
}

function meet(context: Context, newUser: boolean): Meeting {
  const { outer, launch, config } = context;
  outer.stage("pipes");
  const needsOuter = newUser || launch.network?.outer !== undefined;
  const monitored = launch.monitor !== undefined;
  const terminal = config.process?.terminal === true && monitored;
  return {
    prepared: needsOuter ? addPipe(outer, "the inside waits here for what only the outside can do") : undefined,
    release: monitored ? addPipe(outer, "the program starts when the monitor is ready for its output") : undefined,
    ready: monitored ? addPipe(outer, "closes at execve: the program runs") : undefined,
    terminal: terminal ? addSocketPair(outer, "the terminal's master comes out through this") : undefined,
    streams: monitored && !terminal
      ? {
          stdin: launch.monitor?.attach.stdin || launch.monitor?.openStdin ? addPipe(outer, "standard input") : undefined,
          stdout: addPipe(outer, "standard output"),
          stderr: addPipe(outer, "standard error"),
        }
      : undefined,
  };
}

/** Namespaces that exist already are entered before the clone, so that the child is born in them. */
function joinByPath(context: Context, namespaces: ReadonlyMap<NamespaceType, string | undefined>, newUser: boolean): void {
  const { outer, where } = context;
  const joined = [...namespaces].filter((entry): entry is [NamespaceType, string] => entry[1] !== undefined);
  if (joined.length === 0) return;
  outer.stage("join namespaces");
  const opened = joined.map(([type, path]) => ({
    type, fd: outer.call("openat", [C.AT_FDCWD, path, C.O_RDONLY | C.O_CLOEXEC, 0], { what: `join the ${type} namespace "${path}" ${where}`, why: "opened first: the mount namespace decides what paths mean" }),
  }));
  void newUser;
  for (const { type, fd } of opened)
    outer.call("setns", [fd, NAMESPACE_FLAGS[type]], { what: `join the ${type} namespace ${where}`, why: "shared with another container or the host" });
}

function cloneChild(context: Context, namespaces: ReadonlyMap<NamespaceType, string | undefined>, cgroup: CgroupFds): { child: Call; pidfd: Fd } {
  const { outer, where } = context;
  outer.stage("clone");
  let flags = BigInt(C.CLONE_PIDFD);
  for (const [type, path] of namespaces)
    if (path === undefined && type !== "cgroup" && type !== "time") flags |= BigInt(NAMESPACE_FLAGS[type]);
  const pidfd = new Block(8, "int");
  const args = new Block(88, "struct clone_args").pointer(8, pidfd).u64(32, C.SIGCHLD);
  if (cgroup.directory) {
    flags |= C.CLONE_INTO_CGROUP;
    outer.patch(args, 80, cgroup.directory, "u64", { why: "the group to be born in" });
  }
  args.u64(0, flags);
  const child = outer.clone(args, 88, { what: `create the process ${where}`, why: "one process, born into all of its new namespaces" });
  return { child, pidfd: { load32: pidfd, offset: 0 } };
}

/** In a new user namespace, once the mapping is there. */
function becomeRoot(context: Context): void {
  const { inner, where } = context;
  const what = `become root of the user namespace ${where}`;
  inner.call("setresgid", [0, 0, 0], { what, why: "the mapping's group 0" });
  inner.call("setresuid", [0, 0, 0], { what, why: "the mapping's user 0: files made from here on belong to it" });
}

function writeFile(context: Context, path: string, text: string, why: string): void {
  const { inner, where } = context;
  const what = `write "${text}" to "${path}" ${where}`;
  const file = inner.call("openat", [C.AT_FDCWD, path, C.O_WRONLY | C.O_CLOEXEC, 0], { what, why });
  inner.call("write", [file, text, Buffer.byteLength(text)], { what, why });
  inner.call("close", [file], { what, why: "done with it" });
}

function buildRoot(context: Context, cwd: string, namespaces: ReadonlyMap<NamespaceType, string | undefined>, newUser: boolean):
  { root: Call; dev: Call | undefined; pts: Call | undefined } {
  const { inner, config, where } = context;
  let sources: ReadonlyMap<Mount, Call> = new Map();
  const root = addRoot(context, () => { sources = takeBindSources(context); });
  const masked = (config.linux?.maskedPaths ?? []).length > 0;
  const hostNull = masked
    ? inner.call("openat", [C.AT_FDCWD, "/dev/null", C.O_PATH | C.O_CLOEXEC, 0], { what: `open the host's "/dev/null" ${where}`, why: "a cover that the container cannot have prepared" })
    : undefined;
  inner.stage("mounts");
  const mounted = new Map<string, Call>();
  for (const mount of config.mounts ?? []) {
    if (mount.type === "cgroup") addCgroupView(context, mount, root);
    else mounted.set(mount.destination, addMount(context, mount, root, sources));
  }
  const bindDev = (config.mounts ?? []).some((mount) => mount.destination === "/dev" && mount.type !== "tmpfs");
  const dev = bindDev ? undefined : mounted.get("/dev");
  if (!bindDev) addDevices(context, root, dev, newUser);
  if (cwd !== "/") makeInRoot(inner, root, cwd, "directory", { what: `make the working directory "${cwd}" ${where}`, why: "process.cwd, made if it is missing" });
  addSysctls(context, mounted.get("/proc"));
  addMasks(context, root, hostNull);
  void namespaces;
  return { root, dev, pts: mounted.get("/dev/pts") };
}

/**
 * The container's view of its control groups. With v2 one filesystem; with v1 a directory with one per hierarchy. In
 * a cgroup namespace each shows the container's own group as its root.
 */
function addCgroupView(context: Context, mount: Mount, root: Fd): void {
  const { inner, host, where } = context;
  const what = `mount "${mount.destination}" ${where}`;
  const attributes = C.MOUNT_ATTR_NOSUID | C.MOUNT_ATTR_NODEV | C.MOUNT_ATTR_NOEXEC | C.MOUNT_ATTR_RDONLY;
  const writable = !(mount.options ?? []).includes("ro");
  const flags = writable ? attributes & ~C.MOUNT_ATTR_RDONLY : attributes;
  const target = makeInRoot(inner, root, mount.destination, "directory", { what, why: "where cgroups are looked for" });
  const only = host.cgroupMounts.length === 1 ? host.cgroupMounts[0] : undefined;
  if (only?.version === 2) {
    attach(inner, newFilesystem(inner, "cgroup2", [], flags, { what, why: "the container's own group as root", source: "cgroup" }), target, what);
    return;
  }
  const base = newFilesystem(inner, "tmpfs", [["mode", "755"]], flags & ~C.MOUNT_ATTR_RDONLY, { what, why: "a directory per hierarchy", source: "cgroup" });
  for (const { version, name, option } of host.cgroupMounts) {
    inner.call("mkdirat", [base, name, 0o755], { what: `${what}: ${name}`, why: "a hierarchy" });
    const place = openInRoot(inner, base, name, { what: `${what}: ${name}`, why: "in a filesystem that is still ours alone" });
    const options: [string, string?][] = version === 2 ? [] : option.startsWith("name=") ? [["none"], ["name", option.slice(5)]] : option.split(",").map((word): [string] => [word]);
    const view = newFilesystem(inner, version === 2 ? "cgroup2" : "cgroup", options, flags, { what: `${what}: ${name}`, why: `cgroup v${version} ${name}`, source: "cgroup" });
    attach(inner, view, place, `${what}: ${name}`);
  }
  attach(inner, base, target, what);
  if (!writable) {
    const attr = new Block(32, "struct mount_attr").u64(0, C.MOUNT_ATTR_RDONLY);
    inner.call("mount_setattr", [base, "", C.AT_EMPTY_PATH, attr, 32], { what, why: "read-only now that its directories are made" });
  }
}

/** Through the procfs that this plan itself mounted: a fake /proc in the image is never written to (CVE-2025-52881). */
function addSysctls(context: Context, proc: Call | undefined): void {
  const { inner, config, where } = context;
  for (const [name, value] of Object.entries(config.linux?.sysctl ?? {})) {
    const what = `set sysctl "${name}" ${where}`;
    if (!proc) throw new SampanError("invalid", `Cannot ${what}: the container has no /proc of its own`);
    const file = openInRoot(inner, proc, `sys/${name.replaceAll(".", "/")}`, {
      flags: C.O_WRONLY, resolve: C.RESOLVE_BENEATH | C.RESOLVE_NO_SYMLINKS | C.RESOLVE_NO_XDEV, what, why: "linux.sysctl",
    });
    inner.call("write", [file, value, Buffer.byteLength(value)], { what, why: `= ${value}` });
    inner.call("close", [file], { what, why: "done with it" });
  }
}

function setHostname(context: Context, namespaces: ReadonlyMap<NamespaceType, string | undefined>): void {
  const { inner, config, where } = context;
  if (!namespaces.has("uts") || namespaces.get("uts") !== undefined) return;
  inner.stage("names");
  if (config.hostname !== undefined)
    inner.call("sethostname", [config.hostname, Buffer.byteLength(config.hostname)], { what: `set the hostname "${config.hostname}" ${where}`, why: "hostname" });
  if (config.domainname !== undefined)
    inner.call("setdomainname", [config.domainname, Buffer.byteLength(config.domainname)], { what: `set the domain name "${config.domainname}" ${where}`, why: "domainname" });
}

/** What the outside does after the clone: close the ends that are not its own, mappings, network, and hand over. */
function finishOuter(context: Context, meeting: Meeting, child: Call, pidfd: Fd, newUser: boolean): void {
  const { outer, launch, config, where } = context;
  outer.stage("outside");
  const close = (fd: Fd | undefined): void => {
    if (fd !== undefined) outer.call("close", [fd], { what: "close a pipe", why: "the inside's end: only the inside may hold it" });
  };
  close(meeting.prepared?.read);
  close(meeting.release?.read);
  close(meeting.ready?.write);
  close(meeting.terminal?.write);
  close(meeting.streams?.stdin?.read);
  close(meeting.streams?.stdout.write);
  close(meeting.streams?.stderr.write);
  if (launch.birth) recordBirth(context, child, launch.birth);
  if (newUser) mapUsers(context, child);
  if (launch.network?.outer) sendNetlink(context, outer, launch.network.outer, child, "network outside");
  if (meeting.prepared) sendByte(outer, meeting.prepared.write, `start ${where}`, "mappings and network are there");
  const { monitor } = launch;
  if (!monitor || !meeting.release || !meeting.ready) {
    outer.wait({ what: `wait for the program ${where}`, why: "keel ends as it does" });
    return;
  }
  const master = meeting.terminal ? receiveDescriptor(outer, meeting.terminal.read, `receive the terminal ${where}`, "its master") : undefined;
  handOver(context, monitor, {
    pid: child, pidfd, release: meeting.release.write, ready: meeting.ready.read,
    stdin: master ?? meeting.streams?.stdin?.write, stdout: master ?? meeting.streams?.stdout.read, stderr: meeting.streams?.stderr.read,
    terminal: config.process?.terminal === true,
  });
}

/** Copies /proc/PID/stat of a process to a file, so that others can tell it from a later one with the same pid. */
function recordBirth(context: Context, child: Call, birth: { readonly pidFile: string; readonly monitorFile: string }): void {
  const { outer, where } = context;
  const what = `record the processes ${where}`;
  const childStat = new Block(32, "path");
  childStat.bytes.set(new TextEncoder().encode("/proc/"));
  outer.patch(childStat, 6, child, "decimal", { why: "the child's pid" });
  const directory = outer.call("openat", [C.AT_FDCWD, childStat, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], { what, why: "the child, by its directory in /proc" });
  const copy = (from: Fd, path: string, to: string): void => {
    const text = new Block(512, "char[512]");
    const stat = outer.call("openat", [from, path, C.O_RDONLY | C.O_CLOEXEC, 0], { what, why: "who it is: pid and start time" });
    const size = outer.call("read", [stat, text, 512], { what, why: "proc_pid_stat(5)" });
    const file = outer.call("openat", [C.AT_FDCWD, to, C.O_WRONLY | C.O_CREAT | C.O_TRUNC | C.O_CLOEXEC, 0o600], { what, why: "for whoever looks later" });
    outer.call("write", [file, text, size], { what, why: "a pid alone could be anybody's" });
    outer.call("close", [file], { what, why: "done with it" });
    outer.call("close", [stat], { what, why: "done with it" });
  };
  copy(directory, "stat", birth.pidFile);
  copy(C.AT_FDCWD, "/proc/self/stat", birth.monitorFile);
  outer.call("close", [directory], { what, why: "done with it" });
}

/** uid_map and gid_map are written through the child's directory in /proc (user_namespaces(7)). */
function mapUsers(context: Context, child: Call): void {
  const { outer, config, where } = context;
  const path = new Block(24, "path");
  path.bytes.set(new TextEncoder().encode("/proc/"));
  outer.patch(path, 6, child, "decimal", { why: "the child's pid" });
  const what = `map users ${where}`;
  const directory = outer.call("openat", [C.AT_FDCWD, path, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], { what, why: "the child, by its directory in /proc" });
  const maps = [["uid_map", config.linux?.uidMappings], ["gid_map", config.linux?.gidMappings]] as const;
  for (const [name, mappings] of maps) {
    const text = (mappings ?? []).map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
    const file = outer.call("openat", [directory, name, C.O_WRONLY | C.O_CLOEXEC, 0], { what, why: name });
    outer.call("write", [file, text, Buffer.byteLength(text)], { what, why: text.trim().replaceAll("\n", "; ") });
    outer.call("close", [file], { what, why: "done with it" });
  }
}




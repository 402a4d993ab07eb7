import * as C from "../linux/constants.ts";
import type { Process } from "../oci/index.ts";
import type { Call, Line } from "../plan/index.ts";
import { Block, Plan } from "../plan/index.ts";
import { joinCgroup, openCgroup } from "./cgroup-steps.ts";
import type { CgroupJoin } from "./cgroups/index.ts";
import type { Fd } from "./context.ts";
import { addIdentity, addRlimits } from "./identity.ts";
import type { HostFacts, MonitorPlan } from "./launch.ts";
import { handOver } from "./monitor-steps.ts";
import { cleanProcess, dieWithParent, enterDirectory, execute, hideFromOthers } from "./program.ts";
import { openInRoot } from "./resolve.ts";
import { openPrivateNull, replaceIdleStreams } from "./null-device.ts";
import { addPipe, addSocketPair, addTerminal, awaitByte, receiveDescriptor, useStreams } from "./stdio.ts";

/** DEVPTS_SUPER_MAGIC of statfs(2). */
const DEVPTS_MAGIC = 0x1cd1;

/** One more process in a container that runs. */
export interface ExecLaunch {
  /** What messages call the container: its name. */
  readonly name: string;
  /** The whole of it: arguments, environment, user, capabilities, limits, directory, terminal. */
  readonly process: Process;
  /**
   * /proc/PID of the container's first process: a descriptor that keel inherits, opened and checked by the caller, or a
   * path where the caller is its parent, so that the pid cannot have become another's.
   */
  readonly target: number | string;
  /** The container has a user namespace of its own. */
  readonly userNamespace: boolean;
  readonly cgroup: CgroupJoin;
  readonly host: Pick<HostFacts, "lastCapability">;
  readonly seccomp?: { readonly program: Uint8Array; readonly flags: number };
  /**
   * With a monitor the streams are pipes or a terminal of the container's own. Without, keel waits, and its own 0, 1 and
   * 2 become the program's: only for descriptors that give away nothing but themselves (a pipe).
   */
  readonly monitor?: MonitorPlan;
  /** Without a monitor: which of 0, 1 and 2 are the host's /dev/null, and become one of the program's own. */
  readonly idleStreams: readonly number[];
  readonly trace?: boolean;
}

/** Joined by the new process itself, all but the pid namespace; the mount namespace last, since it changes what paths mean. */
export const JOINED = [
  ["cgroup", C.CLONE_NEWCGROUP], ["ipc", C.CLONE_NEWIPC], ["uts", C.CLONE_NEWUTS], ["net", C.CLONE_NEWNET], ["mnt", C.CLONE_NEWNS],
] as const;

/**
 * Compiles an exec. The outer side stays on the host, where it can write what the engine reads; only its children are
 * born in the container's pid namespace. The inner side joins the cgroup and every other namespace, or fails: nothing is
 * executed outside of the container. Until execve it cannot be traced from inside (CVE-2016-9962). Pure.
 */
export function compileExec(launch: ExecLaunch): Plan {
  const { monitor, process } = launch;
  const where = `in container "${launch.name}"`;
  const plan = new Plan({ fork: monitor !== undefined, trace: launch.trace ?? false });
  const { outer, inner } = plan;
  const terminal = process.terminal === true && monitor !== undefined;

  outer.stage("cgroup");
  const cgroup = openCgroup(outer, launch.cgroup, where);
  const target = openTarget(plan, launch, where);
  const descriptors = [...target.namespaces, ...(target.user ? [target.user] : []), ...cgroup.tasks];

  outer.stage("pipes");
  const release = monitor ? addPipe(outer, "the program starts when the monitor is ready for its output") : undefined;
  const ready = monitor ? addPipe(outer, "closes at execve: the program runs") : undefined;
  const socket = terminal ? addSocketPair(outer, "the terminal's master comes out through this") : undefined;
  const piped = monitor && !terminal
    ? {
      stdin: monitor.attach.stdin ? addPipe(outer, "standard input") : undefined,
      stdout: addPipe(outer, "standard output"),
      stderr: addPipe(outer, "standard error"),
    }
    : undefined;

  const { child, pidfd } = cloneInto(outer, cgroup.directory, where);

  inner.stage("join");
  const nothing = piped && !piped.stdin ? openPrivateNull(inner, where) : undefined;
  if (!monitor) replaceIdleStreams(inner, launch.idleStreams, where);
  joinCgroup(inner, cgroup, where);
  if (process.oomScoreAdj !== undefined) setOomScore(inner, process.oomScoreAdj, where);
  if (target.user) joinUser(inner, target.user, where);
  target.namespaces.forEach((fd, i) => {
    const [name, flag] = JOINED[i] ?? ["", 0];
    inner.call("setns", [fd, flag], { what: `join the ${name} namespace ${where}`, why: "a process of the container sees what the container sees" });
  });
  if (cgroup.directory) descriptors.push(cgroup.directory);
  for (const fd of [...descriptors, ...target.extra])
    inner.call("close", [fd], { what: `close a descriptor ${where}`, why: "a way out of the container, no longer needed" });
  inner.call("setsid", [], { what: `start a session ${where}`, why: "no controlling terminal of the host's" });
  inner.call("chdir", ["/"], { what: `enter the root ${where}`, why: "the container's own, as the mount namespace has it" });
  if (socket) {
    inner.stage("terminal");
    addTerminal(inner, {
      where, devpts: openDevpts(inner, where), uid: process.user?.uid ?? 0, socket: socket.write, root: undefined,
      size: process.consoleSize && { rows: process.consoleSize.height, columns: process.consoleSize.width },
    });
  } else if (piped) {
    inner.stage("streams");
    const stdin = piped.stdin?.read ?? nothing;
    if (stdin) useStreams(inner, [stdin, piped.stdout.write, piped.stderr.write], process.user?.uid ?? 0, where, nothing ? "null" : "stream");
  }
  inner.stage("directory");
  enterDirectory(inner, process.cwd, where);
  inner.stage("identity");
  if (release) awaitByte(inner, release.read, `start ${where}`, "until the monitor has the streams: no output is lost");
  // The last thing but privileges: a low limit of descriptors is the program's, and not ours, which are many.
  addRlimits(inner, process, where);
  addIdentity(inner, process, {
    where, seccomp: launch.seccomp, lastCapability: launch.host.lastCapability,
    beforeFilter: () => {
      cleanProcess(inner, process.user?.umask ?? 0o022, 3, where);
      dieWithParent(inner, where);
    },
  });
  inner.stage("program");
  execute(inner, process, where);

  outer.stage("outside");
  const close = (fd: Fd | undefined): void => {
    if (fd !== undefined) outer.call("close", [fd], { what: "close a descriptor", why: "the inside's: only the inside may hold it" });
  };
  [...descriptors, ...target.extra, release?.read, ready?.write, socket?.write, piped?.stdin?.read, piped?.stdout.write, piped?.stderr.write].forEach(close);
  if (!monitor || !release || !ready) {
    outer.wait({ what: `wait for the program ${where}`, why: "keel ends as it does" });
    return plan;
  }
  const master = socket ? receiveDescriptor(outer, socket.read, `receive the terminal ${where}`, "its master") : undefined;
  handOver({ outer, where }, monitor, {
    pid: child, pidfd, release: release.write, ready: ready.read, terminal,
    stdin: master ?? piped?.stdin?.write, stdout: master ?? piped?.stdout.read, stderr: piped?.stderr.read,
  });
  return plan;
}

export interface Target {
  /** In the order of JOINED. */
  readonly namespaces: readonly Call[];
  readonly user: Call | undefined;
  /** Further descriptors to close. */
  readonly extra: readonly Fd[];
}

/** Opens every namespace through one directory, which belongs to one process whatever becomes of its pid. */
export function openTarget(plan: Plan, { target, userNamespace }: Pick<ExecLaunch, "target" | "userNamespace">, where: string): Target {
  const { outer } = plan;
  outer.stage("namespaces");
  const directory: Fd = typeof target === "number" ? target
    : outer.call("openat", [C.AT_FDCWD, target, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], {
      what: `find the first process ${where}`,
      why: "its directory in /proc stays its own",
    });
  if (typeof target === "number") plan.keepBelow = target + 1;
  const open = (name: string): Call =>
    outer.call("openat", [directory, `ns/${name}`, C.O_RDONLY | C.O_CLOEXEC, 0], {
      what: `open the ${name} namespace ${where}`,
      why: "before anything is joined",
    });
  const namespaces = JOINED.map(([name]) => open(name));
  const user = userNamespace ? open("user") : undefined;
  const pid = open("pid");
  hideFromOthers(outer, where);
  outer.call("setns", [pid, C.CLONE_NEWPID], { what: `join the pid namespace ${where}`, why: "children from here on are born in it" });
  return { namespaces, user, extra: [pid, directory] };
}

export function joinUser(inner: Line, user: Call, where: string): void {
  const what = `join the user namespace ${where}`;
  inner.call("setns", [user, C.CLONE_NEWUSER], { what, why: "first: it decides what the others are joined with" });
  inner.call("setresgid", [0, 0, 0], { what, why: "the mapping's group 0" });
  inner.call("setresuid", [0, 0, 0], { what, why: "the mapping's user 0" });
}

export function cloneInto(outer: Line, cgroup: Call | undefined, where: string): { child: Call; pidfd: Fd } {
  outer.stage("clone");
  const pidfd = new Block(8, "int");
  const args = new Block(88, "struct clone_args").pointer(8, pidfd).u64(32, C.SIGCHLD);
  let flags = BigInt(C.CLONE_PIDFD);
  if (cgroup) {
    flags |= C.CLONE_INTO_CGROUP;
    outer.patch(args, 80, cgroup, "u64", { why: "the group to be born in" });
  }
  args.u64(0, flags);
  const child = outer.clone(args, 88, { what: `create the process ${where}`, why: "in the container's pid namespace" });
  return { child, pidfd: { load32: pidfd, offset: 0 } };
}

/** Through the host's /proc, which is still the one that paths mean: the container's could be a fake (CVE-2025-52881). */
export function setOomScore(inner: Line, score: number, where: string): void {
  const what = `set oom_score_adj ${where}`;
  const text = String(score);
  const file = inner.call("openat", [C.AT_FDCWD, "/proc/self/oom_score_adj", C.O_WRONLY | C.O_CLOEXEC, 0], { what, why: "process.oomScoreAdj" });
  inner.call("write", [file, text, text.length], { what, why: `= ${text}` });
  inner.call("close", [file], { what, why: "done with it" });
}

/** The container's /dev/pts, if that is what is there: the kernel tells a filesystem by its magic number. */
export function openDevpts(inner: Line, where: string): Call {
  const what = `open "/dev/pts" ${where}`;
  const root = inner.call("openat", [C.AT_FDCWD, "/", C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0], { what, why: "the container's root" });
  const devpts = openInRoot(inner, root, "dev/pts", {
    flags: C.O_PATH | C.O_DIRECTORY,
    resolve: C.RESOLVE_IN_ROOT | C.RESOLVE_NO_SYMLINKS,
    what,
    why: "where its terminals are",
  });
  const statfs = new Block(120, "struct statfs");
  inner.call("fstatfs", [devpts, statfs], { what, why: "which filesystem it is" });
  inner.pick({ load32: statfs, offset: 0 }, 0, {
    what: `${what}: it is no devpts`,
    why: "a program inside may have mounted something else there",
    expect: DEVPTS_MAGIC,
  });
  return devpts;
}

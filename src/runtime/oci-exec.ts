import * as C from "../linux/constants.ts";
import type { Linux, Process } from "../oci/index.ts";
import type { Call } from "../plan/index.ts";
import { Plan } from "../plan/index.ts";
import { joinCgroup, openCgroup } from "./cgroup-steps.ts";
import type { CgroupJoin } from "./cgroups/index.ts";
import type { Fd } from "./context.ts";
import { cloneInto, JOINED, joinUser, openDevpts, openTarget, setOomScore } from "./exec.ts";
import type { HookState } from "./hooks.ts";
import { addIdentity, addRlimits, keepsGroups } from "./identity.ts";
import type { HostFacts, MonitorPlan } from "./launch.ts";
import { handOver } from "./monitor-steps.ts";
import { replaceIdleStreams } from "./null-device.ts";
import { setLabel } from "./oci-program.ts";
import { cleanProcess, dieWithParent, enterDirectory, execute } from "./program.ts";
import { addScheduling, resetAffinity, setAffinity } from "./scheduling.ts";
import { addListenerPipes, sendListener, tellListener } from "./seccomp-listener.ts";
import { addPipe, addSocketPair, addTerminal, awaitByte, giveStreams, receiveDescriptor, sendPidfd } from "./stdio.ts";
import { connectUnix } from "./unix-connect.ts";

/** One more process in a container that another engine runs. */
export interface OciExecLaunch {
  readonly name: string;
  readonly process: Process;
  readonly linux: Linux | undefined;
  /** /proc/PID of the container's first process, opened and checked, as keel inherits it. */
  readonly target: number;
  readonly userNamespace: boolean;
  /** Which of "cgroup", "ipc", "uts", "net" and "mnt" are not the host's. */
  readonly namespaces: ReadonlySet<string>;
  readonly timeNamespace: boolean;
  readonly cgroup: CgroupJoin;
  readonly host: Pick<HostFacts, "lastCapability">;
  readonly seccomp?: { readonly program: Uint8Array; readonly flags: number };
  readonly seccompListener?: { readonly path: string; readonly metadata: string | undefined };
  readonly state: HookState;
  readonly label?: { readonly file: string; readonly text: string };
  /** The program gets the descriptors below this one. */
  readonly keepBelow: number;
  readonly ownStreams: readonly number[];
  readonly idleStreams: readonly number[];
  readonly consoleSocket?: string;
  /** With a terminal and nobody else to pump it. */
  readonly monitor?: MonitorPlan;
  readonly plainNewlines?: boolean;
  /** A listening unix socket that takes the process's pidfd. */
  readonly pidfdSocket?: string;
  /** keel ends when the program runs, and not with it. */
  readonly detach: boolean;
}

/** Compiles an exec for another engine: the caller's streams or a console socket, and no process of ours that stays. Pure. */
export function compileOciExec(launch: OciExecLaunch): Plan {
  const { process, monitor } = launch;
  const where = `in container "${launch.name}"`;
  const plan = new Plan({ fork: monitor !== undefined });
  const { outer, inner } = plan;
  const affinity = process.execCPUAffinity;

  outer.stage("cgroup");
  const cgroup = openCgroup(outer, launch.cgroup, where);
  const console = process.terminal && launch.consoleSocket !== undefined
    ? connectUnix(outer, launch.consoleSocket, { to: "console socket", where, why: "the terminal's master goes there" })
    : undefined;
  const agent = launch.seccompListener;
  const listener = agent && {
    socket: connectUnix(outer, agent.path, { to: "seccomp agent", where, why: "the listener goes there" }),
    pipes: addListenerPipes(outer),
  };
  const pidfdSocket = launch.pidfdSocket === undefined
    ? undefined
    : connectUnix(outer, launch.pidfdSocket, { to: "pidfd socket", where, why: "the process's pidfd goes there" });
  const opening = { what: `open the time namespace ${where}`, why: "before anything is joined" };
  const time = launch.timeNamespace ? outer.call("openat", [launch.target, "ns/time", C.O_RDONLY | C.O_CLOEXEC, 0], opening) : undefined;
  const target = openTarget(plan, launch, where);
  plan.keepBelow = Math.max(launch.keepBelow, launch.target + 1);
  if (time) outer.call("setns", [time, C.CLONE_NEWTIME], { what: `join the time namespace ${where}`, why: "children from here on are born in it" });
  outer.stage("pipes");
  const done = addPipe(outer, "closes at execve: the program runs");
  const release = monitor ? addPipe(outer, "the program starts when the monitor is ready for its output") : undefined;
  const terminal = process.terminal && monitor ? addSocketPair(outer, "the terminal's master comes out through this") : undefined;
  if (affinity?.initial) setAffinity(outer, affinity.initial, where, "process.execCPUAffinity.initial: inherited");
  const { child, pidfd } = cloneInto(outer, cgroup.directory, where);

  inner.stage("join");
  if (!process.terminal) replaceIdleStreams(inner, launch.idleStreams, where);
  joinCgroup(inner, cgroup, where);
  if (!affinity?.initial && !affinity?.final) resetAffinity(inner, where);
  if (affinity?.final) setAffinity(inner, affinity.final, where, "process.execCPUAffinity.final");
  if (process.oomScoreAdj !== undefined) setOomScore(inner, process.oomScoreAdj, where);
  if (launch.label) setLabel(inner, launch.label, where);
  target.namespaces.forEach((fd, i) => {
    const [name, flag] = JOINED[i] ?? ["", 0];
    if (launch.namespaces.has(name))
      inner.call("setns", [fd, flag], { what: `join the ${name} namespace ${where}`, why: "a process of the container sees what the container sees" });
  });
  // Last: the others may belong to the host's user namespace, for which the container's root counts nothing.
  if (target.user) joinUser(inner, target.user, where);
  const descriptors: Fd[] = [
    ...target.namespaces, ...(target.user ? [target.user] : []), ...cgroup.tasks, ...(cgroup.directory ? [cgroup.directory] : []),
    ...target.extra, ...(time ? [time] : []),
  ];
  for (const fd of descriptors) inner.call("close", [fd], { what: `close a descriptor ${where}`, why: "a way out of the container, no longer needed" });
  inner.call("setsid", [], { what: `start a session ${where}`, why: "no controlling terminal of the host's" });
  inner.call("chdir", ["/"], { what: `enter the root ${where}`, why: "the container's own, as the mount namespace has it" });
  const uid = process.user?.uid ?? 0;
  const socket = console ?? terminal?.write;
  if (process.terminal && socket !== undefined) {
    inner.stage("terminal");
    addTerminal(inner, {
      where, devpts: openDevpts(inner, where), uid, socket, root: undefined, plainNewlines: launch.plainNewlines === true,
      size: process.consoleSize && { rows: process.consoleSize.height, columns: process.consoleSize.width },
    });
  } else if (uid !== 0) {
    giveStreams(inner, launch.ownStreams, uid, where);
  }
  inner.stage("identity");
  addScheduling(inner, process, launch.linux, where);
  enterDirectory(inner, process.cwd, where);
  if (release) awaitByte(inner, release.read, `start ${where}`, "until the terminal's master has arrived");
  // The last thing but privileges: a low limit of descriptors is the program's, and not ours, which are many.
  addRlimits(inner, process, where);
  addIdentity(inner, process, {
    where, seccomp: launch.seccomp, lastCapability: launch.host.lastCapability, keepGroups: keepsGroups(launch.state.annotations),
    beforeFilter: () => {
      cleanProcess(inner, process.user?.umask ?? 0o022, launch.keepBelow, where);
      if (!launch.detach) dieWithParent(inner, where);
    },
    afterSeccomp: (installed: Call) => {
      if (listener) tellListener(inner, listener.pipes, installed, where);
    },
  });
  inner.stage("program");
  execute(inner, process, where);

  outer.stage("outside");
  if (pidfdSocket) sendPidfd(outer, pidfdSocket, pidfd, where);
  [...descriptors, done.write, release?.read, terminal?.write, console, listener?.pipes.number.write].forEach((fd) => {
    if (fd !== undefined) outer.call("close", [fd], { what: "close a descriptor", why: "the inside's: only the inside may hold it" });
  });
  if (listener)
    sendListener(outer, listener.pipes, pidfd, child, { socket: listener.socket, state: launch.state, metadata: agent?.metadata }, where);
  if (monitor && release && terminal) {
    const master = receiveDescriptor(outer, terminal.read, `receive the terminal ${where}`, "its master");
    handOver({ outer, where }, monitor, {
      pid: child, pidfd, release: release.write, ready: done.read, stdin: master, stdout: master, stderr: undefined, terminal: true,
    });
    return plan;
  }
  outer.await(done.read, { what: `start ${where}`, why: "until the program runs" });
  if (launch.detach) outer.exit(0, { what: `finish ${where}`, why: "the process belongs to the caller from here on" });
  else outer.wait({ what: `wait for the program ${where}`, why: "keel ends as it does" });
  return plan;
}

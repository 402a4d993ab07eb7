import { Plan } from "../plan/index.ts";
import type { Call, Line } from "../plan/index.ts";
import type { NamespaceType, Process } from "../oci/index.ts";
import * as C from "../linux/constants.ts";
import { Errno } from "../linux/errno.ts";
import { recordBirth, writeFile } from "./birth.ts";
import { addCgroup, joinCgroup } from "./cgroup-steps.ts";
import type { Context, Fd, Pipe } from "./context.ts";
import { buildRoot, takeHostTrees } from "./filesystem.ts";
import { waitForStart } from "./gate.ts";
import { addHooks } from "./hooks.ts";
import type { HookOptions } from "./hooks.ts";
import { addIdentity, addRlimits, keepsGroups } from "./identity.ts";
import { bringUpLoopback } from "./loopback.ts";
import { handOver } from "./monitor-steps.ts";
import { becomeRoot, cloneChild, joinByPath, mapUsers, NAMESPACE_FLAGS, setHostname } from "./namespaces.ts";
import { sendNetlink } from "./netlink-steps.ts";
import { moveDevices } from "./network-devices.ts";
import type { OciLaunch } from "./oci-launch.ts";
import { replaceIdleStreams } from "./null-device.ts";
import { checkProgram, executeTelling, joinKeyring, setLabel } from "./oci-program.ts";
import { cleanProcess, dieWithParent, enterDirectory, execute, hideFromOthers } from "./program.ts";
import { enterRoot } from "./rootfs.ts";
import { addScheduling, resetAffinity } from "./scheduling.ts";
import type { ListenerPipes } from "./seccomp-listener.ts";
import { addListenerPipes, sendListener, tellListener } from "./seccomp-listener.ts";
import { addPipe, addSocketPair, addTerminal, awaitByte, giveStreams, receiveDescriptor, sendByte, sendPidfd } from "./stdio.ts";
import { setTimeOffsets } from "./time.ts";
import { connectUnix } from "./unix-connect.ts";

type Namespaces = ReadonlyMap<NamespaceType, string | undefined>;

/** Where the two sides meet. What is undefined is not needed by this container. */
interface Meeting {
  /** Outside to inside: mappings and devices are there. */
  readonly prepared: Pipe | undefined;
  /** Inside to outside and back: the environment is built; the hooks have run. */
  readonly built: Pipe | undefined;
  readonly hooked: Pipe | undefined;
  /** At end-of-file when the inside waits at the gate, or has become the program. */
  readonly done: Pipe | undefined;
  readonly gate: Call | undefined;
  readonly told: Call | undefined;
  readonly console: Fd | undefined;
  /** A terminal that keel itself pumps: its master comes out here; the program waits for the release. */
  readonly terminal: Pipe | undefined;
  readonly release: Pipe | undefined;
  readonly pidfd: Call | undefined;
  readonly listener: { readonly socket: Call; readonly pipes: ListenerPipes } | undefined;
}

/**
 * Compiles the creation of a container for another engine: no monitor stays, the first process keeps the caller's streams
 * and is adopted by the caller's subreaper. Pure. The order is that of runtime-spec runtime.md "Lifecycle".
 */
export function compileCreate(launch: OciLaunch): Plan {
  const { config, state } = launch;
  const program: Process = config.process ?? { cwd: "/", args: [] };
  const plan = new Plan({ trace: launch.trace, fork: launch.monitor !== undefined });
  plan.keepBelow = Math.max(launch.keepBelow, launch.hookOutput + 1, ...[...(launch.idMappings?.values() ?? [])].map((fd) => fd + 1));
  const where = `in container "${launch.name}"`;
  const { outer, inner } = plan;
  const namespaces: Namespaces = new Map((config.linux?.namespaces ?? []).map((namespace) => [namespace.type, namespace.path]));
  const isNew = (type: NamespaceType): boolean => namespaces.has(type) && namespaces.get(type) === undefined;
  const newUser = isNew("user");
  const foreign = namespaces.has("user") || namespaces.get("mount") !== undefined;

  const base: Context = { launch, config, host: launch.host, plan, outer, inner, where };
  outer.stage("start");
  if (launch.monitor === undefined)
    outer.call("prctl", [C.PR_SET_PDEATHSIG, C.SIGKILL, 0, 0, 0], {
      what: `tie the creation to its creator ${where}`,
      why: "a creation that nobody waits for any more ends, and its hooks with it",
    });
  const cgroup = launch.cgroup ? addCgroup(outer, launch.cgroup, where) : { tasks: [], directory: undefined };
  outer.stage("host trees");
  const context: Context = foreign ? { ...base, trees: takeHostTrees(base, outer, newUser) } : base;
  const meeting = meet(context, launch, newUser);
  if (foreign && program.oomScoreAdj !== undefined)
    writeFile(context, "/proc/self/oom_score_adj", String(program.oomScoreAdj), "inherited: inside, the user namespace might not allow it", outer);
  if (isNew("time")) setTimeOffsets(outer, config.linux?.timeOffsets ?? {}, where);
  const hooked = (["prestart", "createRuntime", "poststart"] as const).some((kind) => (config.hooks?.[kind] ?? []).length > 0);
  const joined = joinByPath(context, namespaces, hooked || launch.network !== undefined || launch.networkDevices !== undefined);
  const { child, pidfd } = cloneChild(context, namespaces, cgroup);
  joined.leave();

  inner.stage("process");
  if (meeting.prepared) {
    inner.call("close", [meeting.prepared.write], { what: "close a pipe", why: "so that the outside's end is end-of-file" });
    awaitByte(inner, meeting.prepared.read, `start ${where}`, "until mappings and devices are there");
  }
  if (!program.terminal && !namespaces.has("user")) replaceIdleStreams(inner, launch.idleStreams, where);
  if (namespaces.has("user")) becomeRoot(context);
  if (joined.mount)
    inner.call("setns", [joined.mount, NAMESPACE_FLAGS.mount], {
      what: `join the mount namespace ${where}`,
      why: "here and not outside, where paths stay the host's",
    });
  joinCgroup(inner, cgroup, where);
  resetAffinity(inner, where);
  if (isNew("cgroup"))
    inner.call("unshare", [C.CLONE_NEWCGROUP], {
      what: `make the cgroup namespace ${where}`,
      why: "after joining, so that the container's own group is its root",
    });
  inner.call("setsid", [], { what: `start a session ${where}`, why: "no controlling terminal of the host's" });
  if (launch.keyring !== undefined) joinKeyring(inner, launch.keyring, where);
  inner.call("umask", [0], { what: `set the umask ${where}`, why: "modes are as asked while the filesystem is built" });
  if (!foreign && program.oomScoreAdj !== undefined) writeFile(context, "/proc/self/oom_score_adj", String(program.oomScoreAdj), "process.oomScoreAdj");
  if (isNew("network")) bringUpLoopback(inner, where);
  const { root, dev, pts, seal } = buildRoot(context, program.cwd, namespaces, namespaces.has("user"));
  setHostname(context, namespaces);
  const hooks = { state, where, output: launch.hookOutput, environment: launch.hookEnvironment };
  if (meeting.built && meeting.hooked) {
    inner.stage("runtime hooks");
    awaitRuntimeHooks(inner, meeting.built, meeting.hooked, { where, elsewhere: launch.hooksElsewhere !== undefined });
  }
  if ((config.hooks?.createContainer ?? []).length > 0)
    inner.call("fchdir", [root], { what: `run the createContainer hooks ${where}`, why: "they find the container's files in their working directory" });
  addInnerHooks(context, "createContainer", { ...hooks, status: "creating" });
  const socket = meeting.console ?? meeting.terminal?.write;
  if (program.terminal && socket !== undefined) {
    inner.stage("terminal");
    addTerminal(inner, {
      where, devpts: pts ?? dev ?? root, uid: program.user?.uid ?? 0, socket, root,
      plainNewlines: launch.plainNewlines === true,
      size: program.consoleSize ? { rows: program.consoleSize.height, columns: program.consoleSize.width } : undefined,
    });
  }
  if (launch.label) setLabel(inner, launch.label, where);
  seal();
  enterRoot(context, root);
  inner.stage("identity");
  const uid = program.user?.uid ?? 0;
  if (!program.terminal && uid !== 0) giveStreams(inner, launch.ownStreams, uid, where);
  const kept = meeting.listener ? undefined : keepForGate(context, meeting, Math.max(launch.keepBelow, launch.hookOutput + 1));
  addScheduling(inner, program, config.linux, where);
  enterDirectory(inner, program.cwd, where);
  if (meeting.release) awaitByte(inner, meeting.release.read, `start ${where}`, "until the terminal's master has arrived");
  let { told } = meeting;
  const gate = (): void => {
    const left = kept ? { ...meeting, ...kept.close() } : meeting;
    told = left.told;
    // Under a filter that a listener decides on no other call is made than has to be.
    passGate(context, left, meeting.listener === undefined);
  };
  // Under the filter: such a hook is a program of the container's files.
  const startHooks = (): void => {
    runStartHooks(context, told, { ...hooks, environment: program.env ?? [], status: "created" });
  };
  // The last thing but privileges: a low limit of descriptors is the program's, and not ours, which are many.
  addRlimits(inner, program, where);
  addIdentity(inner, program, {
    where, seccomp: launch.seccomp, lastCapability: launch.host.lastCapability, keepGroups: keepsGroups(config.annotations),
    beforeFilter: () => {
      cleanProcess(inner, program.user?.umask ?? 0o022, launch.keepBelow, where);
      if (launch.monitor) dieWithParent(inner, where);
      if (!namespaces.has("pid") || namespaces.get("pid") !== undefined) hideFromOthers(inner, where);
    },
    beforeSeccomp: () => {
      if (config.process) checkProgram(inner, program, where);
      if (!meeting.listener) gate();
    },
    afterSeccomp: (listener) => {
      if (meeting.listener) {
        tellListener(inner, meeting.listener.pipes, listener, where);
        gate();
      }
      startHooks();
    },
  });
  if (!launch.seccomp) startHooks();
  inner.stage("program");
  if (!config.process) inner.exit(0);
  else if (told) executeTelling(inner, program, told, where);
  else execute(inner, program, where);

  finishOuter(context, launch, meeting, { child, pidfd, newUser });
  return plan;
}

function meet(context: Context, launch: OciLaunch, newUser: boolean): Meeting {
  const { outer, where, config } = context;
  outer.stage("pipes");
  const hooks = config.hooks;
  const runtimeHooks = (hooks?.prestart ?? []).length + (hooks?.createRuntime ?? []).length > 0;
  const poststart = (hooks?.poststart ?? []).length > 0;
  const fifo = (path: string): Call => {
    const what = `make the FIFO "${path}" ${where}`;
    outer.call("mknodat", [C.AT_FDCWD, path, C.S_IFIFO | 0o600, 0], { what, why: "another command comes through here" });
    return outer.call("openat", [C.AT_FDCWD, path, C.O_RDWR | C.O_CLOEXEC, 0], { what, why: "both ends: reading waits, and never sees an end-of-file" });
  };
  const both = (fd: Call): Pipe => ({ read: fd, write: fd });
  const listener = launch.seccompListener;
  return {
    prepared: newUser || launch.network?.outer || launch.networkDevices ? addPipe(outer, "the inside waits here for what only the outside can do") : undefined,
    built: launch.hooksElsewhere && runtimeHooks
      ? both(fifo(launch.hooksElsewhere.built))
      : runtimeHooks ? addPipe(outer, "the inside has built the environment")
      : undefined,
    hooked: launch.hooksElsewhere && runtimeHooks
      ? both(fifo(launch.hooksElsewhere.hooked))
      : runtimeHooks ? addPipe(outer, "the runtime's hooks have run")
      : undefined,
    done: launch.end !== "exited" || poststart || launch.monitor
      ? addPipe(outer, launch.end === "created" ? "closed at the gate" : "closes at execve: the program runs")
      : undefined,
    gate: launch.gate ? fifo(launch.gate.gate) : undefined,
    told: launch.gate ? fifo(launch.gate.told) : undefined,
    console: config.process?.terminal && launch.consoleSocket !== undefined
      ? connectUnix(outer, launch.consoleSocket, { to: "console socket", where, why: "the terminal's master goes there" })
      : undefined,
    pidfd: launch.pidfdSocket === undefined
      ? undefined
      : connectUnix(outer, launch.pidfdSocket, { to: "pidfd socket", where, why: "the first process's pidfd goes there" }),
    terminal: config.process?.terminal && launch.monitor ? addSocketPair(outer, "the terminal's master comes out through this") : undefined,
    release: launch.monitor ? addPipe(outer, "the program starts when the monitor is ready for its output") : undefined,
    listener: listener
      ? {
        socket: connectUnix(outer, listener.path, { to: "seccomp agent", where, why: "the listener goes there" }),
        pipes: addListenerPipes(outer),
      }
      : undefined,
  };
}

/** `elsewhere`: by another process than keel's outer side, through FIFOs. */
function awaitRuntimeHooks(inner: Line, built: Pipe, hooked: Pipe, { where, elsewhere }: { readonly where: string; readonly elsewhere: boolean }): void {
  const what = `start ${where}`;
  sendByte(inner, built.write, what, "the environment is there, the old root still too");
  // A FIFO has no end-of-file while this process itself can write to it.
  if (elsewhere) inner.call("prctl", [C.PR_SET_PDEATHSIG, C.SIGKILL, 0, 0, 0], { what, why: "not to wait for ever for hooks that nobody runs any more" });
  else inner.call("close", [hooked.write], { what: "close a pipe", why: "so that the outside's end is end-of-file" });
  awaitByte(inner, hooked.read, what, "until the runtime's hooks have run");
  if (elsewhere) inner.call("prctl", [C.PR_SET_PDEATHSIG, 0, 0, 0, 0], { what, why: "from here on it belongs to the caller" });
}

/** Hooks that run as a process of the container's; the pid is what such a process sees. */
function addInnerHooks(context: Context, kind: "createContainer" | "startContainer", options: Omit<HookOptions, "pid">): Call[] {
  const { inner, config } = context;
  if ((config.hooks?.[kind] ?? []).length === 0) return [];
  const pid = inner.call("getpid", [], { what: `run the ${kind} hooks ${options.where}`, why: "the pid as the container sees it" });
  return addHooks(inner, config.hooks, kind, { ...options, pid });
}

/**
 * A created container waits for as long as its engine likes, and others may enter it meanwhile: what was opened to build
 * it is closed, not only marked. The few descriptors of the gate move up, out of the way of a resource limit that is
 * set in between, and then down to `base`. Undefined where there is no gate.
 */
function keepForGate(
  { inner, where }: Context,
  { gate, told, done }: Meeting,
  base: number,
): { close: () => Pick<Meeting, "gate" | "told" | "done"> } | undefined {
  if (!gate || !told || !done) return undefined;
  const options = { what: `close descriptors ${where}`, why: "the gate's own are kept" };
  const moved = [gate, told, done.write].map((fd) => inner.call("fcntl", [fd, C.F_DUPFD_CLOEXEC, base + 3], options));
  return {
    close: () => {
      const [first, second, third] = moved.map((fd, i) => inner.call("dup3", [fd, base + i, C.O_CLOEXEC], options));
      inner.call("close_range", [base + 3, 0xffffffff, 0], { ...options, why: "nothing of the host's is open while the container waits (CVE-2024-21626)" });
      return { gate: first, told: second, done: third && { read: done.read, write: third } };
    },
  };
}

/** Waits for `start`; with `hears` also for what asks a program to end. */
function passGate({ inner, where }: Context, { gate, done }: Meeting, hears: boolean): void {
  inner.stage("gate");
  if (gate && done) {
    inner.call("close", [done.write], { what: `finish the creation ${where}`, why: "end-of-file outside: everything is there but the program" });
    waitForStart(inner, gate, where, hears);
  }
}

function runStartHooks(context: Context, told: Call | undefined, hooks: Omit<HookOptions, "pid">): void {
  const { inner } = context;
  if (!told) {
    addInnerHooks(context, "startContainer", hooks);
    return;
  }
  // Nobody reads the plan's report any more: a failure is told to the start command.
  const calls = addInnerHooks(context, "startContainer", { ...hooks, tolerate: true });
  for (const call of calls)
    inner.unless({ of: call, is: { equal: 0 } }, () => {
      const what = call.options.what ?? "run a startContainer hook";
      const text = `Cannot ${what}: it failed`;
      inner.call("write", [told, text, Buffer.byteLength(text)], { what, why: "for the start command", tolerate: "any" });
      inner.fail(Errno.EPROTO, { what, why: "the program does not run" });
    });
}

function finishOuter(context: Context, launch: OciLaunch, meeting: Meeting, made: { child: Call; pidfd: Fd; newUser: boolean }): void {
  const { outer, config, where } = context;
  const { child, pidfd } = made;
  outer.stage("outside");
  if (meeting.pidfd) sendPidfd(outer, meeting.pidfd, pidfd, where);
  const close = (fd: Fd | undefined): void => {
    if (fd !== undefined) outer.call("close", [fd], { what: "close a pipe", why: "the inside's end: only the inside may hold it" });
  };
  [meeting.prepared?.read, meeting.built?.write, meeting.hooked?.read, meeting.done?.write, meeting.release?.read, meeting.terminal?.write,
    meeting.listener?.pipes.number.write, meeting.console].forEach(close);
  if (launch.keepBelow > 3)
    outer.call("close_range", [3, launch.keepBelow - 1, C.CLOSE_RANGE_CLOEXEC], {
      what: "mark descriptors",
      why: "the caller's are the program's, not the hooks'",
    });
  if (launch.birth) recordBirth(context, child, launch.birth);
  if (made.newUser) mapUsers(context, child);
  if (launch.network?.outer) {
    outer.stage("network outside");
    sendNetlink(context, outer, launch.network.outer, child);
  }
  if (launch.networkDevices) moveDevices(context, launch.networkDevices, child);
  if (meeting.prepared) sendByte(outer, meeting.prepared.write, `start ${where}`, "mappings and devices are there");
  const hooks = { state: launch.state, where, output: launch.hookOutput, environment: launch.hookEnvironment, pid: child };
  if (meeting.built && meeting.hooked && !launch.hooksElsewhere) {
    awaitByte(outer, meeting.built.read, `start ${where}`, "until the environment is built");
    addHooks(outer, config.hooks, "prestart", { ...hooks, status: "creating" });
    addHooks(outer, config.hooks, "createRuntime", { ...hooks, status: "creating" });
    sendByte(outer, meeting.hooked.write, `start ${where}`, "the hooks have run");
  }
  outer.stage("end");
  if (meeting.listener && launch.seccompListener)
    sendListener(
      outer,
      meeting.listener.pipes,
      pidfd,
      child,
      { socket: meeting.listener.socket, state: launch.state, metadata: launch.seccompListener.metadata },
      where,
    );
  if (launch.monitor && meeting.release && meeting.done && meeting.terminal) {
    const master = receiveDescriptor(outer, meeting.terminal.read, `receive the terminal ${where}`, "its master");
    handOver(context, launch.monitor, {
      pid: child, pidfd, release: meeting.release.write, ready: meeting.done.read, stdin: master, stdout: master, stderr: undefined,
      terminal: true,
    });
    return;
  }
  if (meeting.done)
    outer.await(meeting.done.read, { what: `start ${where}`, why: launch.end === "created" ? "until the inside waits at the gate" : "until the program runs" });
  if (launch.end !== "created" && !launch.hooksElsewhere) addHooks(outer, config.hooks, "poststart", { ...hooks, status: "running" });
  if (launch.end === "exited") outer.wait({ what: `wait for the program ${where}`, why: "keel ends as it does" });
  else outer.exit(0, { what: `finish ${where}`, why: "the container belongs to the caller from here on" });
}

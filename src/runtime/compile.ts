import { SampanError } from "../base/errors.ts";
import { Plan } from "../plan/index.ts";
import type { Call } from "../plan/index.ts";
import type { Namespace } from "../oci/index.ts";
import * as C from "../linux/constants.ts";
import { recordBirth, writeFile } from "./birth.ts";
import { addCgroup, joinCgroup } from "./cgroup-steps.ts";
import type { Context, Fd, Pipe } from "./context.ts";
import { buildRoot } from "./filesystem.ts";
import { holdSockets } from "./held-sockets.ts";
import { addIdentity, addRlimits } from "./identity.ts";
import type { Launch } from "./launch.ts";
import { handOver } from "./monitor-steps.ts";
import { becomeRoot, cloneChild, joinByPath, mapUsers, setHostname } from "./namespaces.ts";
import { sendNetlink } from "./netlink-steps.ts";
import { cleanProcess, closeForInit, dieWithParent, enterDirectory, execute, hideFromOthers } from "./program.ts";
import { enterRoot } from "./rootfs.ts";
import { addPipe, addSocketPair, addTerminal, awaitByte, receiveDescriptor, sendByte, useStreams } from "./stdio.ts";

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
  const hasOwn = (type: Namespace["type"]): boolean => namespaces.has(type) && namespaces.get(type) === undefined;
  const newUser = hasOwn("user");
  const { outer, inner } = plan;

  const cgroup = launch.cgroup ? addCgroup(outer, launch.cgroup, where) : { tasks: [], directory: undefined };
  const meeting = meet(context, newUser);
  joinByPath(context, namespaces, false);
  const { child, pidfd } = cloneChild(context, namespaces, cgroup);

  inner.stage("process");
  if (meeting.prepared) awaitByte(inner, meeting.prepared.read, `start ${where}`, "until mappings and network exist");
  if (newUser) becomeRoot(context);
  joinCgroup(inner, cgroup, where);
  if (hasOwn("cgroup"))
    inner.call("unshare", [C.CLONE_NEWCGROUP], {
      what: `make the cgroup namespace ${where}`,
      why: "after joining, so that the container's own group is its root",
    });
  inner.call("setsid", [], { what: `start a session ${where}`, why: "no controlling terminal of the host's" });
  inner.call("umask", [0], { what: `set the umask ${where}`, why: "modes are as asked while the filesystem is built" });
  if (process.oomScoreAdj !== undefined) writeFile(context, "/proc/self/oom_score_adj", String(process.oomScoreAdj), "process.oomScoreAdj");
  if (launch.network?.inner) inner.stage("network inside");
  for (const { path, value, why } of launch.network?.sysctls ?? []) writeFile(context, `/proc/sys/${path}`, value, why);
  if (launch.network?.inner) sendNetlink(context, inner, launch.network.inner, undefined);
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
  devpts.seal();
  enterRoot(context, root);
  inner.stage("identity");
  if (meeting.streams) {
    const typed = meeting.streams.stdin?.read;
    const stdin = typed ?? inner.call("openat", [C.AT_FDCWD, "/dev/null", C.O_RDONLY | C.O_CLOEXEC, 0], {
      what: `open "/dev/null" ${where}`,
      why: "nobody types",
    });
    useStreams(inner, [stdin, meeting.streams.stdout.write, meeting.streams.stderr.write], process.user?.uid ?? 0, where, typed ? "stream" : "null");
  }
  enterDirectory(inner, process.cwd, where);
  if (meeting.release) awaitByte(inner, meeting.release.read, `start ${where}`, "until the monitor has the streams: no output is lost");
  // The last thing but privileges: a low limit of descriptors is the program's, and not ours, which are many.
  addRlimits(inner, process, where);
  addIdentity(inner, process, {
    where, seccomp: launch.seccomp, lastCapability: launch.host.lastCapability,
    beforeFilter: () => {
      if (launch.init) closeForInit(inner, meeting.ready?.write, where);
      cleanProcess(inner, process.user?.umask ?? 0o022, 3, where);
      if (monitor) dieWithParent(inner, where);
      if (!hasOwn("pid")) hideFromOthers(inner, where);
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
  if (launch.network?.outer) {
    outer.stage("network outside");
    sendNetlink(context, outer, launch.network.outer, child);
  }
  if (meeting.prepared) sendByte(outer, meeting.prepared.write, `start ${where}`, "mappings and network are there");
  const held = holdSockets(context, launch.network?.held ?? []);
  const { monitor } = launch;
  if (!monitor || !meeting.release || !meeting.ready) {
    outer.wait({ what: `wait for the program ${where}`, why: "keel ends as it does" });
    return;
  }
  const master = meeting.terminal ? receiveDescriptor(outer, meeting.terminal.read, `receive the terminal ${where}`, "its master") : undefined;
  handOver(context, monitor, {
    pid: child, pidfd, release: meeting.release.write, ready: meeting.ready.read,
    stdin: master ?? meeting.streams?.stdin?.write, stdout: master ?? meeting.streams?.stdout.read, stderr: meeting.streams?.stderr.read,
    terminal: config.process?.terminal === true, held,
  });
}

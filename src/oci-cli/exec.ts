import { closeSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { SampanError, errnoOf } from "../base/errors.ts";
import { isTerminal } from "../base/terminal.ts";
import { parseCapability } from "../linux/capabilities.ts";
import type { Process, RuntimeConfig } from "../oci/index.ts";
import { parseProcessConfig, parseRuntimeConfig, throwProblems } from "../oci/parse-runtime-config.ts";
import type { Plan, Running } from "../plan/index.ts";
import { startPlan } from "../plan/index.ts";
import { describeOciExec, keptPlan } from "../runtime/kept-plans.ts";
import type { OciExecLaunch } from "../runtime/oci-exec.ts";
import { openProcess } from "../runtime/processes.ts";
import { checkProcess } from "../runtime/validate.ts";
import { completeProcess } from "./bundle.ts";
import type { Context } from "./context.ts";
import type { Flags } from "./flags.ts";
import { count } from "./flags.ts";
import { processLabel } from "./labels.ts";
import { filterOf } from "./seccomp.ts";
import { loadContainer, statusOf, storedConfig } from "./state.ts";
import { joinForExec } from "./sub-cgroup.ts";
import { terminalMonitor } from "./terminal.ts";
import { idleStreams, ownStreams } from "./streams.ts";

function wholeNumber(text: string, what: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > 2 ** 32 - 2) throw new SampanError("invalid", `Cannot run "exec": ${what} "${text}" is not an id`);
  return Number(text);
}

/** The process that is asked for: a document of its own, or the container's with changes. */
function requestedProcess(flags: Flags, args: readonly string[], config: RuntimeConfig): Process {
  const file = flags.value("process");
  if (file !== undefined) {
    let bytes: Buffer;
    try {
      bytes = readFileSync(file);
    } catch (error) {
      throw new SampanError("not-found", `Cannot read "${file}": ${errnoOf(error) ?? String(error)}`, { cause: error });
    }
    return parseProcessConfig(bytes, file);
  }
  if (args.length === 0) throw new SampanError("invalid", 'Cannot run "exec": process args cannot be empty');
  const base: Process = config.process ?? { cwd: "/" };
  const { consoleSize: _size, ...rest } = base;
  const process: Process = {
    ...rest,
    terminal: flags.has("tty"),
    args: [...args],
    cwd: flags.value("cwd") ?? base.cwd,
    env: [...(base.env ?? []), ...flags.values("env")],
  };
  const apparmor = flags.value("apparmor");
  const label = flags.value("process-label");
  if (apparmor !== undefined) process.apparmorProfile = apparmor;
  if (label !== undefined) process.selinuxLabel = label;
  if (flags.has("no-new-privs")) process.noNewPrivileges = true;
  const capabilities = flags.values("cap").map(parseCapability);
  if (capabilities.length > 0) {
    const { bounding = [], effective = [], inheritable = [], permitted = [], ambient = [] } = base.capabilities ?? {};
    const more = (names: readonly string[]): string[] => [...new Set([...names, ...capabilities])];
    process.capabilities = {
      bounding: more(bounding),
      effective: more(effective),
      permitted: more(permitted),
      inheritable,
      ambient: [...new Set([...ambient, ...capabilities.filter((name) => inheritable.includes(name))])],
    };
  }
  const user = flags.value("user");
  if (user !== undefined) {
    const [uid = "", gid] = user.split(":", 2);
    process.user = { ...base.user, uid: wholeNumber(uid, "--user"), ...(gid === undefined ? {} : { gid: wholeNumber(gid, "--user") }) };
  }
  const groups = flags.values("additional-gids").map((text) => wholeNumber(text, "--additional-gids"));
  if (groups.length > 0) process.user = { ...process.user, additionalGids: [...(process.user?.additionalGids ?? []), ...groups] };
  return process;
}

export interface Exec {
  /** Compiled for who wants to know what failed. */
  readonly plan: () => Promise<Plan>;
  readonly running: Running;
}

/** Starts a process in a container. What fails inside the plan is in its report. */
export async function execInContainer(context: Context, id: string, flags: Flags, args: readonly string[]): Promise<Exec> {
  const container = loadContainer(context.root, id);
  const status = statusOf(container);
  const refuse = (reason: string): never => {
    throw new SampanError("wrong-state", `Cannot exec in container "${id}": ${reason}`);
  };
  if (status === "stopped" || status === "creating" || !container.init) refuse(`cannot exec in a stopped container: it is ${status}`);
  if (status === "paused" && !flags.has("ignore-paused")) refuse("cannot exec in a paused container (use --ignore-paused to override)");
  const config = parseRuntimeConfig(storedConfig(container.files), container.files.config);
  const asked = requestedProcess(flags, args, config);
  const problems: string[] = [];
  checkProcess(asked, "process", (problem) => problems.push(problem));
  throwProblems(problems, flags.value("process") ?? "exec");
  const detach = flags.has("detach");
  const consoleSocket = flags.value("console-socket");
  const pidfdSocket = flags.value("pidfd-socket");
  if (asked.terminal && detach && consoleSocket === undefined) refuse("a terminal needs --console-socket when detached");
  if (!asked.terminal && consoleSocket !== undefined) refuse("--console-socket is for a process with a terminal");
  const target = container.init ? openProcess(container.init) : undefined;
  if (target === undefined) return refuse("cannot exec in a stopped container: its process has gone");
  try {
    const process = completeProcess(context, asked, { rootfs: `/proc/${container.init?.pid ?? 0}/root`, mounts: [], warn: false });
    const seccomp = await filterOf(context, config.linux?.seccomp);
    const label = processLabel(process);
    const preserve = count("exec", flags, "preserve-fds");
    const inherit = [...Array.from({ length: preserve }, (_, i) => 3 + i), target];
    const namespaces = new Map((config.linux?.namespaces ?? []).map(({ type, path }) => [type, path]));
    const listens = (config.linux?.seccomp?.syscalls ?? []).some(({ action }) => action === "SCMP_ACT_NOTIFY");
    const { state } = container;
    const launch: OciExecLaunch = {
      name: id, process, linux: config.linux, target: 3 + preserve, detach, keepBelow: 3 + preserve,
      namespaces: new Set([...namespaces.keys()].map((type) => (type === "network" ? "net" : type === "mount" ? "mnt" : type))),
      userNamespace: namespaces.has("user"), timeNamespace: namespaces.has("time"),
      cgroup: state.cgroup ? joinForExec(context, state.cgroup.paths, flags.values("cgroup"), id, target) : { v1TaskFiles: [] },
      ...(pidfdSocket === undefined ? {} : { pidfdSocket: resolve(pidfdSocket) }),
      host: { lastCapability: context.lastCapability },
      state: { ociVersion: state.ociVersion, id, bundle: state.bundle, ...(state.annotations ? { annotations: state.annotations } : {}) },
      ...(seccomp ? { seccomp } : {}), ...(label ? { label } : {}),
      ...(listens && config.linux?.seccomp?.listenerPath
        ? { seccompListener: { path: config.linux.seccomp.listenerPath, metadata: config.linux.seccomp.listenerMetadata } }
        : {}),
      ownStreams: ownStreams(), idleStreams: idleStreams(),
      ...(consoleSocket === undefined ? {} : { consoleSocket: resolve(consoleSocket) }),
      ...(process.terminal && !detach && consoleSocket === undefined ? { monitor: terminalMonitor(), plainNewlines: !isTerminal(1) } : {}),
    };
    const compiled = async (): Promise<Plan> => (await import("../runtime/oci-exec.ts")).compileOciExec(launch);
    const plan = await keptPlan(context.plans, describeOciExec(launch), compiled);
    context.log.write("debug", `exec in container "${id}": ${plan.count} calls`);
    return { plan: compiled, running: await startPlan(plan, { keel: context.keel, directory: container.files.directory, stdio: [0, 1, 2], inherit }) };
  } finally {
    closeSync(target);
  }
}

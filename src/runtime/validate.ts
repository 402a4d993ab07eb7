import type { NamespaceType, Process, RuntimeConfig } from "../oci/index.ts";
import { rlimitNumber } from "./identity.ts";
import { cpuMask, MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES, PERSONALITY_DOMAINS, SCHEDULER_FLAGS, SCHEDULER_POLICIES } from "./scheduling.ts";
import { sysctlPath, sysctlProblem } from "./sysctls.ts";

/** DL_SCALE of kernel/sched/deadline.c: finer runtimes are refused. */
const DEADLINE_GRAIN_NS = 1024;

type Add = (problem: string) => void;

const quote = (value: unknown): string => JSON.stringify(value);
const isAbsolute = (path: string): boolean => path.startsWith("/");

/** dev_valid_name of net/core/dev.c; printable ASCII is enough, and then characters are bytes. */
function isInterfaceName(name: string): boolean {
  return /^[!-.0-9;-~]{1,15}$/.test(name) && name !== "." && name !== "..";
}

/**
 * Everything about a config that is wrong in itself, before the first system call: one short clause each, to be told
 * together. Types have been checked (oci/parse-runtime-config.ts); resources and seccomp profile are for their own rooms.
 */
export function validateConfig(config: RuntimeConfig): string[] {
  const problems: string[] = [];
  const add: Add = (problem) => problems.push(problem);
  const namespaces = new Map((config.linux?.namespaces ?? []).map(({ type, path }) => [type, path]));
  if (!config.root || config.root.path === "") add("root.path is missing");
  checkMounts(config, add);
  if (config.process) checkProcess(config.process, "process", add);
  checkNamespaces(config, namespaces, add);
  checkHooks(config, add);
  for (const key of Object.keys(config.annotations ?? {})) if (key === "") add("annotations has an empty key");
  checkLinux(config, namespaces, add);
  return problems;
}

function checkMounts(config: RuntimeConfig, add: Add): void {
  const joinsUser = config.linux?.namespaces?.some(({ type, path }) => type === "user" && path !== undefined) === true;
  for (const [i, { destination, uidMappings, gidMappings, type, options = [] }] of (config.mounts ?? []).entries()) {
    const at = `mounts[${i}]`;
    if (destination === "") add(`${at}.destination is empty`);
    if ((uidMappings === undefined) !== (gidMappings === undefined)) add(`${at} has only one of uidMappings and gidMappings`);
    const isBind = type === "bind" || options.includes("bind") || options.includes("rbind");
    if (options.includes("tmpcopyup") && (isBind || type !== "tmpfs")) add(`${at} has the option tmpcopyup, which is for a tmpfs only`);
    const mapped = uidMappings !== undefined || options.includes("idmap") || options.includes("ridmap");
    if (mapped && !isBind) add(`${at} has an id mapping, but is no bind mount`);
    if (mapped && uidMappings === undefined && !(config.linux?.uidMappings ?? []).length && !joinsUser) add(`${at} asks for an id mapping, but there is none`);
  }
}

/** Also for the process of an exec. */
export function checkProcess(process: Process, at: string, add: Add): void {
  if (!isAbsolute(process.cwd)) add(`${at}.cwd ${quote(process.cwd)} is not an absolute path`);
  if ((process.args ?? []).length === 0) add(`${at}.args is empty`);
  const seen = new Set<string>();
  for (const { type, soft, hard } of process.rlimits ?? []) {
    if (rlimitNumber(type) === undefined) add(`${at}.rlimits: ${quote(type)} is no resource of getrlimit(2)`);
    if (seen.has(type)) add(`${at}.rlimits: ${quote(type)} is there twice`);
    if (BigInt(soft) > BigInt(hard)) add(`${at}.rlimits: the soft limit of ${quote(type)} is higher than the hard one`);
    seen.add(type);
  }
  const { scheduler, execCPUAffinity } = process;
  if (scheduler) {
    if (!SCHEDULER_POLICIES.includes(scheduler.policy)) add(`${at}.scheduler.policy ${quote(scheduler.policy)} is not known`);
    for (const flag of scheduler.flags ?? []) if (!SCHEDULER_FLAGS.includes(flag)) add(`${at}.scheduler.flags: ${quote(flag)} is not known`);
    const realtime = scheduler.policy === "SCHED_FIFO" || scheduler.policy === "SCHED_RR";
    if (!realtime && (scheduler.priority ?? 0) !== 0) add(`${at}.scheduler.priority is for SCHED_FIFO and SCHED_RR only`);
    if (scheduler.policy !== "SCHED_DEADLINE" && (scheduler.runtime || scheduler.deadline || scheduler.period))
      add(`${at}.scheduler: runtime, deadline and period are for SCHED_DEADLINE only`);
    if (scheduler.policy === "SCHED_DEADLINE") {
      const { runtime = 0, deadline = 0, period = 0 } = scheduler;
      // sched(7): the kernel would only say EINVAL. A period of 0 is the deadline.
      if (runtime < DEADLINE_GRAIN_NS || deadline < runtime || (period !== 0 && period < deadline))
        add(`${at}.scheduler: SCHED_DEADLINE needs ${DEADLINE_GRAIN_NS} ns <= runtime <= deadline <= period, not runtime ${runtime}, deadline ${deadline}, period ${period}`);
    }
  }
  for (const list of [execCPUAffinity?.initial, execCPUAffinity?.final])
    if (list !== undefined && list !== "" && !cpuMask(list)) add(`${at}.execCPUAffinity ${quote(list)} is not a list of CPUs`);
}

function checkNamespaces(config: RuntimeConfig, namespaces: ReadonlyMap<NamespaceType, string | undefined>, add: Add): void {
  const { linux } = config;
  if (namespaces.size !== (linux?.namespaces ?? []).length) add("linux.namespaces has a type twice");
  for (const [type, path] of namespaces)
    if (path !== undefined && !isAbsolute(path)) add(`linux.namespaces: the path ${quote(path)} of ${type} is not absolute`);
  if (!namespaces.has("mount") && (linux?.maskedPaths ?? []).length + (linux?.readonlyPaths ?? []).length > 0)
    add("linux.maskedPaths and linux.readonlyPaths need a mount namespace");
  const isNew = (type: NamespaceType): boolean => namespaces.has(type) && namespaces.get(type) === undefined;
  const mapped = (linux?.uidMappings ?? []).length + (linux?.gidMappings ?? []).length > 0;
  if (isNew("user") && ((linux?.uidMappings ?? []).length === 0 || (linux?.gidMappings ?? []).length === 0))
    add("a new user namespace needs linux.uidMappings and linux.gidMappings");
  if (mapped && !namespaces.has("user")) add("linux.uidMappings and linux.gidMappings need a user namespace");
  for (const [name, list] of [["uidMappings", linux?.uidMappings], ["gidMappings", linux?.gidMappings]] as const)
    for (const { size } of list ?? []) if (size === 0) add(`linux.${name} has an entry of size 0`);
  if (Object.keys(linux?.timeOffsets ?? {}).length > 0 && !isNew("time")) add("linux.timeOffsets needs a new time namespace");
  for (const [clock, { nanosecs = 0 }] of Object.entries(linux?.timeOffsets ?? {})) {
    if (clock !== "monotonic" && clock !== "boottime") add(`linux.timeOffsets: ${quote(clock)} is no clock of a time namespace`);
    if (nanosecs >= 1e9) add(`linux.timeOffsets: ${nanosecs} nanoseconds of ${quote(clock)} are more than a second`);
  }
  if (config.hostname !== undefined && config.hostname !== "" && !namespaces.has("uts")) add("hostname needs a UTS namespace");
  if (config.domainname !== undefined && config.domainname !== "" && !namespaces.has("uts")) add("domainname needs a UTS namespace");
  const devices = Object.entries(linux?.netDevices ?? {});
  if (devices.length > 0 && !namespaces.has("network")) add("linux.netDevices needs a network namespace");
  for (const [name, { name: newName = "" }] of devices)
    for (const text of [name, ...(newName === "" ? [] : [newName])])
      if (!isInterfaceName(text)) add(`linux.netDevices: ${quote(text)} is no name of a network device`);
}

function checkHooks(config: RuntimeConfig, add: Add): void {
  for (const [kind, hooks] of Object.entries(config.hooks ?? {}))
    for (const [i, hook] of ((hooks ?? []) as { path: string }[]).entries()) // every kind is a list of hooks
      if (!isAbsolute(hook.path)) add(`hooks.${kind}[${i}].path ${quote(hook.path)} is not an absolute path`);
}

function checkLinux({ linux = {}, domainname = "" }: RuntimeConfig, namespaces: ReadonlyMap<NamespaceType, string | undefined>, add: Add): void {
  const paths = new Set<string>();
  for (const { type, path, major, minor } of linux.devices ?? []) {
    if (!["c", "u", "b", "p"].includes(type)) add(`linux.devices: the type ${quote(type)} of ${quote(path)} is none of c, u, b, p`);
    if (!isAbsolute(path)) add(`linux.devices: ${quote(path)} is not an absolute path`);
    if (type !== "p" && (major === undefined || minor === undefined)) add(`linux.devices: ${quote(path)} has no major and minor number`);
    if ((major ?? 0) < 0 || (minor ?? 0) < 0) add(`linux.devices: ${quote(path)} has a negative number`);
    if (paths.has(path)) add(`linux.devices has ${quote(path)} twice`);
    paths.add(path);
  }
  for (const [name, list] of [["maskedPaths", linux.maskedPaths], ["readonlyPaths", linux.readonlyPaths]] as const)
    for (const path of list ?? []) if (!isAbsolute(path)) add(`linux.${name}: ${quote(path)} is not an absolute path`);
  for (const [name, value] of Object.entries(linux.sysctl ?? {})) {
    const problem = sysctlProblem(name, namespaces);
    if (problem !== undefined) add(`linux.sysctl: ${quote(name)} ${problem}`);
    else if (domainname !== "" && value !== domainname && sysctlPath(name) === "kernel/domainname")
      add(`linux.sysctl: ${quote(name)} is not what the domainname field says`);
  }
  if (linux.intelRdt !== undefined) add("linux.intelRdt is not supported by this runtime");
  if (linux.personality) {
    if (!PERSONALITY_DOMAINS.includes(linux.personality.domain))
      add(`linux.personality.domain ${quote(linux.personality.domain)} is none of ${PERSONALITY_DOMAINS.join(", ")}`);
    if ((linux.personality.flags ?? []).length > 0) add("linux.personality.flags: there are no flags yet");
  }
  const policy = linux.memoryPolicy;
  if (policy) {
    if (!MEMORY_POLICY_MODES.includes(policy.mode)) add(`linux.memoryPolicy: invalid memory policy mode ${quote(policy.mode)}`);
    for (const flag of policy.flags ?? []) if (!MEMORY_POLICY_FLAGS.includes(flag)) add(`linux.memoryPolicy: invalid memory policy flag ${quote(flag)}`);
    if (policy.nodes !== undefined && policy.nodes.trim() !== "" && !cpuMask(policy.nodes))
      add(`linux.memoryPolicy: invalid memory policy nodes ${quote(policy.nodes)}: not a list of nodes`);
  }
  const profile = linux.seccomp;
  const withErrno = ["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"];
  if (profile?.defaultErrnoRet !== undefined && !withErrno.includes(profile.defaultAction))
    add(`linux.seccomp.defaultErrnoRet is there, but ${profile.defaultAction} has no errno`);
  for (const [i, { action, errnoRet, names }] of (profile?.syscalls ?? []).entries()) {
    if (errnoRet !== undefined && !withErrno.includes(action)) add(`linux.seccomp.syscalls[${i}].errnoRet is there, but ${action} has no errno`);
    if (names.length === 0) add(`linux.seccomp.syscalls[${i}].names is empty`);
  }
  if (profile?.listenerMetadata !== undefined && (profile.listenerPath ?? "") === "") add("linux.seccomp.listenerMetadata needs a listenerPath");
  const notifies = [linux.seccomp?.defaultAction, ...(linux.seccomp?.syscalls ?? []).map(({ action }) => action)].includes("SCMP_ACT_NOTIFY");
  if (notifies && (linux.seccomp?.listenerPath ?? "") === "") add("linux.seccomp uses SCMP_ACT_NOTIFY without a listenerPath");
  if (linux.seccomp?.listenerPath && !isAbsolute(linux.seccomp.listenerPath)) add("linux.seccomp.listenerPath is not an absolute path");
}

/** The ids that a container may have; they become names of directories. */
export function isContainerId(id: string): boolean {
  return /^[A-Za-z0-9_+.-]{1,255}$/.test(id) && id !== "." && id !== "..";
}

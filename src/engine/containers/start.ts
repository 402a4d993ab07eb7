import { existsSync, linkSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { SampanError, errnoOf } from "../../base/errors.ts";
import type { Plan, Report, Running } from "../../plan/index.ts";
import { planFailure, startPlan } from "../../plan/index.ts";
import { compileCgroup, moveOutHint, readText } from "../../runtime/cgroups/index.ts";
import type { CgroupPlan } from "../../runtime/cgroups/index.ts";
import type { Launch, MonitorPlan } from "../../runtime/index.ts";
import { describeLaunch, keptPlan } from "../../runtime/kept-plans.ts";
import type { EngineContext } from "../context.ts";
import type { ContainerPaths } from "../paths.ts";
import { containerPaths } from "../paths.ts";
import { joined, networkForStart } from "../network/for-start.ts";
import type { NetworkStart, StartNetwork } from "../network/for-start.ts";
import { requestedDevices } from "../spec/host-devices.ts";
import { logSettings } from "../spec/log-options.ts";
import { ociResources } from "../spec/resources.ts";
import { capabilitiesOf, securityOptions } from "../spec/security.ts";
import { runtimeConfig } from "../spec/runtime-config.ts";
import type { StoredConfig } from "../spec/stored.ts";
import type { Streams } from "../api.ts";
import { FINISHER_ENVIRONMENT, finisher } from "./finisher.ts";
import { attachedTo, connectStreams, stdioOf } from "./streams.ts";

export interface StartOptions {
  /** Nobody stays: keel's front ends when the program runs. */
  readonly detached: boolean;
  readonly streams: Streams;
  readonly callerEnv: Readonly<Record<string, string | undefined>>;
  readonly trace: boolean;
  readonly detachKeys: Uint8Array;
  /** For tests of what a failing call leaves behind: changes the plan before it is run. */
  readonly alter?: (plan: Plan) => void;
  /** Prepared, and leased in the transaction that recorded the start. */
  readonly network: NetworkStart;
}

/** Where the container's cgroup is in each hierarchy. */
export function cgroupPath(stored: StoredConfig): string {
  return `${stored.request.cgroupParent ?? "/sampan"}/${stored.id}`;
}

/** The cgroup plan of a container; its directories have to be recorded before the plan runs. */
export function cgroupPlanOf(context: EngineContext, stored: StoredConfig): CgroupPlan | undefined {
  if (context.cgroups.hierarchies.length === 0) return undefined;
  const resources = ociResources(stored.request.resources, stored.request.privileged, requestedDevices(stored.request.devices).rules);
  return compileCgroup(resources, context.cgroups, cgroupPath(stored), { read: readText, defaultSwap: "double" });
}

/** Directories and files of a start. Existing ones stay: a container that ran before has a layer with data in it. */
function makeFiles(paths: ContainerPaths, stored: StoredConfig, network: StartNetwork): void {
  try {
    mkdirSync(paths.directory, { recursive: true, mode: 0o700 });
    if (stored.image.writableRoot === undefined)
      for (const directory of [paths.upper, paths.work]) makeDirectory(directory, 0o755);
    mkdirSync(paths.mountPoint, { recursive: true, mode: 0o700 });
    for (const [path, text, shared] of [
      [paths.hosts, network.hosts, network.shared?.hosts],
      [paths.resolvConf, network.resolvConf, network.shared?.resolvConf],
    ] as const) {
      // A link to another container's file, of this run or of an earlier one, is not to be written through.
      rmSync(path, { force: true });
      if (shared === undefined) writeFileSync(path, text, { mode: 0o644 });
      else linkSync(shared, path);
    }
    writeFileSync(paths.hostname, `${stored.hostname}\n`, { mode: 0o644 });
  } catch (error) {
    const errno = errnoOf(error);
    throw new SampanError(errno === "ENOSPC" ? "unavailable" : "internal", `Cannot make the files of container "${stored.name}": ${errno ?? String(error)}`, {
      code: errno,
      cause: error,
      exitCode: 125,
    });
  }
}

/** `-v` makes the host's directory where it is missing, as Docker does; `--mount` does not. */
function makeBindSource(path: string, name: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  } catch (error) {
    const errno = errnoOf(error);
    throw new SampanError("unavailable", `Cannot start container "${name}": error while creating mount source path '${path}': ${errno ?? String(error)}`, {
      code: errno,
      cause: error,
      exitCode: 125,
    });
  }
}

function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

function monitorPlan(context: EngineContext, stored: StoredConfig, paths: ContainerPaths, options: StartOptions): MonitorPlan {
  const { request } = stored;
  const { stdin } = options.streams;
  const { log } = logSettings(stored);
  return {
    detached: options.detached,
    attach: attachedTo(options.streams, request.interactive),
    openStdin: request.interactive,
    stdinOnce: request.interactive && stdin !== undefined,
    socket: paths.attachSocket,
    ...(log ? { log: { path: paths.log, ...log } } : {}),
    detachKeys: request.tty ? options.detachKeys : new Uint8Array(0),
    status: { path: paths.status, durable: !request.remove },
    finalize: finisher(context, stored.id),
    environment: FINISHER_ENVIRONMENT,
  };
}

/** Another container's namespaces, as files; loaded only where a request names one. */
async function sharedNamespaces(context: EngineContext, stored: StoredConfig): Promise<{ pid?: string; ipc?: string; network?: string }> {
  const { request } = stored;
  const names = [request.pidMode, request.ipcMode, request.networks[0]?.network ?? ""];
  if (!names.some((name) => name.startsWith("container:"))) return {};
  const { namespacesOfContainers } = await import("./share.ts");
  return namespacesOfContainers(context, stored);
}

function subpathsOf({ mounts }: StoredConfig): Pick<Launch, "subpaths"> {
  const subpaths = new Map(mounts.flatMap(({ target, subpath }) => (subpath === undefined ? [] : [[target, subpath] as const])));
  return subpaths.size === 0 ? {} : { subpaths };
}

function hasHealthCheck({ request, image }: StoredConfig): boolean {
  const kind = (request.health.test ?? image.config.health?.test)?.[0];
  return kind !== undefined && kind !== "NONE";
}

export interface Launched {
  /** Compiled when it is first asked for: a start may do with one that was kept. */
  readonly plan: () => Promise<Plan>;
  readonly launch: Launch;
  readonly warnings: readonly string[];
  /** Resolves when the host is ready for the plan to run. */
  readonly ready: Promise<void> | undefined;
}

/** All that a container's plan is compiled from; makes nothing but files when `make` says so. */
export async function compileStart(
  context: EngineContext,
  stored: StoredConfig,
  cgroup: CgroupPlan | undefined,
  options: StartOptions,
  make: boolean,
): Promise<Launched> {
  const paths = containerPaths(context.paths, stored.id);
  const network = networkForStart(context, stored, options.network, make);
  if (make) makeFiles(paths, stored, network);
  const { image } = stored;
  // A rehearsal's container has no layer yet, and whoever rehearses may not look where it would be.
  const own = make ? [paths.upper] : [];
  const layers = image.writableRoot === undefined ? [...own, ...image.lowers] : [image.writableRoot];
  const config = runtimeConfig({
    stored, paths, layers, callerEnv: options.callerEnv, hasCgroup: cgroup !== undefined,
    shared: await sharedNamespaces(context, stored),
    hide: image.lowers[0] === "/" ? [context.paths.root, context.paths.state] : [],
  });
  const seccomp = await context.seccomp(securityOptions(stored.request).seccomp, capabilitiesOf(stored.request));
  // Loaded only where there is a check.
  const health = make && hasHealthCheck(stored) ? await (await import("./health-plan.ts")).prepareHealth(context, stored, paths, cgroup) : undefined;
  const files = new Set(["/etc/resolv.conf", "/etc/hostname", "/etc/hosts", ...stored.mounts.filter(({ isFile }) => isFile).map(({ target }) => target)]);
  const launch: Launch = {
    config, host: context.hostFacts(cgroup?.paths.directories ?? []), name: stored.name, mountPoint: paths.mountPoint, init: stored.request.init,
    root: image.writableRoot === undefined
      ? { kind: "overlay", lowers: image.lowers, upper: paths.upper, work: paths.work, volatile: stored.request.remove }
      : { kind: "directory", path: image.writableRoot },
    ...(cgroup ? { cgroup } : {}),
    ...(seccomp ? { seccomp } : {}),
    network: network.plan,
    monitor: { ...monitorPlan(context, stored, paths, options), ...(health ? { health } : {}) },
    birth: { pidFile: paths.pidFile, monitorFile: paths.monitorFile, ...(health ? { link: `${paths.run}/process` } : {}) },
    trace: options.trace,
    fileMounts: files,
    ...subpathsOf(stored),
  };
  let plan: Promise<Plan> | undefined;
  return { plan: () => (plan ??= compiled(launch)), launch, warnings: network.warnings, ready: network.ready };
}

/** The compiler is loaded where there is something to compile. */
async function compiled(launch: Launch): Promise<Plan> {
  const { compile } = await import("../../runtime/index.ts");
  return compile(launch);
}

export interface Started extends Launched {
  readonly running: Running;
}

/** Makes the files, compiles, and hands the plan to keel. What fails inside the plan is in its report. */
export async function startContainer(context: EngineContext, stored: StoredConfig, cgroup: CgroupPlan | undefined, options: StartOptions): Promise<Started> {
  if (stored.mounts.some(({ type }) => type === "volume")) {
    const { readyVolumes } = await import("../volumes/ready.ts");
    await readyVolumes(context, stored, { mounting: true });
  }
  for (const { source, createSource } of stored.request.mounts) if (createSource === true && !existsSync(source)) makeBindSource(source, stored.name);
  const launched = await compileStart(context, stored, cgroup, options, true);
  if (options.alter !== undefined) options.alter(await launched.plan());
  const plan = options.alter === undefined && !options.trace
    ? await keptPlan(context.plans, describeLaunch(launched.launch, stored.id), launched.plan)
    : await launched.plan();
  await launched.ready;
  const running = await startPlan(plan, {
    keel: context.keel,
    directory: containerPaths(context.paths, stored.id).run,
    stdio: stdioOf(options.streams),
  });
  connectStreams(options.streams, running);
  joined(context, stored.id, options.network);
  return { ...launched, running };
}

/** Docker's words and exit codes for a program that could not be started: 127 not there, 126 there but not to be executed. */
export function startFailure(stored: StoredConfig, plan: Plan, report: Report): SampanError | undefined {
  const failure = planFailure(plan, report);
  if (!failure) return undefined;
  const isProgram = failure.call?.stage === "program" && (failure.call.name === "execve" || failure.call.op === "fail");
  const exitCode = !isProgram ? 125 : failure.code === "ENOENT" || failure.code === "ENOTDIR" ? 127 : 126;
  const option = /for (--[a-z-]+)/.exec(failure.message)?.[1];
  return new SampanError(isProgram || option !== undefined ? "invalid" : failure.kind, failure.message, {
    code: failure.code, exitCode, cause: failure,
    hint: isProgram && exitCode === 127 ? `Does "${stored.image.reference}" have this program? Look with: sampan run --rm ${stored.request.rootfs ? "--rootfs " : ""}${stored.image.reference} ls /bin`
      : failure.call?.name === "move_mount" && failure.code === "EINVAL" ? "A directory cannot be mounted on a file, nor a file on a directory."
      : failure.call?.stage === "root filesystem" && failure.code === "EINVAL" && stored.request.rootfs ? `The filesystem of "${stored.request.rootfs.path}" may be one that no overlay can lie on. Run on the directory itself, which changes it: --rootfs ${stored.request.rootfs.path}:rw`
      : failure.code === "EBUSY" && failure.message.includes("/cgroup.subtree_control") ? handOnHint(failure.message)
      : option !== undefined ? `The kernel refused this value: change ${option}` : undefined,
  });
}

function handOnHint(message: string): string {
  return `Processes in that group itself keep it from handing controllers on; ${moveOutHint(/"([^"]*)\/cgroup\.subtree_control"/.exec(message)?.[1] ?? "")}`;
}

import { closeSync, existsSync, mkdirSync, openSync, readSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { SampanError, errnoOf } from "../base/errors.ts";
import { isTerminal } from "../base/terminal.ts";
import type { RuntimeConfig } from "../oci/index.ts";
import type { Plan, Report, Running } from "../plan/index.ts";
import { planFailure, startPlan } from "../plan/index.ts";
import type { CgroupPaths } from "../runtime/cgroups/index.ts";
import { readText } from "../runtime/cgroups/index.ts";
import { describeOciLaunch, keptPlan } from "../runtime/kept-plans.ts";
import type { OciLaunch } from "../runtime/oci-launch.ts";
import { isAlive, readIfThere } from "../runtime/processes.ts";

import { loadBundle } from "./bundle.ts";
import { cgroupPlaceOf, meantResources, planCgroup } from "./cgroup.ts";
import type { Context } from "./context.ts";
import { ownEnvironment } from "./environment.ts";
import { labelOf } from "./labels.ts";
import { fullMounts, mountsAt } from "./host-mounts.ts";
import { writePidFile, writeWhenKnown } from "./pid-file.ts";
import { filterOf } from "./seccomp.ts";
import type { ContainerFiles, StoredState } from "./state.ts";
import { terminalMonitor } from "./terminal.ts";
import { checkId, filesOf, readInit, removeFiles, self } from "./state.ts";
import { idleStreams, ownStreams } from "./streams.ts";

export interface CreateOptions {
  readonly bundle: string;
  /** Another file of the bundle than config.json; crun's option. */
  readonly config: string | undefined;
  readonly consoleSocket: string | undefined;
  readonly pidFile: string | undefined;
  readonly pidfdSocket: string | undefined;
  readonly preserveFds: number;
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  readonly end: OciLaunch["end"];
}

export interface Created {
  readonly running: Running;
  readonly files: ContainerFiles;
  readonly config: RuntimeConfig;
  readonly state: StoredState;
  /** keel does not run the poststart hooks, since it stays to pump a terminal or has no rights left: they are the caller's to run. */
  readonly ownPoststart: boolean;
  /** The program runs. A first process that was killed while it waited for hooks has not started, though keel sees its pipe close. */
  readonly hasStarted: () => boolean;
  /** Waits for keel; throws what failed, after nothing is left of the container. */
  readonly settle: () => Promise<{ code: number; report: Report }>;
  /** Writes the pid file that was asked for; where that fails, nothing is left of the container either. */
  readonly tellPid: (pid: number) => Promise<void>;
}

const VERSION = "1.3.0";

function reserve(context: Context, id: string, files: ContainerFiles): void {
  context.makeRoot();
  try {
    mkdirSync(files.directory, { mode: 0o711 });
  } catch (error) {
    if (errnoOf(error) === "EEXIST") throw new SampanError("already-exists", `Cannot create container "${id}": container with given ID already exists`);
    throw new SampanError("unavailable", `Cannot create container "${id}": ${files.directory}: ${errnoOf(error) ?? String(error)}`, { cause: error });
  }
}

/** The descriptors after 2 that the program gets: --preserve-fds, and systemd's sockets (sd_listen_fds(3)). */
function preserved(options: CreateOptions, config: RuntimeConfig): { count: number; env: string[] } {
  const listen = /^[1-9]\d{0,3}$/.test(process.env["LISTEN_FDS"] ?? "") ? Number(process.env["LISTEN_FDS"]) : 0;
  const total = options.preserveFds + listen;
  for (let fd = 3; fd < 3 + total; fd++)
    if (!existsSync(`/proc/self/fd/${fd}`)) throw new SampanError("invalid", `Cannot preserve file descriptor ${fd}: it is not open`);
  if (listen === 0 || !config.process) return { count: total, env: [] };
  return { count: total, env: [`LISTEN_FDS=${listen}`, "LISTEN_PID=1"] };
}

/**
 * Where the root is attached in the container's own mount namespace: at its own path, where hooks look for it that enter that
 * namespace before the pivot. Users of a user namespace must be able to get there; where they are not, any directory will do.
 */
function mountPointFor(files: ContainerFiles, config: RuntimeConfig, rootfs: string): string {
  const namespaces = config.linux?.namespaces ?? [];
  const open = (path: string): boolean => ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o1) !== 0;
  const reachable = (path: string): boolean => path.split("/").slice(1).every((_, i, parts) => open(`/${parts.slice(0, i + 1).join("/")}`));
  const foreign = namespaces.some(({ type, path }) => type === "mount" && path !== undefined);
  const mapped = namespaces.some(({ type }) => type === "user");
  if (!foreign && (!mapped || reachable(rootfs))) return rootfs;
  mkdirSync(files.mountPoint, { mode: 0o711 });
  if (!mapped || reachable(files.mountPoint)) return files.mountPoint;
  const elsewhere = ["/mnt", "/media", "/srv", "/opt", "/home"].find((path) => open(path));
  if (elsewhere === undefined)
    throw new SampanError(
      "unavailable",
      `Cannot attach the root filesystem: "${files.mountPoint}" is closed to the container's users, and so is all that could take its place`,
    );
  return elsewhere;
}

/** Makes a container. When this throws, nothing of it is left. */
export async function createContainer(context: Context, id: string, options: CreateOptions): Promise<Created> {
  checkId(id);
  const files = filesOf(context.root, id);
  if (existsSync(files.directory)) throw new SampanError("already-exists", `Cannot create container "${id}": container with given ID already exists`);
  const bundle = loadBundle(context, options.bundle, options.config);
  const { config } = bundle;
  const terminal = config.process?.terminal === true;
  if (terminal && options.end !== "exited" && options.consoleSocket === undefined)
    throw new SampanError("invalid", `Cannot create container "${id}": it has a terminal, which needs --console-socket`);
  if (options.consoleSocket !== undefined && !terminal)
    throw new SampanError("invalid", `Cannot create container "${id}": --console-socket is for a container with a terminal`);
  const fds = preserved(options, config);
  const place = await cgroupPlaceOf(context, config, id);
  const resources = meantResources(context, config.linux?.resources ?? {});
  const cgroup = planCgroup(context, config, resources, place);
  const seccomp = await filterOf(context, config.linux?.seccomp);
  const label = labelOf(config);
  const copyUps = config.mounts?.some(({ options }) => options?.includes("tmpcopyup")) === true
    ? (await import("./copy-up.ts")).copiedFiles(config, bundle.rootfs)
    : undefined;
  const devices = config.linux?.netDevices ? await (await import("./network-devices.ts")).networkDevices(context, config) : undefined;
  const { idMappedMounts } = needsIdMaps(config) ? await import("./idmap.ts") : { idMappedMounts: undefined };
  reserve(context, id, files);
  const opened: number[] = [];
  try {
    const state: StoredState = {
      ociVersion: VERSION, id, bundle: bundle.directory, rootfs: bundle.rootfs, created: new Date().toISOString(), owner: process.env["USER"] ?? "root",
      ...(config.annotations ? { annotations: config.annotations } : {}),
      ...(cgroup ? { cgroup: { path: place.path, paths: cgroup.paths, remove: cgroup.remove, ...(place.unit ? { unit: place.unit.name } : {}) } } : {}),
      ...(config.linux?.namespaces?.some(({ type }) => type === "mount") ? {} : { hostMounts: mountsAt(bundle.rootfs) }),
      creator: self(),
    };
    if (options.end === "created") mkdirSync(dirname(files.told), { mode: 0o700 });
    writeFileSync(files.config, bundle.raw, { mode: 0o600 });
    writeFileSync(files.state, JSON.stringify(state), { mode: 0o600 });
    const inherit = Array.from({ length: fds.count }, (_, i) => 3 + i);
    const keepBelow = 3 + inherit.length;
    const hookOutput = hasHooks(config) ? openHookOutput(files) : undefined;
    if (hookOutput !== undefined) {
      opened.push(hookOutput);
      inherit.push(hookOutput);
    }
    const launch: OciLaunch = {
      config: fds.env.length > 0 && config.process ? { ...config, process: { ...config.process, env: [...(config.process.env ?? []), ...fds.env] } } : config,
      host: context.hostFacts(cgroup?.paths, (config.linux?.namespaces ?? []).some(({ type }) => type === "cgroup")),
      name: id, root: { kind: "directory", path: bundle.rootfs }, mountPoint: mountPointFor(files, config, bundle.rootfs), fileMounts: bundle.fileMounts,
      ...(bundle.landings.size > 0 ? { landings: bundle.landings } : {}), ...(bundle.lateBinds.size > 0 ? { lateBinds: bundle.lateBinds } : {}),
      ...(cgroup ? { cgroup } : {}), ...(seccomp ? { seccomp } : {}), ...(label ? { label } : {}),
      ...(keepsHooks(config) ? { hooksElsewhere: { built: files.built, hooked: files.hooked } } : {}),
      ...(devices ? { networkDevices: devices } : {}), ...(copyUps ? { copyUps } : {}),
      init: false, trace: false, ...(losesTime(config) ? {} : { birth: { pidFile: files.pid } }),
      ...(options.noPivot ? { noPivot: true, fullMounts: fullMounts(bundle.rootfs) } : {}),
      end: options.end, ...(options.end === "created" ? { gate: { gate: files.gate, told: files.told } } : {}),
      ...(options.consoleSocket === undefined ? {} : { consoleSocket: resolve(options.consoleSocket) }),
      ...(options.pidfdSocket === undefined ? {} : { pidfdSocket: resolve(options.pidfdSocket) }),
      keepBelow, hookOutput: hookOutput === undefined ? 2 : 3 + inherit.length - 1,
      state: { ociVersion: VERSION, id, bundle: bundle.directory, ...(config.annotations ? { annotations: config.annotations } : {}) },
      ...(options.noNewKeyring ? {} : { keyring: `_ses.${id}` }),
      hookEnvironment: hookOutput === undefined ? [] : ownEnvironment(), ownStreams: ownStreams(), idleStreams: idleStreams(),
      ...(config.linux?.seccomp?.listenerPath && usesListener(config)
        ? { seccompListener: { path: config.linux.seccomp.listenerPath, metadata: config.linux.seccomp.listenerMetadata } }
        : {}),
      ...(terminal && options.end === "exited" && options.consoleSocket === undefined ? { monitor: terminalMonitor(), plainNewlines: !isTerminal(1) } : {}),
      ...(idMappedMounts ? { idMappings: await idMappedMounts(context, config, files, inherit, opened) } : {}),
    };
    // Loaded where there is something to compile.
    const compiled = async (): Promise<Plan> => (await import("../runtime/oci-create.ts")).compileCreate(launch);
    const plan = await keptPlan(context.plans, describeOciLaunch(launch), compiled);
    if (seccomp) context.log.write("debug", `seccomp filter flags: ${seccomp.flags}`);
    context.log.write("debug", `container "${id}": cgroup ${cgroup ? place.path : "none"}, ${plan.count} calls`);
    const release = place.unit
      ? await (await import("./systemd/index.ts")).startScope(context, place.unit, { id, config, resources, directory: files.directory })
      : undefined;
    const hostHooks = launch.hooksElsewhere ? await import("./host-hooks.ts") : undefined;
    const running = await startPlan(plan, { keel: context.keel, directory: files.directory, stdio: [0, 1, 2], inherit });
    if (losesTime(config) && !(await writeWhenKnown(() => running.born()?.child, (pid) => { recordBirth(files, pid); }, running.finished)))
      recordBirth(files, (await running.finished).report.childPid);
    if (release && cgroup) void releaseWhenInside(release, files, cgroup.paths, running.finished);
    let released = hostHooks === undefined;
    const hostHooked = hostHooks?.runHostHooks(context, { state, files, config }, running).then((failure) => {
      released = failure === undefined;
      return failure;
    });
    const settle = async (): Promise<{ code: number; report: Report }> => {
      const done = await running.finished;
      const failure = done.report.failure === undefined ? undefined : planFailure(await compiled(), done.report);
      const output = failure && hookOutput !== undefined ? readHookOutput(hookOutput) : "";
      for (const fd of opened.splice(0)) closeSync(fd);
      const hookFailure = await hostHooked;
      if (hookFailure) {
        await abandon(context, state, files, config, true);
        throw hookFailure;
      }
      if (!failure) return done;
      await abandon(context, state, files, config, failure.call?.op === "spawn");
      const { explain } = await import("./failure.ts");
      throw explain(failure, done.report, output);
    };
    const tellPid = async (pid: number): Promise<void> => {
      try {
        if (options.pidFile !== undefined) writePidFile(options.pidFile, pid);
      } catch (error) {
        await abandon(context, state, files, config, false);
        throw error;
      }
    };
    return {
      running, files, config, state, ownPoststart: launch.monitor !== undefined || launch.hooksElsewhere !== undefined,
      hasStarted: () => released && running.peek() === "started", settle, tellPid,
    };
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    removeFiles(files);
    throw error;
  }
}

/** A scope's holder may go once the container's first process is in all of its groups. */
async function releaseWhenInside(release: () => void, files: ContainerFiles, { directories }: CgroupPaths, finished: Promise<unknown>): Promise<void> {
  let over = false;
  finished.then(() => { over = true; }, () => { over = true; });
  const inside = (pid: number): boolean => directories.every((directory) => (readText(`${directory}/cgroup.procs`) ?? "").split("\n").includes(String(pid)));
  for (let init = readInit(files); !over && !(init && inside(init.pid)); init = readInit(files)) await new Promise((resolve) => setTimeout(resolve, 1));
  release();
}

/**
 * keel's outer side, which writes down when the first process began, is in the container's time namespace for good if that is joined
 * together with a user namespace, and would read another clock than who looks later.
 */
function losesTime({ linux }: RuntimeConfig): boolean {
  const joins = (wanted: string): boolean => linux?.namespaces?.some(({ type, path }) => type === wanted && path !== undefined) === true;
  return joins("user") && joins("time");
}

/** In a joined user namespace keel's outer side has no rights on the host any more, and cannot leave: the runtime's hooks are not for it to run. */
function keepsHooks({ linux, hooks }: RuntimeConfig): boolean {
  const joins = linux?.namespaces?.some(({ type, path }) => type === "user" && path !== undefined) === true;
  return joins && [hooks?.prestart, hooks?.createRuntime, hooks?.poststart].some((list) => (list ?? []).length > 0);
}

function recordBirth(files: ContainerFiles, pid: number): void {
  const stat = readIfThere(`/proc/${pid}/stat`);
  if (stat !== undefined) writeFileSync(files.pid, stat, { mode: 0o600 });
}

function hasHooks({ hooks }: RuntimeConfig): boolean {
  return Object.values(hooks ?? {}).some((list) => (list as readonly unknown[]).length > 0); // every kind is a list
}

function usesListener({ linux }: RuntimeConfig): boolean {
  return (linux?.seccomp?.syscalls ?? []).some(({ action }) => action === "SCMP_ACT_NOTIFY");
}

function needsIdMaps({ mounts }: RuntimeConfig): boolean {
  return (mounts ?? []).some(({ uidMappings, options }) => uidMappings !== undefined || options?.includes("idmap") === true ||
    options?.includes("ridmap") === true);
}

function openHookOutput(files: ContainerFiles): number {
  const path = `${files.directory}/hooks`;
  const fd = openSync(path, "ax+", 0o600);
  unlinkSync(path);
  return fd;
}

function readHookOutput(fd: number): string {
  const buffer = Buffer.alloc(2048);
  return buffer.toString("utf8", 0, readSync(fd, buffer, 0, buffer.length, 0)).trim();
}

/** A creation that failed leaves nothing; when a hook failed, the poststop hooks still run (runtime.md "Lifecycle"). */
async function abandon(context: Context, state: StoredState, files: ContainerFiles, config: RuntimeConfig, afterHook: boolean): Promise<void> {
  const { destroy } = await import("./destroy.ts");
  const init = readInit(files);
  if (isAlive(init) && init) process.kill(init.pid, "SIGKILL");
  await destroy(context, { state, files, init }, afterHook ? config : undefined);
}

/** What a new container becomes a plan by: what was found out about it, and the request that its compiler takes. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { SampanError } from "../base/errors.ts";
import { isTerminal } from "../base/terminal.ts";
import type { Resources, RuntimeConfig } from "../oci/index.ts";
import type { OciLaunch } from "../runtime/oci-launch.ts";
import type { Bundle } from "./bundle.ts";
import type { CgroupPlace } from "./cgroup.ts";
import { cgroupPlaceOf, meantResources, planCgroup } from "./cgroup.ts";
import type { Context } from "./context.ts";
import { ownEnvironment } from "./environment.ts";
import { fullMounts, mountsAt } from "./host-mounts.ts";
import { labelOf } from "./labels.ts";
import { filterOf } from "./seccomp.ts";
import type { ContainerFiles, StoredState } from "./state.ts";
import { self } from "./state.ts";
import { idleStreams, ownStreams } from "./streams.ts";
import { terminalMonitor } from "./terminal.ts";

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

/** What a bundle and its options come to on this host. Nothing has been made for it. */
export interface Findings {
  readonly bundle: Bundle;
  readonly fds: { readonly count: number; readonly env: readonly string[] };
  readonly place: CgroupPlace;
  readonly resources: Resources;
  readonly cgroup: ReturnType<typeof planCgroup>;
  readonly seccomp: Awaited<ReturnType<typeof filterOf>>;
  readonly label: OciLaunch["label"];
  readonly copyUps: OciLaunch["copyUps"];
  readonly devices: OciLaunch["networkDevices"];
}

const VERSION = "1.3.0";


export async function findOut(context: Context, id: string, bundle: Bundle, options: CreateOptions): Promise<Findings> {
  const { config } = bundle;
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
  return { bundle, fds, place, resources, cgroup, seccomp, label, copyUps, devices };
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

export function newState(id: string, { bundle, cgroup, place }: Findings): StoredState {
  const { config } = bundle;
  return {
    ociVersion: VERSION, id, bundle: bundle.directory, rootfs: bundle.rootfs, created: new Date().toISOString(), owner: process.env["USER"] ?? "root",
    ...(config.annotations ? { annotations: config.annotations } : {}),
    ...(cgroup ? { cgroup: { path: place.path, paths: cgroup.paths, remove: cgroup.remove, ...(place.unit ? { unit: place.unit.name } : {}) } } : {}),
    ...(config.linux?.namespaces?.some(({ type }) => type === "mount") ? {} : { hostMounts: mountsAt(bundle.rootfs) }),
    creator: self(),
  };
}

/** What has been opened and reserved for the container: descriptors for keel to inherit, and those to close in the end. */
interface Reserved {
  readonly files: ContainerFiles;
  readonly inherit: number[];
  readonly opened: number[];
  readonly hookOutput: number | undefined;
}

export async function launchOf(context: Context, id: string, findings: Findings, options: CreateOptions, reserved: Reserved): Promise<OciLaunch> {
  const { bundle, fds, cgroup, seccomp, label, copyUps, devices } = findings;
  const { files, inherit, opened, hookOutput } = reserved;
  const { config } = bundle;
  const terminal = config.process?.terminal === true;
  return {
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
    keepBelow: 3 + fds.count, hookOutput: hookOutput === undefined ? 2 : 3 + inherit.length - 1,
    state: { ociVersion: VERSION, id, bundle: bundle.directory, ...(config.annotations ? { annotations: config.annotations } : {}) },
    ...(options.noNewKeyring ? {} : { keyring: `_ses.${id}` }),
    hookEnvironment: hookOutput === undefined ? [] : ownEnvironment(), ownStreams: ownStreams(), idleStreams: idleStreams(),
    ...(config.linux?.seccomp?.listenerPath && usesListener(config)
      ? { seccompListener: { path: config.linux.seccomp.listenerPath, metadata: config.linux.seccomp.listenerMetadata } }
      : {}),
    ...(terminal && options.end === "exited" && options.consoleSocket === undefined ? { monitor: terminalMonitor(), plainNewlines: !isTerminal(1) } : {}),
    ...(needsIdMaps(config) ? { idMappings: await (await import("./idmap.ts")).idMappedMounts(context, config, files, inherit, opened) } : {}),
  };
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

/**
 * keel's outer side, which writes down when the first process began, is in the container's time namespace for good if that is joined
 * together with a user namespace, and would read another clock than who looks later.
 */
export function losesTime({ linux }: RuntimeConfig): boolean {
  const joins = (wanted: string): boolean => linux?.namespaces?.some(({ type, path }) => type === wanted && path !== undefined) === true;
  return joins("user") && joins("time");
}

/** In a joined user namespace keel's outer side has no rights on the host any more, and cannot leave: the runtime's hooks are not for it to run. */
function keepsHooks({ linux, hooks }: RuntimeConfig): boolean {
  const joins = linux?.namespaces?.some(({ type, path }) => type === "user" && path !== undefined) === true;
  return joins && [hooks?.prestart, hooks?.createRuntime, hooks?.poststart].some((list) => (list ?? []).length > 0);
}

function usesListener({ linux }: RuntimeConfig): boolean {
  return (linux?.seccomp?.syscalls ?? []).some(({ action }) => action === "SCMP_ACT_NOTIFY");
}

function needsIdMaps({ mounts }: RuntimeConfig): boolean {
  return (mounts ?? []).some(({ uidMappings, options }) => uidMappings !== undefined || options?.includes("idmap") === true ||
    options?.includes("ridmap") === true);
}

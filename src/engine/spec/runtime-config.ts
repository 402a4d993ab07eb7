import type { Device, DeviceCgroupRule, Mount, Namespace, RuntimeConfig } from "../../oci/index.ts";
import type { ContainerPaths } from "../paths.ts";
import { commandOf } from "./command.ts";
import { DEFAULT_SHM_BYTES, defaultMounts, maskedPaths, readonlyPaths } from "./defaults.ts";
import { allHostDevices, requestedDevices } from "./host-devices.ts";
import { ociResources } from "./resources.ts";
import { capabilitiesOf, securityOptions } from "./security.ts";
import type { StoredConfig } from "./stored.ts";
import { resolveUser } from "./users.ts";

export interface NamespacePaths {
  /** Namespaces of another container, as files. */
  readonly pid?: string;
  readonly ipc?: string;
  readonly network?: string;
}

export interface ConfigContext {
  readonly stored: StoredConfig;
  readonly paths: ContainerPaths;
  readonly shared: NamespacePaths;
  /** Directories of the root filesystem as they are now, uppermost first. */
  readonly layers: readonly string[];
  /** Values for `-e NAME` without one. */
  readonly callerEnv: Readonly<Record<string, string | undefined>>;
  /** Hide the store from a container whose root is the host's. */
  readonly hide: readonly string[];
  readonly hasCgroup: boolean;
}

/** The OCI runtime config of a container: what Docker would give it, from the request and its image. */
export function runtimeConfig(context: ConfigContext): RuntimeConfig {
  const { stored, paths } = context;
  const { request, image } = stored;
  const security = securityOptions(request);
  const capabilities = capabilitiesOf(request);
  const user = resolveUser({ user: request.user ?? image.config.user, groupAdd: request.groupAdd, layers: context.layers });
  const unmasked = request.privileged || security.unconfinedPaths;
  const ownIpc = request.ipcMode === "" || request.ipcMode === "private" || request.ipcMode === "shareable" || request.ipcMode === "none";
  const wanted: { devices: Device[]; rules: DeviceCgroupRule[] } = request.privileged
    ? { devices: allHostDevices(), rules: [] }
    : requestedDevices(request.devices);
  const mounts = defaultMounts({
    shmBytes: request.shmSizeBytes ?? DEFAULT_SHM_BYTES, cgroup: context.hasCgroup, sysWritable: request.privileged,
    // POSIX shared memory is files in /dev/shm. Another container's is never the host's: with container:NAME it is of the container's own.
    shm: request.ipcMode === "host" ? "host" : request.ipcMode === "none" ? "none" : "own",
  });
  addMounts(mounts, context);
  const config: RuntimeConfig = {
    ociVersion: "1.3.0",
    root: { path: paths.mountPoint, readonly: request.readonlyRootfs },
    process: {
      terminal: request.tty,
      user: { uid: user.uid, gid: user.gid, additionalGids: [...user.additionalGids] },
      args: commandOf(stored),
      env: environmentOf(stored, user.home, context.callerEnv),
      cwd: workdirOf(stored),
      capabilities: {
        bounding: capabilities,
        effective: user.uid === 0 ? capabilities : [],
        permitted: user.uid === 0 ? capabilities : [],
        inheritable: [],
        ambient: [],
      },
      rlimits: request.ulimits.map(({ name, soft, hard }) => ({ type: `RLIMIT_${name.toUpperCase()}`, soft, hard })),
      noNewPrivileges: security.noNewPrivileges,
      ...(request.resources.oomScoreAdj === undefined ? {} : { oomScoreAdj: request.resources.oomScoreAdj }),
      ...(security.apparmor === undefined ? {} : { apparmorProfile: security.apparmor }),
    },
    ...(request.utsMode === "host" ? {} : { hostname: stored.hostname }),
    ...(request.domainname === undefined || request.utsMode === "host" ? {} : { domainname: request.domainname }),
    mounts,
    annotations: { ...request.annotations },
    linux: {
      namespaces: namespacesOf(context, ownIpc),
      devices: wanted.devices,
      resources: ociResources(request.resources, request.privileged, wanted.rules),
      sysctl: sysctlsOf(context),
      maskedPaths: unmasked ? [] : [...maskedPaths(), ...context.hide],
      readonlyPaths: unmasked ? [] : readonlyPaths(),
      rootfsPropagation: "",
    },
  };
  return config;
}

function workdirOf({ request, image }: StoredConfig): string {
  const workdir = request.workdir ?? image.config.workdir;
  return workdir === "" ? "/" : workdir;
}

/** The image's variables, then the person's; never the host's, but for names that were given without a value. */
export function environmentOf({ request, image, hostname }: StoredConfig, home: string, callerEnv: Readonly<Record<string, string | undefined>>): string[] {
  const env = new Map<string, string>();
  const set = (entry: string): void => {
    const equals = entry.indexOf("=");
    env.set(entry.slice(0, equals), entry.slice(equals + 1));
  };
  set("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  env.set("HOSTNAME", hostname);
  if (request.tty) env.set("TERM", "xterm");
  image.config.env.filter((entry) => entry.includes("=")).forEach(set);
  for (const entry of request.env) {
    if (entry.includes("=")) set(entry);
    else if (callerEnv[entry] === undefined) env.delete(entry);
    else env.set(entry, callerEnv[entry] ?? "");
  }
  if (!env.has("HOME")) env.set("HOME", home);
  return [...env].map(([name, value]) => `${name}=${value}`);
}

function addMounts(mounts: Mount[], { stored, paths }: ConfigContext): void {
  const entries = new Map<string, Mount>();
  for (const [destination, source] of [["/etc/resolv.conf", paths.resolvConf], ["/etc/hostname", paths.hostname], ["/etc/hosts", paths.hosts]] as const)
    entries.set(destination, { destination, type: "bind", source, options: ["rbind", "rprivate"] });
  for (const { target: destination, type, filesystem, source, options, recursive, propagation, readonly } of stored.mounts)
    entries.set(destination, type === "tmpfs" || filesystem === "tmpfs"
      ? { destination, type: "tmpfs", source: "tmpfs", options: [...options] }
      : { destination, type: "bind", source, options: [recursive ? "rbind" : "bind", propagation, ...(readonly ? [recursive ? "rro" : "ro"] : [])] });
  // What lies above is mounted first (a volume at /etc beneath our /etc/hosts), and a mount of the person's takes the place of a default at the same path.
  for (const entry of [...entries.values()].sort((a, b) => depth(a.destination) - depth(b.destination))) {
    const at = mounts.findIndex(({ destination }) => destination === entry.destination);
    if (at >= 0) mounts[at] = entry;
    else mounts.push(entry);
  }
}

function depth(path: string): number {
  return path.split("/").filter((part) => part !== "").length;
}

function namespacesOf({ stored, shared }: ConfigContext, ownIpc: boolean): Namespace[] {
  const { request } = stored;
  const namespaces: Namespace[] = [{ type: "mount" }];
  if (shared.pid !== undefined) namespaces.push({ type: "pid", path: shared.pid });
  else if (request.pidMode !== "host") namespaces.push({ type: "pid" });
  if (shared.ipc !== undefined) namespaces.push({ type: "ipc", path: shared.ipc });
  else if (ownIpc) namespaces.push({ type: "ipc" });
  if (request.utsMode !== "host") namespaces.push({ type: "uts" });
  if (shared.network !== undefined) namespaces.push({ type: "network", path: shared.network });
  else if (request.networks[0]?.network !== "host") namespaces.push({ type: "network" });
  if (request.cgroupnsMode !== "host") namespaces.push({ type: "cgroup" });
  return namespaces;
}

/** Unprivileged ports and ping, as Docker has them, where the network is the container's own. */
function sysctlsOf({ stored, shared }: ConfigContext): Record<string, string> {
  const own = shared.network === undefined && stored.request.networks[0]?.network !== "host";
  return { ...(own ? { "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647" } : {}), ...stored.request.sysctls };
}

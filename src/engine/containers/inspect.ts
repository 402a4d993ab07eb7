import { sortedRecord } from "../../base/sorted-record.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { Cancellable, ContainerConfigDetails, ContainerDetails, ContainerState } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { commandOf } from "../spec/command.ts";
import { securityOptions } from "../spec/security.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { storedConfigOf } from "./begin.ts";
import { runningExecs } from "./exec-end.ts";
import { healthOf } from "./health.ts";
import { settleConnections } from "../network/settle.ts";
import { hostConfigOf } from "./inspect-host-config.ts";
import { networkSettingsOf } from "./inspect-network.ts";
import { processOf } from "./liveness.ts";
import { findContainer } from "./settle.ts";
import { exposedPortsOf, mountPointsOf, shownStatus } from "./summary.ts";

const NEVER = "0001-01-01T00:00:00Z";

/** Everything about a container, in the shape of Docker's `inspect`. */
export async function inspectContainer(context: EngineContext, name: string, options: Cancellable & { readonly size: boolean }): Promise<ContainerDetails> {
  await settleConnections(context);
  const record = await findContainer(context, name);
  const stored = storedConfigOf(context, record);
  const { request, image } = stored;
  const paths = containerPaths(context.paths, record.id);
  const [path = "", ...args] = commandOf(stored);
  const sizes = options.size ? (await import("./sizes.ts")).sizesOf(context, record, stored) : undefined;
  const writable = image.writableRoot;
  return {
    Id: record.id,
    Created: time(record.createdMs),
    Path: path,
    Args: args,
    State: stateOf(context, record, stored),
    Image: record.imageId ?? image.reference,
    ResolvConfPath: paths.resolvConf,
    HostnamePath: paths.hostname,
    HostsPath: paths.hosts,
    LogPath: request.logDriver === "none" ? "" : paths.log,
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: "overlay",
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: securityOptions(request).apparmor ?? "",
    ExecIDs: execIdsOf(context, record),
    HostConfig: hostConfigOf(record, stored),
    GraphDriver: writable === undefined
      ? { Name: "overlay", Data: { LowerDir: image.lowers.join(":"), MergedDir: paths.mountPoint, UpperDir: paths.upper, WorkDir: paths.work } }
      : { Name: "directory", Data: { Path: writable } },
    SizeRw: sizes?.sizeRwBytes,
    SizeRootFs: sizes?.sizeRootFsBytes,
    Mounts: mountPointsOf(stored),
    Config: configOf(stored),
    NetworkSettings: networkSettingsOf(context, record, stored),
  };
}

function time(milliseconds: number | null): string {
  return milliseconds === null ? NEVER : new Date(milliseconds).toISOString();
}

function stateOf(context: EngineContext, record: ContainerRecord, stored: StoredConfig): ContainerState {
  const status = shownStatus(record);
  const runs = status === "running" || status === "paused";
  return {
    Status: status,
    // Docker counts a container that waits for its restart as one that runs.
    Running: runs || status === "restarting",
    Paused: status === "paused",
    Restarting: status === "restarting",
    OOMKilled: record.oomKilled,
    Dead: status === "dead",
    Pid: runs ? (processOf(context, record)?.pid ?? 0) : 0,
    ExitCode: runs ? 0 : (record.exitCode ?? 0),
    Error: record.error,
    StartedAt: time(record.startedMs),
    FinishedAt: time(record.startedMs === null ? null : record.finishedMs),
    Health: healthShown(context, record, stored),
  };
}

/** Nothing before the first run; what is not probed, because it is paused or has ended, is not healthy (Docker's rule). */
function healthShown(context: EngineContext, record: ContainerRecord, stored: StoredConfig): ContainerState["Health"] {
  if (record.startedMs === null) return undefined;
  const health = healthOf(context, record, stored);
  return health === undefined || record.status === "running" ? health : { ...health, Status: "unhealthy" };
}

function execIdsOf(context: EngineContext, record: ContainerRecord): string[] | null {
  const ids = runningExecs(context, record);
  return ids.length === 0 ? null : ids;
}

function configOf(stored: StoredConfig): ContainerConfigDetails {
  const { request, image } = stored;
  const own = new Map<string, string>();
  for (const entry of [...image.config.env, ...request.env]) own.set(entry.split("=", 1)[0] ?? entry, entry);
  const exposed = exposedPortsOf(stored);
  const volumes = [...image.config.volumes, ...stored.mounts.filter(({ type, volume }) => type === "volume" && volume !== undefined && /^[0-9a-f]{64}$/.test(volume)).map(({ target }) => target)];
  const entrypoint = request.entrypoint === undefined ? image.config.entrypoint : request.entrypoint.filter((word, i) => !(i === 0 && word === ""));
  const cmd = request.command.length > 0 ? request.command : request.entrypoint === undefined ? image.config.cmd : [];
  const set = (keys: readonly string[]): Record<string, Record<string, never>> => sortedRecord(keys.map((key) => [key, {}] as const));
  return {
    Hostname: stored.hostname,
    Domainname: request.domainname ?? "",
    User: request.user ?? image.config.user,
    AttachStdin: !request.detach && request.attach.includes("stdin"),
    AttachStdout: !request.detach && request.attach.includes("stdout"),
    AttachStderr: !request.detach && request.attach.includes("stderr"),
    ExposedPorts: exposed.length === 0 ? undefined : set(exposed),
    Tty: request.tty,
    OpenStdin: request.interactive,
    StdinOnce: request.interactive && !request.detach,
    Env: own.size === 0 ? null : [...own.values()],
    Cmd: cmd.length === 0 ? null : [...cmd],
    Healthcheck: healthcheckOf(stored),
    Image: image.reference,
    Volumes: volumes.length === 0 ? null : set(volumes),
    WorkingDir: request.workdir ?? image.config.workdir,
    Entrypoint: entrypoint.length === 0 ? null : [...entrypoint],
    OnBuild: null,
    Labels: sortedRecord({ ...image.config.labels, ...request.labels }),
    StopSignal: request.stopSignal ?? image.config.stopSignal,
    StopTimeout: request.stopTimeoutSeconds,
  };
}

/** Durations in nanoseconds, as all of a Docker config's. */
function healthcheckOf({ request, image }: StoredConfig): ContainerConfigDetails["Healthcheck"] {
  const health = { ...image.config.health, ...request.health };
  if (Object.keys(health).length === 0) return undefined;
  const duration = (name: string, ms: number | undefined): Record<string, number> => (ms === undefined ? {} : { [name]: ms * 1e6 });
  return {
    ...(health.test === undefined ? {} : { Test: health.test }), ...duration("Interval", health.intervalMs), ...duration("Timeout", health.timeoutMs),
    ...duration("StartPeriod", health.startPeriodMs), ...duration("StartInterval", health.startIntervalMs), ...(health.retries === undefined ? {} : { Retries: health.retries }),
  };
}

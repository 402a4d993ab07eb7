import { sortedRecord } from "../../base/sorted-record.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { HostConfigDetails } from "../api.ts";
import type { DeviceLimit, RunRequest } from "../request.ts";
import { DEFAULT_SHM_BYTES, maskedPaths, readonlyPaths } from "../spec/defaults.ts";
import { securityOptions } from "../spec/security.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { DEFAULT_NETWORK } from "./summary.ts";

function orNull(list: readonly string[]): string[] | null {
  return list.length === 0 ? null : [...list];
}

/** `-v` in Docker's notation; a volume without a name is in `Config.Volumes` alone. */
function bindsOf(request: RunRequest): string[] {
  return request.mounts.filter(({ type, shorthand, source }) => shorthand !== undefined && type !== "tmpfs" && source !== "")
    .map(({ source, target, shorthand }) => `${source}:${target}${shorthand ? `:${shorthand}` : ""}`);
}

/** `--tmpfs`, by target. */
function tmpfsOf(request: RunRequest): Record<string, string> | undefined {
  const entries = request.mounts.filter(({ type }) => type === "tmpfs").flatMap(({ target, shorthand }) =>
    (shorthand === undefined ? [] : [[target, shorthand] as const]));
  return entries.length === 0 ? undefined : sortedRecord(entries);
}

/** "80/tcp" → what was asked for: an empty port is one to be chosen. */
function portBindingsOf(request: RunRequest): HostConfigDetails["PortBindings"] {
  const bindings: HostConfigDetails["PortBindings"] = {};
  for (const { hostIp, hostPort, containerPort, protocol } of request.ports)
    (bindings[`${containerPort}/${protocol}`] ??= []).push({ HostIp: hostIp, HostPort: hostPort === 0 ? "" : String(hostPort) });
  return sortedRecord(bindings);
}

/** `--mount`, with Docker's members: those that say nothing are left out. */
function mountsOf(request: RunRequest): unknown[] | undefined {
  const mounts = request.mounts.filter(({ shorthand }) => shorthand === undefined).map((mount) => ({
    Type: mount.type, Source: mount.source === "" ? undefined : mount.source, Target: mount.target, ReadOnly: mount.readonly ? true : undefined,
    BindOptions: filled({ Propagation: mount.propagation, NonRecursive: mount.nonrecursive, CreateMountpoint: mount.createSource }),
    VolumeOptions: filled({
      NoCopy: mount.nocopy, Labels: mount.volumeLabels, Subpath: mount.subpath,
      DriverConfig: mount.volumeOptions === undefined ? undefined : { Options: mount.volumeOptions },
    }),
    TmpfsOptions: filled({ SizeBytes: mount.tmpfsSizeBytes, Mode: mount.tmpfsMode }),
  }));
  return mounts.length === 0 ? undefined : mounts;
}

/** The members that are there; undefined where none is. */
function filled(members: Record<string, unknown>): Record<string, unknown> | undefined {
  return Object.values(members).every((value) => value === undefined) ? undefined : members;
}

function ratesOf(limits: readonly DeviceLimit[] = []): { Path: string; Rate: number }[] | null {
  return limits.length === 0 ? null : limits.map(({ path, value }) => ({ Path: path, Rate: value }));
}

/** What Docker's HostConfig has and Sampan has no use for, with Docker's values for "not asked": a template that names one gets an answer. */
const ABSENT = {
  Links: null, ConsoleSize: [0, 0], Isolation: "", CpuRealtimePeriod: 0, CpuRealtimeRuntime: 0, DeviceRequests: null,
  KernelMemory: 0, KernelMemoryTCP: 0, CpuCount: 0, CpuPercent: 0, IOMaximumIOps: 0, IOMaximumBandwidth: 0,
} satisfies Partial<HostConfigDetails>;

/** The person's wishes about the host's side, in the shape of Docker's HostConfig. Policy and name are the record's: they change. */
export function hostConfigOf(record: ContainerRecord, { request }: StoredConfig): HostConfigDetails {
  const { resources } = request;
  const unmasked = request.privileged || securityOptions(request).unconfinedPaths;
  return {
    Binds: orNull(bindsOf(request)),
    ContainerIDFile: request.cidfile ?? "",
    LogConfig: { Type: request.logDriver, Config: sortedRecord(request.logOptions) },
    NetworkMode: request.networks[0]?.network ?? DEFAULT_NETWORK,
    PortBindings: portBindingsOf(request),
    RestartPolicy: { Name: record.restartPolicy, MaximumRetryCount: record.restartMaxRetries },
    AutoRemove: record.autoRemove,
    VolumeDriver: "",
    VolumesFrom: orNull(request.volumesFrom),
    CapAdd: orNull(request.capAdd),
    CapDrop: orNull(request.capDrop),
    CgroupnsMode: request.cgroupnsMode === "" ? "private" : request.cgroupnsMode,
    Dns: [...request.dns],
    DnsOptions: [...request.dnsOptions],
    DnsSearch: [...request.dnsSearch],
    ExtraHosts: orNull(request.addHosts),
    GroupAdd: orNull(request.groupAdd),
    IpcMode: request.ipcMode === "" ? "private" : request.ipcMode,
    Cgroup: "",
    OomScoreAdj: resources.oomScoreAdj ?? 0,
    PidMode: request.pidMode,
    Privileged: request.privileged,
    PublishAllPorts: request.publishAll,
    ReadonlyRootfs: request.readonlyRootfs,
    SecurityOpt: orNull(request.securityOpt),
    Tmpfs: tmpfsOf(request),
    Sysctls: Object.keys(request.sysctls).length === 0 ? undefined : sortedRecord(request.sysctls),
    UTSMode: request.utsMode,
    UsernsMode: request.usernsMode,
    ShmSize: request.shmSizeBytes ?? DEFAULT_SHM_BYTES,
    Runtime: "sampan",
    CpuShares: resources.cpuShares ?? 0,
    Memory: resources.memoryBytes ?? 0,
    NanoCpus: resources.nanoCpus ?? 0,
    CgroupParent: request.cgroupParent ?? "",
    BlkioWeight: resources.blkioWeight ?? 0,
    BlkioWeightDevice: (resources.blkioWeightDevices ?? []).map(({ path, value }) => ({ Path: path, Weight: value })),
    BlkioDeviceReadBps: ratesOf(resources.deviceReadBps),
    BlkioDeviceWriteBps: ratesOf(resources.deviceWriteBps),
    BlkioDeviceReadIOps: ratesOf(resources.deviceReadIops),
    BlkioDeviceWriteIOps: ratesOf(resources.deviceWriteIops),
    CpuPeriod: resources.cpuPeriodUs ?? 0,
    CpuQuota: resources.cpuQuotaUs ?? 0,
    CpusetCpus: resources.cpusetCpus ?? "",
    CpusetMems: resources.cpusetMems ?? "",
    Devices: request.devices.map(({ hostPath, containerPath, permissions }) => ({
      PathOnHost: hostPath,
      PathInContainer: containerPath,
      CgroupPermissions: permissions,
    })),
    DeviceCgroupRules: orNull(resources.deviceCgroupRules ?? []),
    MemoryReservation: resources.memoryReservationBytes ?? 0,
    // Docker's rule: with a limit and no word about swap, as much again.
    MemorySwap: resources.memorySwapBytes ?? (resources.memoryBytes ?? 0) * 2,
    MemorySwappiness: resources.memorySwappiness ?? null,
    OomKillDisable: resources.oomKillDisable ?? false,
    PidsLimit: resources.pidsLimit ?? null,
    Ulimits: request.ulimits.length === 0 ? null : request.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    Init: request.init ? true : undefined,
    Mounts: mountsOf(request),
    ...ABSENT,
    MaskedPaths: unmasked ? [] : maskedPaths(),
    ReadonlyPaths: unmasked ? [] : readonlyPaths(),
  };
}

import type { ContainerRecord } from "../../storage/state/index.ts";
import type { HostConfigDetails } from "../api.ts";
import type { RunRequest } from "../request.ts";
import { DEFAULT_SHM_BYTES, maskedPaths, readonlyPaths } from "../spec/defaults.ts";
import { securityOptions } from "../spec/security.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { DEFAULT_NETWORK } from "./summary.ts";

function orNull(list: readonly string[]): string[] | null {
  return list.length === 0 ? null : [...list];
}

/** `-v` in Docker's notation; `--mount` is told apart by not making the source. */
function bindsOf(request: RunRequest): string[] {
  return request.mounts.filter(({ type, createSource, source }) => type !== "tmpfs" && source !== "" && (createSource === true || type === "volume"))
    .map(({ source, target, readonly }) => `${source}:${target}${readonly ? ":ro" : ""}`);
}

/** "80/tcp" → what was asked for: an empty port is one to be chosen. */
function portBindingsOf(request: RunRequest): HostConfigDetails["PortBindings"] {
  const bindings: HostConfigDetails["PortBindings"] = {};
  for (const { hostIp, hostPort, containerPort, protocol } of request.ports)
    (bindings[`${containerPort}/${protocol}`] ??= []).push({ HostIp: hostIp, HostPort: hostPort === 0 ? "" : String(hostPort) });
  return bindings;
}

function mountsOf(request: RunRequest): unknown[] | undefined {
  const mounts = request.mounts.filter(({ type, createSource }) => type !== "volume" && createSource !== true)
    .map(({ type, source, target, readonly }) => ({ Type: type, ...(type === "tmpfs" ? {} : { Source: source }), Target: target, ...(readonly ? { ReadOnly: true } : {}) }));
  return mounts.length === 0 ? undefined : mounts;
}

/** The person's wishes about the host's side, in the shape of Docker's HostConfig. Policy and name are the record's: they change. */
export function hostConfigOf(record: ContainerRecord, { request }: StoredConfig): HostConfigDetails {
  const { resources } = request;
  const unmasked = request.privileged || securityOptions(request).unconfinedPaths;
  const tmpfs = request.mounts.filter(({ type }) => type === "tmpfs");
  return {
    Binds: orNull(bindsOf(request)),
    ContainerIDFile: request.cidfile ?? "",
    LogConfig: { Type: request.logDriver, Config: { ...request.logOptions } },
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
    Tmpfs: tmpfs.length === 0 ? undefined : Object.fromEntries(tmpfs.map(({ target, tmpfsOptions }) => [target, (tmpfsOptions ?? []).join(",")])),
    Sysctls: Object.keys(request.sysctls).length === 0 ? undefined : { ...request.sysctls },
    UTSMode: request.utsMode,
    UsernsMode: request.usernsMode,
    ShmSize: request.shmSizeBytes ?? DEFAULT_SHM_BYTES,
    Runtime: "sampan",
    CpuShares: resources.cpuShares ?? 0,
    Memory: resources.memoryBytes ?? 0,
    NanoCpus: resources.nanoCpus ?? 0,
    CgroupParent: request.cgroupParent ?? "",
    BlkioWeight: resources.blkioWeight ?? 0,
    CpuPeriod: resources.cpuPeriodUs ?? 0,
    CpuQuota: resources.cpuQuotaUs ?? 0,
    CpusetCpus: resources.cpusetCpus ?? "",
    CpusetMems: resources.cpusetMems ?? "",
    Devices: request.devices.map(({ hostPath, containerPath, permissions }) => ({ PathOnHost: hostPath, PathInContainer: containerPath, CgroupPermissions: permissions })),
    DeviceCgroupRules: orNull(resources.deviceCgroupRules ?? []),
    MemoryReservation: resources.memoryReservationBytes ?? 0,
    // Docker's rule: with a limit and no word about swap, as much again.
    MemorySwap: resources.memorySwapBytes ?? (resources.memoryBytes ?? 0) * 2,
    MemorySwappiness: resources.memorySwappiness ?? null,
    OomKillDisable: resources.oomKillDisable ?? null,
    PidsLimit: resources.pidsLimit ?? null,
    Ulimits: request.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    Init: request.init ? true : undefined,
    Mounts: mountsOf(request),
    MaskedPaths: unmasked ? [] : maskedPaths(),
    ReadonlyPaths: unmasked ? [] : readonlyPaths(),
  };
}

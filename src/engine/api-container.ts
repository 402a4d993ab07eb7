/** Containers as the engine tells of them: a summary for lists, details in the shape of Docker's `inspect`. */
export type ContainerStatus = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";
export type HealthStatus = "none" | "starting" | "healthy" | "unhealthy";

export interface PublishedPort {
  /** "" for a port that is only exposed. */
  readonly hostIp: string;
  /** 0 for a port that is only exposed. */
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp" | "sctp";
}

export interface MountPoint {
  readonly Type: "bind" | "volume" | "tmpfs";
  /** The volume's name; undefined for others. */
  readonly Name: string | undefined;
  readonly Source: string;
  readonly Destination: string;
  readonly Driver: string | undefined;
  readonly Mode: string;
  readonly RW: boolean;
  readonly Propagation: string;
}

export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  /** As the person wrote it. */
  readonly image: string;
  readonly imageId: string;
  /** Entrypoint and arguments. */
  readonly command: readonly string[];
  readonly createdAtMs: number;
  readonly status: ContainerStatus;
  /** 0 where it has never run. */
  readonly startedAtMs: number;
  /** 0 where it has never ended. */
  readonly finishedAtMs: number;
  readonly exitCode: number;
  readonly health: HealthStatus;
  readonly ports: readonly PublishedPort[];
  readonly labels: Readonly<Record<string, string>>;
  readonly mounts: readonly MountPoint[];
  readonly networks: readonly string[];
  /** Only where sizes were asked for: the container's own files, and those with its image. */
  readonly sizeRwBytes?: number | undefined;
  readonly sizeRootFsBytes?: number | undefined;
}

export interface HealthDetails {
  Status: HealthStatus;
  FailingStreak: number;
  Log: { Start: string; End: string; ExitCode: number; Output: string }[];
}

export interface ContainerState {
  Status: ContainerStatus;
  Running: boolean;
  Paused: boolean;
  Restarting: boolean;
  OOMKilled: boolean;
  Dead: boolean;
  Pid: number;
  ExitCode: number;
  Error: string;
  /** RFC 3339 with nanoseconds; "0001-01-01T00:00:00Z" for never. */
  StartedAt: string;
  FinishedAt: string;
  Health: HealthDetails | undefined;
}

export interface EndpointDetails {
  IPAMConfig: { IPv4Address?: string; IPv6Address?: string; LinkLocalIPs?: string[] } | null;
  Links: null;
  Aliases: string[] | null;
  MacAddress: string;
  NetworkID: string;
  EndpointID: string;
  Gateway: string;
  IPAddress: string;
  IPPrefixLen: number;
  IPv6Gateway: string;
  GlobalIPv6Address: string;
  GlobalIPv6PrefixLen: number;
  DriverOpts: null;
  DNSNames: string[] | null;
}

export interface ContainerNetworkSettings {
  Bridge: string;
  HairpinMode: boolean;
  LinkLocalIPv6Address: string;
  LinkLocalIPv6PrefixLen: number;
  SecondaryIPAddresses: null;
  SecondaryIPv6Addresses: null;
  SandboxID: string;
  SandboxKey: string;
  /** "80/tcp" → where it is published; null where it is only exposed. */
  Ports: Record<string, { HostIp: string; HostPort: string }[] | null>;
  EndpointID: string;
  Gateway: string;
  IPAddress: string;
  IPPrefixLen: number;
  IPv6Gateway: string;
  GlobalIPv6Address: string;
  GlobalIPv6PrefixLen: number;
  MacAddress: string;
  Networks: Record<string, EndpointDetails>;
}

export interface HealthcheckDetails {
  Test?: string[];
  /** Nanoseconds, as all durations of a Docker config. */
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

export interface ContainerConfigDetails {
  Hostname: string;
  Domainname: string;
  User: string;
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  ExposedPorts: Record<string, Record<string, never>> | undefined;
  Tty: boolean;
  OpenStdin: boolean;
  StdinOnce: boolean;
  Env: string[] | null;
  Cmd: string[] | null;
  Healthcheck: HealthcheckDetails | undefined;
  Image: string;
  Volumes: Record<string, Record<string, never>> | null;
  WorkingDir: string;
  Entrypoint: string[] | null;
  OnBuild: null;
  Labels: Record<string, string>;
  StopSignal: string | undefined;
  StopTimeout: number | undefined;
}

export interface HostConfigDetails {
  Binds: string[] | null;
  ContainerIDFile: string;
  LogConfig: { Type: string; Config: Record<string, string> };
  NetworkMode: string;
  PortBindings: Record<string, { HostIp: string; HostPort: string }[]>;
  RestartPolicy: { Name: string; MaximumRetryCount: number };
  AutoRemove: boolean;
  VolumeDriver: string;
  VolumesFrom: string[] | null;
  CapAdd: string[] | null;
  CapDrop: string[] | null;
  CgroupnsMode: string;
  Dns: string[];
  DnsOptions: string[];
  DnsSearch: string[];
  ExtraHosts: string[] | null;
  GroupAdd: string[] | null;
  IpcMode: string;
  Cgroup: string;
  OomScoreAdj: number;
  PidMode: string;
  Privileged: boolean;
  PublishAllPorts: boolean;
  ReadonlyRootfs: boolean;
  SecurityOpt: string[] | null;
  Tmpfs: Record<string, string> | undefined;
  Sysctls: Record<string, string> | undefined;
  UTSMode: string;
  UsernsMode: string;
  ShmSize: number;
  Runtime: string;
  CpuShares: number;
  Memory: number;
  NanoCpus: number;
  CgroupParent: string;
  BlkioWeight: number;
  BlkioWeightDevice: { Path: string; Weight: number }[];
  BlkioDeviceReadBps: { Path: string; Rate: number }[] | null;
  BlkioDeviceWriteBps: { Path: string; Rate: number }[] | null;
  BlkioDeviceReadIOps: { Path: string; Rate: number }[] | null;
  BlkioDeviceWriteIOps: { Path: string; Rate: number }[] | null;
  CpuPeriod: number;
  CpuQuota: number;
  CpusetCpus: string;
  CpusetMems: string;
  Devices: { PathOnHost: string; PathInContainer: string; CgroupPermissions: string }[];
  DeviceCgroupRules: string[] | null;
  MemoryReservation: number;
  MemorySwap: number;
  MemorySwappiness: number | null;
  OomKillDisable: boolean;
  PidsLimit: number | null;
  Ulimits: { Name: string; Soft: number; Hard: number }[] | null;
  Init: boolean | undefined;
  Mounts: unknown[] | undefined;
  /** From here to IOMaximumBandwidth: Docker's alone, always as if nothing had been asked. */
  Links: null;
  ConsoleSize: number[];
  Isolation: string;
  CpuRealtimePeriod: number;
  CpuRealtimeRuntime: number;
  DeviceRequests: null;
  KernelMemory: number;
  KernelMemoryTCP: number;
  CpuCount: number;
  CpuPercent: number;
  IOMaximumIOps: number;
  IOMaximumBandwidth: number;
  MaskedPaths: string[];
  ReadonlyPaths: string[];
}

export interface ContainerDetails {
  Id: string;
  Created: string;
  Path: string;
  Args: string[];
  State: ContainerState;
  Image: string;
  ResolvConfPath: string;
  HostnamePath: string;
  HostsPath: string;
  LogPath: string;
  /** With a leading slash, as Docker has it. */
  Name: string;
  RestartCount: number;
  Driver: string;
  Platform: string;
  MountLabel: string;
  ProcessLabel: string;
  AppArmorProfile: string;
  ExecIDs: string[] | null;
  HostConfig: HostConfigDetails;
  GraphDriver: { Name: string; Data: Record<string, string> };
  /** Only with `size`. */
  SizeRw: number | undefined;
  SizeRootFs: number | undefined;
  Mounts: MountPoint[];
  Config: ContainerConfigDetails;
  NetworkSettings: ContainerNetworkSettings;
}

export interface ContainerStats {
  readonly id: string;
  readonly name: string;
  /** What the caller asked for: a name, an id, a prefix. */
  readonly asked: string;
  /** Of one CPU: two busy CPUs are 200. */
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly networkReceivedBytes: number;
  readonly networkSentBytes: number;
  readonly blockReadBytes: number;
  readonly blockWrittenBytes: number;
  readonly pids: number;
}

export interface ContainerChange {
  /** Added, changed, deleted. */
  readonly kind: "A" | "C" | "D";
  readonly path: string;
}

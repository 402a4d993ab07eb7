/**
 * What a person asks for, as a plain value: the CLI parses argv to it, a program writes it.
 * Nothing here has been looked up yet; sizes and times carry their units in the name.
 */
export type PullPolicy = "always" | "missing" | "never";

export interface MountRequest {
  type: "bind" | "volume" | "tmpfs";
  /** Host path for a bind, volume name for a volume ("" for an anonymous one); unused for tmpfs. */
  source: string;
  target: string;
  readonly: boolean;
  /** Bind propagation, "rprivate" unless asked. */
  propagation?: string;
  /** Bind: make the host directory if it is missing (`-v` does, `--mount` does not). */
  createSource?: boolean;
  /** The options of `-v` or `--tmpfs` as they were written ("ro,z"; "" for none), which `inspect` repeats; missing for `--mount`. */
  shorthand?: string;
  /** Volume: do not copy the image's content into an empty volume. */
  nocopy?: boolean;
  /** A path beneath the volume's root. */
  subpath?: string;
  /** Volume: what it is made with where there is none of that name yet. */
  volumeOptions?: Record<string, string>;
  volumeLabels?: Record<string, string>;
  /** Bind without what is mounted beneath. */
  nonrecursive?: boolean;
  tmpfsSizeBytes?: number;
  /** Mode bits, e.g. 0o1777. */
  tmpfsMode?: number;
  /** Further tmpfs options as mount(8) spells them ("noexec"). */
  tmpfsOptions?: string[];
}

export interface PortRequest {
  /** "" is every address of the host. */
  hostIp: string;
  /** 0 is any free port. */
  hostPort: number;
  /** With `hostPort`: any free port from it to this one, inclusive. */
  hostPortEnd?: number;
  containerPort: number;
  protocol: "tcp" | "udp" | "sctp";
}

export interface UlimitRequest {
  /** Lower case without the RLIMIT_ prefix: "nofile". */
  name: string;
  soft: number;
  hard: number;
}

export interface DeviceRequest {
  hostPath: string;
  containerPath: string;
  /** Any of "r", "w", "m". */
  permissions: string;
}

/** A limit, or a weight, for one block device of the host's. */
export interface DeviceLimit {
  /** The device's node: "/dev/sda". */
  path: string;
  /** Bytes or operations a second; a weight is from 10 to 1000. 0 asks for none. */
  value: number;
}

export interface ResourceRequest {
  memoryBytes?: number;
  /** Memory plus swap; -1 is unlimited. */
  memorySwapBytes?: number;
  memoryReservationBytes?: number;
  memorySwappiness?: number;
  oomKillDisable?: boolean;
  oomScoreAdj?: number;
  /** Billionths of a CPU: 1.5 CPUs is 1_500_000_000. */
  nanoCpus?: number;
  cpuShares?: number;
  cpuQuotaUs?: number;
  cpuPeriodUs?: number;
  cpusetCpus?: string;
  cpusetMems?: string;
  /** -1 is unlimited. */
  pidsLimit?: number;
  blkioWeight?: number;
  blkioWeightDevices?: DeviceLimit[];
  deviceReadBps?: DeviceLimit[];
  deviceWriteBps?: DeviceLimit[];
  deviceReadIops?: DeviceLimit[];
  deviceWriteIops?: DeviceLimit[];
  /** As cgroup v1 spells them: "c 1:3 rwm". */
  deviceCgroupRules?: string[];
}

export interface HealthRequest {
  /** ["NONE"], ["CMD", …] or ["CMD-SHELL", command]. */
  test?: string[];
  intervalMs?: number;
  timeoutMs?: number;
  startPeriodMs?: number;
  startIntervalMs?: number;
  retries?: number;
}

export interface RestartPolicy {
  name: "no" | "always" | "on-failure" | "unless-stopped" | "on-unhealthy";
  /** Only with on-failure; 0 is without end. */
  maximumRetryCount: number;
}

export interface NetworkAttachment {
  /** Network name or id. */
  network: string;
  aliases: string[];
  ipv4?: string;
  ipv6?: string;
  macAddress?: string;
  linkLocalIps?: string[];
}

export interface RunRequest {
  /** Image reference; "" with `rootfs`. */
  image: string;
  /** A root directory instead of an image: always beneath a throw-away overlay unless writable. */
  rootfs?: { path: string; writable: boolean };
  command: string[];
  /** undefined: the image's; [] or [""]: none. */
  entrypoint?: string[];
  name?: string;
  detach: boolean;
  interactive: boolean;
  tty: boolean;
  /** Which of the caller's streams are attached; all unless `-a` or `-d` was given. */
  attach: ("stdin" | "stdout" | "stderr")[];
  detachKeys?: string;
  sigProxy: boolean;
  remove: boolean;
  init: boolean;
  readonlyRootfs: boolean;
  privileged: boolean;
  hostname?: string;
  domainname?: string;
  user?: string;
  groupAdd: string[];
  workdir?: string;
  /** "K=V", or "K" for the caller's value. Files are read by the caller. */
  env: string[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  mounts: MountRequest[];
  volumesFrom: string[];
  devices: DeviceRequest[];
  shmSizeBytes?: number;
  capAdd: string[];
  capDrop: string[];
  securityOpt: string[];
  sysctls: Record<string, string>;
  ulimits: UlimitRequest[];
  resources: ResourceRequest;
  cgroupParent?: string;
  /** "" (own), "host", "container:ID". */
  pidMode: string;
  /** "" or "private" or "shareable" (own), "host", "container:ID", "none". */
  ipcMode: string;
  /** "" (own), "host". */
  utsMode: string;
  /** "" (host), "host", "private". */
  usernsMode: string;
  /** "" or "private" (own), "host". */
  cgroupnsMode: string;
  /** Empty: the default network. Also "none", "host", "container:ID" in `network` of the first entry. */
  networks: NetworkAttachment[];
  ports: PortRequest[];
  publishAll: boolean;
  /** "80/tcp". */
  expose: string[];
  /** "name:address". */
  addHosts: string[];
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  restart: RestartPolicy;
  health: HealthRequest;
  stopSignal?: string;
  stopTimeoutSeconds?: number;
  pull: PullPolicy;
  platform?: string;
  logDriver: string;
  logOptions: Record<string, string>;
  cidfile?: string;
}

/** A request with nothing asked for: callers spread their wishes over it. */
export function emptyRunRequest(image: string, command: string[] = []): RunRequest {
  return {
    image,
    command,
    detach: false,
    interactive: false,
    tty: false,
    attach: ["stdout", "stderr"],
    sigProxy: true,
    remove: false,
    init: false,
    readonlyRootfs: false,
    privileged: false,
    groupAdd: [],
    env: [],
    labels: {},
    annotations: {},
    mounts: [],
    volumesFrom: [],
    devices: [],
    capAdd: [],
    capDrop: [],
    securityOpt: [],
    sysctls: {},
    ulimits: [],
    resources: {},
    pidMode: "",
    ipcMode: "",
    utsMode: "",
    usernsMode: "",
    cgroupnsMode: "",
    networks: [],
    ports: [],
    publishAll: false,
    expose: [],
    addHosts: [],
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
    restart: { name: "no", maximumRetryCount: 0 },
    health: {},
    pull: "missing",
    logDriver: "json-file",
    logOptions: {},
  };
}

import type { Mount, RuntimeConfig } from "../oci/index.ts";
import type { Arch } from "../linux/arch.ts";
import type { CgroupPlan } from "./cgroups/index.ts";
import type { CopiedFile } from "./copy-up.ts";

/** What of this host the compiler has to know. Everything else it decides from the config alone. */
export interface HostFacts {
  readonly arch: Arch;
  /** [6, 18] for "6.18.44". */
  readonly kernel: readonly [major: number, minor: number];
  /** Mount points of the cgroup hierarchies, for a container's own view of them. */
  readonly cgroupMounts: readonly {
    readonly version: 1 | 2;
    readonly name: string;
    readonly option: string;
    /** The container's own group in it, to be bound where there is no cgroup namespace to show it as the top. */
    readonly directory?: string;
  }[];
  /** Capabilities that this kernel and our own bounding set have. */
  readonly lastCapability: number;
}

/** Where the root filesystem comes from. */
export type RootSource =
  | {
      readonly kind: "overlay";
      /** Uppermost first. */
      readonly lowers: readonly string[];
      readonly upper: string;
      readonly work: string;
      /** Skip what makes the upper layer survive a power cut: it goes with the container. */
      readonly volatile: boolean;
    }
  | { readonly kind: "directory"; readonly path: string };

/** A batch of rtnetlink messages: bytes, places that take a descriptor or pid, and one acknowledgement per message. */
export interface NetlinkBatch {
  readonly bytes: Uint8Array;
  readonly patches: readonly { readonly offset: number; readonly what: "netns-fd" | "pid" }[];
  readonly messages: readonly { readonly label: string }[];
}

export interface NetworkPlan {
  /** Sent from the host's namespace. */
  readonly outer?: NetlinkBatch;
  /** Sent from the container's, after its sysctls are written: paths beneath /proc/sys. */
  readonly inner?: NetlinkBatch;
  readonly sysctls?: readonly { readonly path: string; readonly value: string; readonly why: string }[];
  /** Bound in the host's namespace, and held by the monitor until the container has ended. */
  readonly held?: readonly HeldSocket[];
}

/** A device that moves from the host's network namespace into the container's. */
export interface NetworkDevicePlan {
  /** With the index that it has. */
  readonly own: DeviceMove;
  /** Where that index is taken in the container's namespace. */
  readonly other: DeviceMove;
}

export interface DeviceMove {
  /** Sent from the host's namespace; its last message is refused with EBUSY where the index is taken. */
  readonly move: NetlinkBatch;
  /** Sent from the container's: addresses, and up. */
  readonly settle: NetlinkBatch;
}

/** A socket that is bound and does nothing but keep its port from others. */
export interface HeldSocket {
  /** "0.0.0.0:8080/tcp", for messages. */
  readonly label: string;
  readonly family: number;
  readonly type: number;
  readonly protocol: number;
  /** struct sockaddr. */
  readonly address: Uint8Array;
}

export interface HealthPlan {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
  readonly retries: number;
  /** Files: the prepared exec plan, and the log that records are appended to. */
  readonly plan: string;
  readonly log: string;
  /** What to run when the verdict may have changed; nothing if empty. */
  readonly notify: readonly string[];
}

/** What the monitor does while the container runs (src: native/keel/monitor.c). */
export interface AttachedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Leave when nobody reads the output any more (`| head`), as a program that is written to a pipe ends by SIGPIPE; the container goes on. */
  readonly leaves: boolean;
}

export interface MonitorPlan {
  /** Nobody waits: the container's streams belong to the log alone. */
  readonly detached: boolean;
  /** Which of the caller's streams are connected. */
  readonly attach: AttachedStreams;
  /** Keep the container's stdin open although nobody is attached to it. */
  readonly openStdin: boolean;
  /** Close the container's stdin when the first client's ends. */
  readonly stdinOnce: boolean;
  /** Path of the attach socket; none if undefined. */
  readonly socket?: string;
  readonly log?: { readonly path: string; readonly maxBytes: number; readonly maxFiles: number };
  /** Bytes of the key sequence that detaches; empty for none. */
  readonly detachKeys: Uint8Array;
  /** Where the exit status is written. */
  readonly status?: { readonly path: string; readonly durable: boolean };
  /** argv of the program that finishes the container when nobody waits for it. */
  readonly finalize: readonly string[];
  /** "K=V" for the programs that the monitor starts. */
  readonly environment: readonly string[];
  readonly health?: HealthPlan;
}

export interface BirthFiles {
  readonly pidFile: string;
  readonly monitorFile?: string;
  /** A link to the first process's directory in /proc, for plans that are prepared before it has a pid. */
  readonly link?: string;
}

export interface Launch {
  readonly config: RuntimeConfig;
  readonly host: HostFacts;
  /** What messages call the container: its name. */
  readonly name: string;
  readonly root: RootSource;
  /** An existing empty directory of ours; the root filesystem is attached there inside the container's namespace. */
  readonly mountPoint: string;
  readonly cgroup?: CgroupPlan;
  /** seccomp(2) program, `struct sock_filter[]`. */
  readonly seccomp?: { readonly program: Uint8Array; readonly flags: number };
  readonly network?: NetworkPlan;
  readonly init: boolean;
  /** With a monitor the container outlives its starter; without, keel waits and the streams are the caller's own. */
  readonly monitor?: MonitorPlan;
  /** Where the identity of the first process and of the monitor is written: a copy of their /proc/PID/stat. */
  readonly birth?: BirthFiles;
  /** Time every call. */
  readonly trace: boolean;
  /** Destinations of bind mounts whose source is not a directory: what is missing there is made as a file. */
  readonly fileMounts?: ReadonlySet<string>;
  /** By destination: of a bind mount's source only this path beneath it is mounted, and no link on it leads out of the source. */
  readonly subpaths?: ReadonlyMap<string, string>;
  /** Descriptors of user namespaces whose mapping a bind mount gets, as keel has them. */
  readonly idMappings?: ReadonlyMap<Mount, number>;
  /** Bind mounts of what an earlier mount of the list has put into the root filesystem, with the path there; they are taken when it is their turn. */
  readonly lateBinds?: ReadonlyMap<Mount, string>;
  /** Where mounts go whose destination is a link that leads to nothing yet: what is to be made there. */
  readonly landings?: ReadonlyMap<Mount, string>;
  /** What a tmpfs with "tmpcopyup" is filled with, by its mount. */
  readonly copyUps?: ReadonlyMap<Mount, readonly CopiedFile[]>;
  /** Move the root over the old one instead of pivot_root(2). */
  readonly noPivot?: boolean;
  /** With `noPivot`: where the host has whole proc and sysfs filesystems, innermost first. */
  readonly fullMounts?: readonly string[];
}

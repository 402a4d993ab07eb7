/** The values that pass between host facts, compiler and operations. All are plain and can be kept as JSON. */

export interface Hierarchy {
  readonly version: 1 | 2;
  /** Where it is mounted, e.g. "/sys/fs/cgroup/cpu,cpuacct". */
  readonly mountpoint: string;
  /** The group that the mount shows as its top: "/" but for bind mounts and nested engines. */
  readonly root: string;
  /** v1: the controllers mounted together here. v2: what the top's cgroup.controllers offers. */
  readonly controllers: readonly string[];
  /** A v1 hierarchy without controllers: "systemd" for name=systemd. */
  readonly name?: string;
  /** This process's group as /proc/self/cgroup says it, e.g. "/user.slice". */
  readonly own: string;
}

export interface CgroupHost {
  readonly version: "v1" | "v2" | "hybrid" | "none";
  /** Controller, by its kernel name ("blkio" on v1, "io" on v2), to the one hierarchy that has it. */
  readonly controllers: ReadonlyMap<string, Hierarchy>;
  /** The cgroup2 mount, if any. On hybrid hosts it often has no controller, but it kills and freezes all the same. */
  readonly unified?: Hierarchy;
  readonly hierarchies: readonly Hierarchy[];
}

/** What a file shows once a write is in force: its whole text, one of its lines, or all of its lines in any order. */
export type Expectation =
  | { readonly path: string; readonly equals: string }
  | { readonly path: string; readonly line: string }
  | { readonly path: string; readonly lines: readonly string[] };

export interface CgroupWrite {
  readonly path: string;
  readonly value: string;
  /** One line for people who read the plan. */
  readonly why: string;
  readonly controller: string;
  /** What the user asked for, by the flag's name ("--memory"), for messages. */
  readonly option?: string;
  /** Errors of open or write that do not matter here. */
  readonly ignoreErrno?: readonly string[];
  /** The same setting under its other name, for kernels where `path` does not exist (ENOENT). */
  readonly orElse?: { readonly path: string; readonly value: string };
  /** Holds for `path`; not for `orElse`. */
  readonly expect?: Expectation;
}

export interface CgroupDirectory {
  readonly path: string;
  /** The container's own group: it must be new. Its parents may exist already. */
  readonly leaf: boolean;
  readonly version: 1 | 2;
}

/** Where one container's groups are: to be kept with its state, for exec, stats, pause, update and removal. */
export interface CgroupPaths {
  /** By the kernel's name of the controller. Only those that the container has a group in. */
  readonly controllers: Readonly<Record<string, { readonly version: 1 | 2; readonly directory: string }>>;
  /** Its group in the cgroup2 hierarchy, if there is one. */
  readonly unified?: string;
  /** Every one of its groups, each once. */
  readonly directories: readonly string[];
}

export interface CgroupJoin {
  /** Open with O_PATH | O_DIRECTORY and pass to clone3 with CLONE_INTO_CGROUP (kernel 5.7). */
  readonly v2Directory?: string;
  /**
   * Where the group hands controllers on, and so takes no process itself (cgroups(7), "no internal processes"): the child of it to use
   * instead, made if missing.
   */
  readonly v2Leaf?: string;
  /** Open before the clone; the child, which has one thread, writes "0" to each before execve. */
  readonly v1TaskFiles: readonly string[];
}

export interface CgroupPlan {
  /** In the order to make them: parents first. */
  readonly directories: readonly CgroupDirectory[];
  /** After the directories, before the join. Neighbours with the same path may share one open file. */
  readonly writes: readonly CgroupWrite[];
  readonly join: CgroupJoin;
  /** eBPF instructions to load as BPF_PROG_TYPE_CGROUP_DEVICE and attach to `join.v2Directory`. */
  readonly deviceProgram?: Uint8Array;
  /** The v2 group becomes this user's, with those of these files that it has. */
  readonly owner?: { readonly uid: number; readonly files: readonly string[] };
  /** What to rmdir once the group is empty. Parents stay: other containers share them. */
  readonly remove: readonly string[];
  readonly paths: CgroupPaths;
}

/** Reads a small file; undefined where it does not exist or cannot be read. */
export type ReadText = (path: string) => string | undefined;

export interface CompileOptions {
  readonly read: ReadText;
  /**
   * Docker's rule that a container with a memory limit and no word about swap may swap as much again.
   * Without it an absent `memory.swap` is left alone, as the runtime-spec has it.
   */
  readonly defaultSwap?: "double";
  /**
   * A new memory limit leaves memory plus swap what it was, as on v1 and in Docker. Without it v2's limit of swap stays, as
   * runc has it.
   */
  readonly keepSum?: boolean;
  /**
   * Groups in every hierarchy, wanted or not: engines that look for a container's figures by its pid would find the host's
   * in a hierarchy that it has no group of its own in.
   */
  readonly join?: "all";
  /** Bytes; memory limits are in whole pages. 4096 unless said. */
  readonly pageSize?: number;
}

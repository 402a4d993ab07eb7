/**
 * What a benchmark is: cases that do the same job, run in turns within one run (A B C, B C A, …), so that a busy
 * minute hits all of them alike. A *bar* is a ratio between two cases' medians that must hold; absolute times are
 * the machine's and prove nothing elsewhere.
 */
export interface Bench extends BenchText {
  /** Makes what the cases need; what is passed to `defer` is undone at the end, in reverse, whatever happens. */
  setup(context: BenchContext): Promise<BenchCase[]> | BenchCase[];
  bars?: Bar[];
  /** The rows of README's table that are measured here. */
  summary?: SummaryRow[];
  /** 20 by default; `--rounds` overrules. */
  rounds?: number;
  /** 3 by default; `--warmup` overrules. */
  warmup?: number;
}

export interface BenchText {
  /** The file's name without ".ts"; also what the results are called. */
  name: string;
  title: string;
  /** What is measured and how to read it, as Markdown. */
  text: string;
  unit: string;
  better: "lower" | "higher";
}

export interface BenchContext {
  /** A directory for this run only. */
  dir: string;
  /** Undone after the last round, in reverse order. */
  defer(undo: () => void | PromiseLike<void>): void;
  /** Notes a version or another fact for the report: `fact("crun", "1.8.1")`. */
  fact(name: string, value: string): void;
  /** Whether a peer is installed; one that is not is noted, its cases are left out, and with them the bars against it. */
  has(peer: Peer): boolean;
}

/** What Sampan is measured beside. */
export const PEERS = {
  floor: { title: "bare kernel", tool: "gcc" },
  bwrap: { title: "bubblewrap", tool: "bwrap" },
  crun: { title: "crun", tool: "crun" },
  runc: { title: "runc", tool: "runc" },
  podman: { title: "Podman", tool: "podman" },
  docker: { title: "Docker", tool: "dockerd" },
  skopeo: { title: "skopeo and umoci", tool: "umoci" },
  iperf3: { title: "iperf3", tool: "iperf3" },
} as const;
export type Peer = keyof typeof PEERS;

export interface SummaryRow {
  label: string;
  unit: string;
  /** Ids of cases. */
  sampan: string;
  peers: Partial<Record<Peer, string>>;
}

interface CaseText {
  /** Short and stable: bars and JSON name it. */
  id: string;
  label: string;
  /** Cases of one group are measured alike, and share a scale; "" by default. */
  group?: string;
  /** Where it is another one than the benchmark's. */
  unit?: string;
  better?: "lower" | "higher";
}

/** A whole command, from posix_spawn to its end, in milliseconds. */
export interface CommandCase extends CaseText {
  /** A function when each call needs words of its own, such as a container's id. */
  command: string[] | ((call: number) => string[]);
  env?: Record<string, string>;
  cwd?: string;
  /** 0 by default; another one fails the benchmark. */
  exitCode?: number;
  /** Run where /sys/fs/cgroup/unified is not mounted: crun, podman and buildah want that on a hybrid host. */
  privateMounts?: boolean;
  /** Not measured; before and after each call. */
  before?: (call: number) => void | Promise<void>;
  after?: (call: number) => void | Promise<void>;
}

/** Anything else, in the benchmark's unit: throughput, memory, a latency seen from inside. */
export interface MeasureCase extends CaseText {
  measure: (call: number) => number | Promise<number>;
}

export type BenchCase = CommandCase | MeasureCase;

export interface Bar {
  /** The measured case's id. */
  of: string;
  /** What it is compared with. */
  against: string;
  /** Median of `of` divided by median of `against`. */
  atMost?: number;
  atLeast?: number;
  /** Why this is the number, in a few words. */
  because?: string;
}

/** Checks the definition's own sense at compile time; gives the same value back. */
export function defineBench(bench: Bench): Bench {
  return bench;
}

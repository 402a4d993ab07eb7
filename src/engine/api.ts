/**
 * The engine as the CLI, the library and the API see it: interfaces only.
 *
 * Names: wherever a method takes `name`, a container, image, network or volume may be named by its name, its full id or a
 * unique prefix of the id. A failure is a SampanError: "not-found" in Docker's words ("No such container: web"),
 * "conflict" for an ambiguous prefix, "wrong-state" where the state forbids it.
 * Values of `…Details` have the shape of Docker's `inspect`, because people's scripts read it; all else has our own names
 * and carries its units in them. Fields typed `T | undefined` are always present, so that a template can ask for them.
 * Everything that waits takes an AbortSignal: aborting rejects with kind "cancelled" and leaves nothing half-made.
 */
import type { ContainerChange, ContainerDetails, ContainerStats, ContainerSummary } from "./api-container.ts";
import type { HistoryEntry, ImageDetails, ImageRemoval, ImageSummary, LoginRequest, SearchResult } from "./api-image.ts";
import type { LogOptions, LogRecord } from "./api-logs.ts";
import type { NetworkDetails, VolumeDetails, VolumeRequest } from "./api-network.ts";
import type { DiskUsage, EngineEvent, HostCheck, SystemInfo } from "./api-system.ts";
import type { NetworkAttachment, ResourceRequest, RestartPolicy, RunRequest } from "./request.ts";

export interface Engine extends AsyncDisposable {
  readonly containers: Containers;
  readonly images: Images;
  readonly registries: Registries;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly system: System;
}

export interface OpenOptions {
  /** The store: images, layers, volumes, state. */
  readonly root: string;
  /** Run state, gone after a reboot. */
  readonly state: string;
}

export interface Cancellable {
  readonly signal?: AbortSignal | undefined;
}

/** `--filter` values by key: several of one key are alternatives, several keys must all hold. */
export type Filters = Readonly<Record<string, readonly string[]>>;

export interface Progress {
  /** The layer or blob that the line is about; undefined for a line about the whole. */
  readonly id?: string | undefined;
  /** Docker's words: "Pulling fs layer", "Downloading", "Pull complete"… */
  readonly status: string;
  readonly currentBytes?: number | undefined;
  readonly totalBytes?: number | undefined;
}

export interface WithProgress extends Cancellable {
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** The caller's side of a container's streams; one that is left out is not attached. */
export interface Streams {
  /** A descriptor, or what is written to the program as it comes; its end is the program's end-of-file. */
  readonly stdin?: number | AsyncIterable<Uint8Array> | undefined;
  /** A descriptor, or who takes the output as it comes. Whoever takes it must read it: a full pipe stops the program. */
  readonly stdout?: number | OutputTaker | undefined;
  readonly stderr?: number | OutputTaker | undefined;
}

/** Called once, when the program is about to be started. */
export type OutputTaker = (output: AsyncIterable<Uint8Array>) => void;

export interface AttachOptions extends Cancellable {
  readonly streams: Streams;
  /** Docker's notation: "ctrl-p,ctrl-q". */
  readonly detachKeys?: string | undefined;
  /** Forward the signals that this process receives. */
  readonly sigProxy: boolean;
}

/** How an attached session ended. */
export interface SessionResult {
  /** As a shell would say it: 128+n for a death by signal n; 0 when detached. */
  readonly exitCode: number;
  /** The signal that ended it, by its number; 0 if none did. */
  readonly signal: number;
  /** The person left with the detach keys; the container lives on. */
  readonly detached: boolean;
}

export interface CreatedContainer {
  readonly id: string;
  readonly warnings: readonly string[];
}

export interface RunResult extends SessionResult, CreatedContainer {
  /** The kernel killed something in it for want of memory. */
  readonly oomKilled: boolean;
}

export interface RunOptions extends WithProgress {
  readonly streams: Streams;
}

export type ExplainOptions = Cancellable;

/** Every call that a container would be made of, grouped by stage. */
export interface ExplainResult {
  /** Each with its arguments, flags by name, its man page and its reason, in lines of at most `columns` characters. */
  text(options: { readonly columns: number; readonly colors?: boolean }): string;
  toJSON(): unknown;
}

export interface TraceResult extends RunResult {
  /** Microseconds per call with a bar beside each. */
  text(options: { readonly columns: number; readonly colors?: boolean }): string;
  /** A self-contained page with the calls as a waterfall. */
  html(): string;
  toJSON(): unknown;
}

export interface ListOptions extends Cancellable {
  /** Those that do not run too. */
  readonly all: boolean;
  /** Only the newest n, running or not. */
  readonly last?: number | undefined;
  /** Work out the sizes: slower. */
  readonly size?: boolean | undefined;
  readonly filters?: Filters | undefined;
}

export interface StopOptions extends Cancellable {
  readonly stopSignal?: string | undefined;
  /** Seconds until SIGKILL; -1 waits for ever, undefined is the container's own or 10. */
  readonly timeoutSeconds?: number | undefined;
}

export interface RemoveOptions extends Cancellable {
  /** Kill it first if it runs. */
  readonly force: boolean;
  /** Its anonymous volumes too. */
  readonly volumes: boolean;
}

export interface UpdateRequest {
  readonly resources: ResourceRequest;
  readonly restart?: RestartPolicy | undefined;
}

export interface ExecRequest {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly interactive: boolean;
  readonly detach: boolean;
  readonly privileged: boolean;
  /** "K=V", or "K" for the caller's value. */
  readonly env: readonly string[];
  readonly user?: string | undefined;
  readonly workdir?: string | undefined;
}

/** Aborting kills the program that was started, and not what it has started itself; the container lives on. */
export interface ExecOptions extends Cancellable {
  readonly streams: Streams;
  readonly detachKeys?: string | undefined;
  /** Forward the signals that this process receives; true unless it says otherwise. */
  readonly sigProxy?: boolean | undefined;
}

export interface ProcessTable {
  readonly titles: readonly string[];
  readonly processes: readonly (readonly string[])[];
}

export interface CopyOptions extends Cancellable {
  /** Follow the last component of the source if it is a symbolic link. */
  readonly followLink: boolean;
  /** Keep uid and gid. */
  readonly archive: boolean;
}

export interface CopyResult {
  /** Bytes of regular files. */
  readonly bytes: number;
}

/** Where `cp` writes on this side: a path by Docker's rules (a trailing "/." and so on), or a tar stream. */
export type CopyTarget = { readonly path: string } | { readonly write: (chunk: Uint8Array) => void | Promise<void> };
/** Where `cp` reads on this side: a path, or a tar stream. */
export type CopySource = { readonly path: string } | { readonly archive: AsyncIterable<Uint8Array> };

export interface CommitRequest {
  /** "" for an image without a name. */
  readonly reference: string;
  readonly author: string;
  readonly message: string;
  /** Instructions of a Dockerfile: "CMD [\"sh\"]". */
  readonly changes: readonly string[];
  readonly pause: boolean;
}

export interface PruneResult {
  readonly deleted: readonly string[];
  readonly reclaimedBytes: number;
}

export interface PruneOptions extends Cancellable {
  readonly filters?: Filters | undefined;
}

export interface Containers {
  create(request: RunRequest, options: WithProgress): Promise<CreatedContainer>;
  /**
   * Creates and starts; unless `detach` was asked for, waits for the end, and with `remove` removes. Aborting kills it; what
   * was to run in the background is removed.
   */
  run(request: RunRequest, options: RunOptions): Promise<RunResult>;
  /** The plan that `run` would carry out, with nothing made; needs no root. */
  explain(request: RunRequest, options: ExplainOptions): Promise<ExplainResult>;
  trace(request: RunRequest, options: RunOptions): Promise<TraceResult>;
  start(name: string, options: Cancellable): Promise<void>;
  /** Starts and stays attached until it ends. */
  startAttached(name: string, options: AttachOptions): Promise<SessionResult>;
  stop(name: string, options: StopOptions): Promise<void>;
  restart(name: string, options: StopOptions): Promise<void>;
  kill(name: string, options: Cancellable & { readonly killSignal: string }): Promise<void>;
  pause(name: string, options: Cancellable): Promise<void>;
  unpause(name: string, options: Cancellable): Promise<void>;
  /** The exit code, at once if it does not run. */
  wait(name: string, options: Cancellable): Promise<number>;
  remove(name: string, options: RemoveOptions): Promise<void>;
  rename(name: string, newName: string, options: Cancellable): Promise<void>;
  update(name: string, request: UpdateRequest, options: Cancellable): Promise<{ readonly warnings: readonly string[] }>;
  /** Connects streams to one that runs, until it ends. Aborting detaches: the container lives on. */
  attach(name: string, options: AttachOptions): Promise<SessionResult>;
  list(options: ListOptions): Promise<readonly ContainerSummary[]>;
  inspect(name: string, options: Cancellable & { readonly size: boolean }): Promise<ContainerDetails>;
  /** `psArguments` as ps(1) takes them. */
  top(name: string, psArguments: readonly string[], options: Cancellable): Promise<ProcessTable>;
  /** One frame a second with every container asked for; no names: all that run, or all there are. */
  stats(names: readonly string[], options: Cancellable & { readonly all: boolean; readonly stream: boolean }): AsyncIterable<readonly ContainerStats[]>;
  logs(name: string, options: LogOptions): AsyncIterable<LogRecord>;
  exec(name: string, request: ExecRequest, options: ExecOptions): Promise<SessionResult>;
  copyFrom(name: string, path: string, target: CopyTarget, options: CopyOptions): Promise<CopyResult>;
  copyTo(name: string, source: CopySource, path: string, options: CopyOptions): Promise<CopyResult>;
  diff(name: string, options: Cancellable): Promise<readonly ContainerChange[]>;
  /** A tar stream of the root filesystem. */
  export(name: string, options: Cancellable): AsyncIterable<Uint8Array>;
  commit(name: string, request: CommitRequest, options: Cancellable): Promise<{ readonly id: string }>;
  prune(options: PruneOptions): Promise<PruneResult>;
}

export interface PullOptions extends WithProgress {
  readonly allTags: boolean;
  readonly platform?: string | undefined;
  /** undefined: plain HTTP only for loopback and what the configuration names. */
  readonly tlsVerify?: boolean | undefined;
}

export interface PulledImage {
  /** Whole: "docker.io/library/alpine:3". */
  readonly reference: string;
  readonly digest: string;
  /** False where the image was there already. */
  readonly changed: boolean;
}

export interface PushOptions extends WithProgress {
  readonly allTags: boolean;
  readonly platform?: string | undefined;
  readonly tlsVerify?: boolean | undefined;
}

export interface PushedImage {
  readonly reference: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

export interface ImportRequest {
  /** "" for an image without a name. */
  readonly reference: string;
  readonly message: string;
  readonly changes: readonly string[];
  readonly platform?: string | undefined;
}

export interface LoadedImage {
  /** "" for an image without a name. */
  readonly reference: string;
  readonly id: string;
}

export interface Images {
  list(options: Cancellable & { readonly all: boolean; readonly filters?: Filters | undefined }): Promise<readonly ImageSummary[]>;
  inspect(name: string, options: Cancellable & { readonly platform?: string | undefined }): Promise<ImageDetails>;
  pull(reference: string, options: PullOptions): Promise<readonly PulledImage[]>;
  push(reference: string, options: PushOptions): Promise<readonly PushedImage[]>;
  /** A tar file or stream, compressed or not, as one layer. A path of "-" does not exist here: pass the stream. */
  import(source: CopySource | { readonly url: string }, request: ImportRequest, options: WithProgress): Promise<{ readonly id: string }>;
  load(source: CopySource, options: WithProgress & { readonly platforms?: readonly string[] | undefined }): Promise<readonly LoadedImage[]>;
  /** As one archive: "docker" (an OCI layout that every `docker load` reads too) unless said otherwise. */
  save(
    names: readonly string[],
    options: WithProgress & { readonly platforms?: readonly string[] | undefined; readonly format?: "docker" | "oci" | undefined },
  ): AsyncIterable<Uint8Array>;
  /** As an OCI layout in a directory that is empty or not there yet. */
  saveDirectory(names: readonly string[], directory: string, options: WithProgress & { readonly platforms?: readonly string[] | undefined }): Promise<void>;
  tag(name: string, target: string, options: Cancellable): Promise<void>;
  remove(name: string, options: Cancellable & { readonly force: boolean; readonly noPrune: boolean }): Promise<readonly ImageRemoval[]>;
  history(name: string, options: Cancellable & { readonly platform?: string | undefined }): Promise<readonly HistoryEntry[]>;
  /** Dangling ones, or with `all` every one that no container uses. */
  prune(options: PruneOptions & { readonly all: boolean }): Promise<{ readonly removed: readonly ImageRemoval[]; readonly reclaimedBytes: number }>;
}

export interface Registries {
  /** Proves the credentials to the registry, then stores them. Gives back the sentence to print, and what is to be said of how they are kept. */
  login(request: LoginRequest, options: Cancellable): Promise<{ readonly message: string; readonly warning: string | undefined }>;
  logout(server: string, options: Cancellable): Promise<string>;
  search(
    term: string,
    options: Cancellable & { readonly limit?: number | undefined; readonly filters?: Filters | undefined },
  ): Promise<readonly SearchResult[]>;
}

export interface SubnetRequest {
  readonly subnet: string;
  readonly gateway?: string | undefined;
  readonly ipRange?: string | undefined;
  /** By name: addresses of the subnet that others have, never handed out. */
  readonly auxAddresses?: Readonly<Record<string, string>> | undefined;
}

export interface NetworkRequest {
  readonly name: string;
  readonly driver: string;
  readonly internal: boolean;
  readonly ipv6: boolean;
  /** Shown by `inspect`; every network can be attached to. */
  readonly attachable: boolean;
  /** Empty: one is chosen. */
  readonly subnets: readonly SubnetRequest[];
  /** "com.docker.network.driver.mtu" and the like. */
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Networks {
  create(request: NetworkRequest, options: Cancellable): Promise<{ readonly id: string; readonly warnings: readonly string[] }>;
  list(options: Cancellable & { readonly filters?: Filters | undefined }): Promise<readonly NetworkDetails[]>;
  inspect(name: string, options: Cancellable): Promise<NetworkDetails>;
  remove(name: string, options: Cancellable): Promise<void>;
  connect(container: string, attachment: NetworkAttachment, options: Cancellable): Promise<void>;
  disconnect(container: string, network: string, options: Cancellable & { readonly force: boolean }): Promise<void>;
  prune(options: PruneOptions): Promise<PruneResult>;
  /** Writes the packet filter's rules anew from the store. */
  reload(options: Cancellable): Promise<{ readonly warnings: readonly string[] }>;
}

export interface Volumes {
  /** A name of "" makes an anonymous one. Creating one that is there already gives it back. */
  create(request: VolumeRequest, options: Cancellable): Promise<VolumeDetails>;
  list(options: Cancellable & { readonly filters?: Filters | undefined }): Promise<readonly VolumeDetails[]>;
  inspect(name: string, options: Cancellable): Promise<VolumeDetails>;
  remove(name: string, options: Cancellable & { readonly force: boolean }): Promise<void>;
  /** Anonymous unused ones, or with `all` every unused one. */
  prune(options: PruneOptions & { readonly all: boolean }): Promise<PruneResult>;
}

export interface BootResult {
  /** Names. */
  readonly started: readonly string[];
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
}

export interface System {
  info(options: Cancellable): Promise<SystemInfo>;
  diskUsage(options: Cancellable): Promise<DiskUsage>;
  events(
    options: Cancellable & { readonly sinceMs?: number | undefined; readonly untilMs?: number | undefined; readonly filters?: Filters | undefined },
  ): AsyncIterable<EngineEvent>;
  /** Starts what should run after a reboot, by restart policy. */
  boot(options: Cancellable): Promise<BootResult>;
  /**
   * What a monitor's or a sleeper's process does: ends the container of this full id, or a command in it, if it has ended; starts it if
   * that is due. Anybody may, at any time.
   */
  finish(id: string, execId?: string): Promise<void>;
  /** Removes what crashes have left and nothing accounts for any more. Can be repeated, and cut short. */
  collect(options: Cancellable): Promise<{ readonly reclaimedBytes: number }>;
  /** What a monitor starts when a container's health may have changed. */
  noteHealth(id: string): Promise<void>;
  /** What this kernel has and lacks. */
  checkHost(options: Cancellable): Promise<readonly HostCheck[]>;
}

export type * from "./api-container.ts";
export type * from "./api-image.ts";
export type * from "./api-network.ts";
export type * from "./api-system.ts";

import { SampanError } from "../base/index.ts";
import { digestOf, isDigest, type Digest } from "./digest.ts";
import { defined, FieldReader, parseJson } from "./json.ts";
import type { Platform } from "./platform.ts";

/** Configs are a few kilobytes; labels and history can make hundreds. */
export const CONFIG_BYTES_MAX = 8 * 1024 * 1024;

/**
 * An image's config (image-spec config.md; Docker's schema 2 is the same document). Field names are the document's own,
 * so that commit and build can write it back.
 */
export interface ImageConfig {
  created?: string;
  author?: string;
  architecture: string;
  os: string;
  "os.version"?: string;
  "os.features"?: string[];
  variant?: string;
  config?: ExecutionConfig;
  rootfs: { type: "layers"; diff_ids: Digest[] };
  history?: HistoryEntry[];
  /** Docker's: which version built it, and a comment of the committer. */
  docker_version?: string;
  comment?: string;
}

/** The defaults that a container inherits. */
export interface ExecutionConfig {
  User?: string;
  ExposedPorts?: Record<string, Record<string, never>>;
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  Volumes?: Record<string, Record<string, never>>;
  WorkingDir?: string;
  Labels?: Record<string, string>;
  StopSignal?: string;
  /** Docker's: seconds `stop` waits. */
  StopTimeout?: number;
  /** Docker's: what SHELL-form commands are wrapped in. */
  Shell?: string[];
  OnBuild?: string[];
  ArgsEscaped?: boolean;
  Healthcheck?: ImageHealthcheck;
}

/** Docker's health check; durations in nanoseconds, as in the document. 0 is inherit. */
export interface ImageHealthcheck {
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

export interface HistoryEntry {
  created?: string;
  author?: string;
  created_by?: string;
  comment?: string;
  empty_layer?: boolean;
}

/** The parsed config beside its bytes; the image id is the digest of the bytes. */
export interface ParsedImageConfig {
  readonly config: ImageConfig;
  readonly raw: Uint8Array;
  readonly imageId: Digest;
}

/** Reads an image's config. Unknown fields are ignored, as the specification demands. Throws `invalid`. */
export function parseImageConfig(raw: Uint8Array): ParsedImageConfig {
  const fields = new FieldReader(parseJson(raw, "image config", CONFIG_BYTES_MAX), "image config");
  const execution = fields.value("config");
  const config = defined<ImageConfig>({
    created: fields.string("created"),
    author: fields.string("author"),
    architecture: fields.string("architecture") ?? "",
    // Docker has not always written it, and meant Linux.
    os: fields.string("os") || "linux",
    "os.version": fields.string("os.version"),
    "os.features": fields.strings("os.features"),
    variant: fields.string("variant") || undefined,
    config: execution === undefined ? undefined : parseExecution(execution),
    rootfs: parseRootfs(fields.value("rootfs")),
    history: fields.array("history")?.map((entry, i) => parseHistory(entry, i)),
    docker_version: fields.string("docker_version"),
    comment: fields.string("comment"),
  });
  return { config, raw, imageId: digestOf(raw) };
}

function parseRootfs(value: unknown): ImageConfig["rootfs"] {
  const fields = new FieldReader(value, "image config, rootfs");
  if (fields.requiredString("type") !== "layers") fields.fail("type", `is not "layers"`);
  // An image without layers may say null here (`FROM scratch` with nothing added).
  const ids = fields.strings("diff_ids") ?? [];
  return { type: "layers", diff_ids: ids.map((id) => (isDigest(id) ? id : fields.fail("diff_ids", "has an entry that is not a digest"))) };
}

function parseHistory(value: unknown, index: number): HistoryEntry {
  const fields = new FieldReader(value, `image config, history ${index + 1}`);
  return defined<HistoryEntry>({
    created: fields.string("created"),
    author: fields.string("author"),
    created_by: fields.string("created_by"),
    comment: fields.string("comment"),
    empty_layer: fields.boolean("empty_layer"),
  });
}

function parseExecution(value: unknown): ExecutionConfig {
  const fields = new FieldReader(value, "image config, config");
  const healthcheck = fields.value("Healthcheck");
  const execution = defined<ExecutionConfig>({
    User: fields.string("User"),
    ExposedPorts: fields.set("ExposedPorts"),
    Env: fields.strings("Env"),
    Entrypoint: commandOf(fields, "Entrypoint"),
    Cmd: commandOf(fields, "Cmd"),
    Volumes: fields.set("Volumes"),
    WorkingDir: fields.string("WorkingDir"),
    Labels: fields.stringMap("Labels"),
    StopSignal: fields.string("StopSignal"),
    StopTimeout: fields.natural("StopTimeout"),
    Shell: fields.strings("Shell"),
    OnBuild: fields.strings("OnBuild"),
    ArgsEscaped: fields.boolean("ArgsEscaped"),
    Healthcheck: healthcheck === undefined ? undefined : parseHealthcheck(healthcheck),
  });
  refuseNul(fields, execution);
  return execution;
}

/** Docker's engine also accepts one string where it means an array of one (strslice). */
function commandOf(fields: FieldReader, name: string): string[] | undefined {
  const value = fields.value(name);
  return typeof value === "string" ? [value] : fields.strings(name);
}

/** execve(2) ends strings at NUL: what would run would not be what is written. */
function refuseNul(fields: FieldReader, config: ExecutionConfig): void {
  const lists = {
    Env: config.Env, Entrypoint: config.Entrypoint, Cmd: config.Cmd, User: [config.User ?? ""], WorkingDir: [config.WorkingDir ?? ""],
    Volumes: Object.keys(config.Volumes ?? {}),
  };
  for (const [name, list] of Object.entries(lists)) if (list?.some((text) => text.includes("\0")) === true) fields.fail(name, "contains a NUL byte");
}

function parseHealthcheck(value: unknown): ImageHealthcheck {
  const fields = new FieldReader(value, "image config, Healthcheck");
  return defined<ImageHealthcheck>({
    Test: fields.strings("Test"),
    Interval: fields.natural("Interval"),
    Timeout: fields.natural("Timeout"),
    StartPeriod: fields.natural("StartPeriod"),
    StartInterval: fields.natural("StartInterval"),
    Retries: fields.natural("Retries"),
  });
}

/** What the image says it runs on. */
export function platformOfConfig(config: ImageConfig): Platform {
  return defined<Platform>({
    os: config.os,
    architecture: config.architecture,
    variant: config.variant,
    "os.version": config["os.version"],
    "os.features": config["os.features"],
  });
}

/**
 * The chain ids of a stack of layers, bottom first: each names a layer together with all beneath it
 * (image-spec config.md, "Layer ChainID"), and is what an unpacked layer is stored under.
 */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}

/** A config whose diff IDs are not one per layer of its manifest describes some other image. Throws `invalid`. */
export function requireMatchingLayers(config: ImageConfig, layers: readonly unknown[]): void {
  const { length } = config.rootfs.diff_ids;
  if (length !== layers.length) {
    throw new SampanError("invalid", `Cannot read image config: it has ${length} diff IDs for the ${layers.length} layers of its manifest`);
  }
}

/**
 * What a caller has passed, seen as what it is: TypeScript holds the types of those who write it, and nothing those of a value that
 * was computed, or of a program in JavaScript. Every problem is told at once, before anything is made.
 */
import { ProblemsError } from "../base/errors.ts";
import type { ExecResultOptions } from "./exec.ts";
import type { BulkOptions, RunOptions } from "./run.ts";

/** What the value should be instead; undefined if it is. */
export type Check = (value: unknown) => string | undefined;
export type Checks<Options> = Readonly<Record<keyof Options, Check>>;

export const text: Check = (value) => (typeof value !== "string" ? "a string" : value.includes("\0") ? "a string without NUL" : undefined);
const path: Check = (value) => (text(value) === undefined && value !== "" ? undefined : "a path");
export const flag: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");
// whatever it is
export const oneOf = (...words: string[]): Check =>
  (value) => (words.includes(value as string) ? undefined : words.map((word) => JSON.stringify(word)).join(" or "));
// a number, as was seen
export const whole = (least: number, what: string): Check =>
  (value) => (Number.isSafeInteger(value) && (value as number) >= least ? undefined : `a whole number of ${what}${least === 0 ? "" : `, ${least} or more`}`);
const positive: Check = (value) => (typeof value === "number" && value > 0 && Number.isFinite(value) ? undefined : "a number above 0");
/** setTimeout's longest: 24 days. */
const LONGEST_MS = 2 ** 31 - 1;
// a number, as was seen
const milliseconds: Check = (value) =>
  (positive(value) === undefined && (value as number) <= LONGEST_MS ? undefined : `a number of milliseconds above 0, ${LONGEST_MS} at most`);
const output: Check = (value) => (value === Infinity ? undefined : whole(0, "bytes")(value) && "a whole number of bytes, or Infinity");
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value);

export const listOf = (each: Check): Check => (value) => {
  if (!Array.isArray(value)) return "an array";
  const wrong = value.map(each).find((problem) => problem !== undefined);
  return wrong === undefined ? undefined : `an array of which each is ${wrong}`;
};

export const record: Check = (value) =>
  (isObject(value) && Object.entries(value).every(([name, each]) => text(name) === undefined && text(each) === undefined)
    ? undefined
    : "an object of strings without NUL");

/** An object of these fields and no others; those of `needed` must be there. */
export const shape = (fields: Readonly<Record<string, Check>>, needed: readonly string[] = []): Check => (value) => {
  if (!isObject(value)) return "an object";
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(fields, name));
  if (unknown !== undefined) return `an object without "${unknown}"${suggestion(unknown, Object.keys(fields))}`;
  const missing = needed.find((name) => value[name] === undefined);
  if (missing !== undefined) return `an object with "${missing}"`;
  for (const [name, each] of Object.entries(value)) {
    const wrong = each === undefined ? undefined : fields[name]?.(each);
    if (wrong !== undefined) return `an object with ${wrong} as "${name}"`;
  }
  return undefined;
};

const env: Check = (value) => {
  if (Array.isArray(value)) return listOf(text)(value);
  const wrong = record(value);
  if (wrong !== undefined) return `an array of strings or ${wrong}`;
  // an object, as was seen
  return Object.keys(value as object).every((name) => name !== "" && !name.includes("=")) ? undefined : `an object whose names are not empty and have no "="`;
};

const input: Check = (value) => {
  if (typeof value === "string" || value instanceof Uint8Array) return undefined;
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value ? undefined : "a string, bytes or an async iterable of them";
};
export const signal: Check = (value) => (value instanceof AbortSignal ? undefined : "an AbortSignal");
const seccomp: Check = (value) => (value === "unconfined" || isObject(value) ? undefined : `a profile as an object, or "unconfined"`);
// a number, as was seen
const port: Check = (value) => (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535 ? undefined : "a port number");

const deviceLimits = listOf(shape({ path: text, value: whole(0, "bytes, operations or points") }, ["path", "value"]));
export const resources = shape({
  memoryBytes: whole(0, "bytes"), memorySwapBytes: whole(-1, "bytes"), memoryReservationBytes: whole(0, "bytes"),
  memorySwappiness: whole(0, "per cent"), oomKillDisable: flag,
  oomScoreAdj: whole(-1000, "points"), nanoCpus: whole(0, "billionths of a CPU"), cpuShares: whole(0, "shares"),
  cpuQuotaUs: whole(-1, "microseconds"), cpuPeriodUs: whole(0, "microseconds"),
  cpusetCpus: text, cpusetMems: text, pidsLimit: whole(-1, "processes"), blkioWeight: whole(0, "points"), blkioWeightDevices: deviceLimits,
  deviceReadBps: deviceLimits, deviceWriteBps: deviceLimits, deviceReadIops: deviceLimits, deviceWriteIops: deviceLimits, deviceCgroupRules: listOf(text),
});
export const restart = shape(
  { name: oneOf("no", "always", "on-failure", "unless-stopped", "on-unhealthy"), maximumRetryCount: whole(0, "retries") },
  ["name", "maximumRetryCount"],
);

const RUN: Checks<Required<RunOptions>> = {
  image: text, command: listOf(text), entrypoint: listOf(text), rootfs: shape({ path: text, writable: flag }, ["path", "writable"]),
  name: text, interactive: flag, tty: flag, init: flag,
  readonlyRootfs: flag, privileged: flag, hostname: text, domainname: text, user: text, groupAdd: listOf(text), workdir: text, env,
  labels: record, annotations: record,
  mounts: listOf(shape({
    type: oneOf("bind", "volume", "tmpfs"), source: text, target: text, readonly: flag, propagation: text, createSource: flag, nocopy: flag,
    subpath: text, volumeOptions: record, volumeLabels: record,
    nonrecursive: flag, tmpfsSizeBytes: whole(0, "bytes"), tmpfsMode: whole(0, "mode bits"), tmpfsOptions: listOf(text),
  }, ["target"])),
  volumesFrom: listOf(text),
  devices: listOf(shape({ hostPath: text, containerPath: text, permissions: text }, ["hostPath", "containerPath", "permissions"])),
  shmSizeBytes: whole(1, "bytes"),
  capAdd: listOf(text), capDrop: listOf(text), securityOpt: listOf(text), seccomp, sysctls: record,
  ulimits: listOf(shape({ name: text, soft: whole(-1, "what it limits"), hard: whole(-1, "what it limits") }, ["name", "soft", "hard"])),
  resources, memoryBytes: whole(0, "bytes"), cpus: positive, pidsLimit: whole(-1, "processes"), cgroupParent: text, pidMode: text,
  ipcMode: text, utsMode: text, usernsMode: text, cgroupnsMode: text,
  network: text,
  networks: listOf(shape(
    { network: text, aliases: listOf(text), ipv4: text, ipv6: text, macAddress: text, linkLocalIps: listOf(text) },
    ["network", "aliases"],
  )),
  ports: listOf(shape({ hostIp: text, hostPort: port, hostPortEnd: port, containerPort: port, protocol: oneOf("tcp", "udp", "sctp") }, ["containerPort"])),
  publishAll: flag, expose: listOf(text),
  addHosts: listOf(text), dns: listOf(text), dnsSearch: listOf(text), dnsOptions: listOf(text), restart,
  health: shape({
    test: listOf(text), intervalMs: whole(0, "milliseconds"), timeoutMs: whole(0, "milliseconds"), startPeriodMs: whole(0, "milliseconds"),
    startIntervalMs: whole(0, "milliseconds"), retries: whole(0, "retries"),
  }),
  stopSignal: text, stopTimeoutSeconds: whole(-1, "seconds"), pull: oneOf("always", "missing", "never"), platform: text, logDriver: text, logOptions: record,
  signal, stdin: input, timeoutMs: milliseconds, keep: flag, maxOutputBytes: output,
};

const EXEC: Checks<Required<ExecResultOptions>> = {
  signal, privileged: flag, user: text, workdir: text, env, stdin: input, timeoutMs: milliseconds, maxOutputBytes: output,
};
const BULK: Checks<Required<BulkOptions>> = { signal, concurrency: whole(1, "containers") };

export function checkEngineOptions(options: unknown): void {
  check(options, { root: path, state: path });
}

export function checkRunOptions(options: unknown): void {
  check(options, RUN, ["image"]);
}

export function checkExecOptions(command: unknown, options: unknown): void {
  check(options, EXEC, []);
  const wrong = listOf(text)(command);
  if (wrong !== undefined) throw new ProblemsError([`The command is not ${wrong}: ${show(command)}`]);
}

export function checkAttachOptions(options: unknown): void {
  check(options, { signal, stdin: input }, []);
}

export function checkBulkOptions(options: unknown): void {
  check(options, BULK, []);
}

/** What each argument of a call should be, in their order. */
export function checkArguments(given: readonly unknown[], checks: Readonly<Record<string, Check>>): void {
  const problems = Object.entries(checks).flatMap(([name, one], i) => {
    const wrong = one(given[i]);
    return wrong === undefined ? [] : [`Argument "${name}" is not ${wrong}: ${show(given[i])}`];
  });
  if (problems.length > 0) throw new ProblemsError(problems);
}

export function check(options: unknown, checks: Readonly<Record<string, Check>>, needed: readonly string[] = []): void {
  if (!isObject(options)) throw new ProblemsError([`The options are not an object: ${show(options)}`]);
  const problems = needed.filter((name) => options[name] === undefined).map((name) => `Option "${name}" is missing`);
  for (const [name, value] of Object.entries(options)) {
    const one = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (one === undefined) problems.push(`There is no option "${name}"${suggestion(name, Object.keys(checks))}`);
    else {
      const wrong = value === undefined ? undefined : one(value);
      if (wrong !== undefined) problems.push(`Option "${name}" is not ${wrong}: ${show(value)}`);
    }
  }
  if (problems.length > 0) throw new ProblemsError(problems);
}

/** What begins in the same way, if anything does. */
function suggestion(name: string, known: readonly string[]): string {
  const start = name.slice(0, 3).toLowerCase();
  const similar = known.filter((each) => each.toLowerCase().startsWith(start));
  return similar.length === 0 ? "" : `: ${similar.map((each) => `"${each}"`).join(" or ")} might be meant`;
}

function show(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint" || value === undefined) return String(value);
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  try {
    const shown = JSON.stringify(value);
    return shown.length > 80 ? `${shown.slice(0, 80)}…` : shown;
  } catch {
    return "an object"; // that contains itself
  }
}

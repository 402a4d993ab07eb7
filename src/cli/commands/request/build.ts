import { ProblemsError, SampanError } from "../../../base/errors.ts";
import { type MountRequest, type RunRequest, emptyRunRequest } from "../../../engine/request.ts";
import { requestProblems } from "../../../engine/request-rules.ts";
import { pairsToRecord } from "../../parse/key-value.ts";
import { readKeyValueFile } from "../../parse/kv-file.ts";
import { parseMount } from "../../parse/mount.ts";
import { absolutePath, parseVolume } from "../../parse/volume.ts";
import type { CreationValues, RunValues } from "./flags.ts";
import { buildHealth } from "./health.ts";
import { buildNetworks } from "./networks.ts";
import { buildResources } from "./resources.ts";
import { buildSecurityOptions } from "./seccomp.ts";

/** Where a request is made: relative paths and variables without a value are looked up here. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

export interface CommandLine<Values> {
  readonly flags: Values;
  readonly given: ReadonlySet<string>;
  /** IMAGE COMMAND ARG…, or with --rootfs COMMAND ARG… */
  readonly args: readonly string[];
  /** "run": for the hint. */
  readonly path: string;
}

/** The request of `sampan run`. Throws ProblemsError with every problem, exit code 125, nothing made. */
export function buildRunRequest(line: CommandLine<RunValues>, surroundings: Surroundings): RunRequest {
  const problems: string[] = [];
  const request = fill(line, surroundings, problems);
  const { flags } = line;
  request.detach = flags.detach;
  request.sigProxy = flags["sig-proxy"];
  if (flags["detach-keys"] !== undefined) request.detachKeys = flags["detach-keys"];
  if (flags.detach) {
    if (flags.attach.length > 0) problems.push("conflicting options: cannot specify both --attach and --detach");
    request.attach = [];
  }
  return finish(request, line.path, problems);
}

/** The request of `sampan create`: as `run -d`, not started. */
export function buildCreateRequest(line: CommandLine<CreationValues>, surroundings: Surroundings): RunRequest {
  const problems: string[] = [];
  return finish(fill(line, surroundings, problems), line.path, problems);
}

/** The problems that building a request meets, as values. */
export function problemsOf(build: () => RunRequest): readonly string[] {
  try {
    build();
    return [];
  } catch (error) {
    if (error instanceof ProblemsError) return error.problems;
    throw error;
  }
}

function finish(request: RunRequest, path: string, problems: string[]): RunRequest {
  problems.push(...requestProblems(request));
  if (problems.length > 0) throw new ProblemsError([...new Set(problems)], { exitCode: 125, hint: `See 'sampan ${path} --help'.` });
  return request;
}

/** The value of a parser, or undefined with the reason among the problems. */
function attempt<T>(problems: string[], describe: (reason: string) => string, parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof SampanError) || error.kind !== "invalid") throw error;
    problems.push(describe(error.message));
    return undefined;
  }
}

function fill(line: CommandLine<CreationValues>, surroundings: Surroundings, problems: string[]): RunRequest {
  const { flags, given, args } = line;
  const request = emptyRunRequest("");
  if (flags.rootfs === undefined) {
    request.image = args[0] ?? "";
    request.command = args.slice(1);
    if (request.image === "") problems.push("invalid reference format: the image name is empty");
  } else {
    request.rootfs = parseRootfs(flags.rootfs, surroundings.cwd);
    if (/^(?::r[wo])?$/.test(flags.rootfs)) problems.push(`invalid argument ${JSON.stringify(flags.rootfs)} for "--rootfs" flag: the path is empty`);
    request.command = [...args];
  }
  fillProcess(request, line, surroundings, problems);
  request.remove = flags.rm;
  request.labels = pairsToRecord([...readFiles("--label-file", flags["label-file"], surroundings.cwd, () => undefined, problems), ...flags.label]);
  request.annotations = pairsToRecord(flags.annotation);
  request.mounts = buildMounts(flags, surroundings.cwd, problems);
  request.volumesFrom = [...flags["volumes-from"]];
  request.devices = [...flags.device];
  request.readonlyRootfs = flags["read-only"];
  request.privileged = flags.privileged;
  request.capAdd = [...flags["cap-add"]];
  request.capDrop = [...flags["cap-drop"]];
  request.securityOpt = buildSecurityOptions(flags["security-opt"], surroundings.cwd, problems);
  request.sysctls = pairsToRecord(flags.sysctl);
  // The last limit of a name counts.
  request.ulimits = [...new Map(flags.ulimit.map((limit) => [limit.name, limit])).values()];
  request.resources = buildResources(flags, problems);
  if (flags["device-cgroup-rule"].length > 0) request.resources.deviceCgroupRules = [...flags["device-cgroup-rule"]];
  const perDevice = {
    blkioWeightDevices: flags["blkio-weight-device"],
    deviceReadBps: flags["device-read-bps"],
    deviceWriteBps: flags["device-write-bps"],
    deviceReadIops: flags["device-read-iops"],
    deviceWriteIops: flags["device-write-iops"],
  };
  for (const key of ["blkioWeightDevices", "deviceReadBps", "deviceWriteBps", "deviceReadIops", "deviceWriteIops"] as const)
    if (perDevice[key].length > 0) request.resources[key] = [...perDevice[key]];
  if (given.has("oom-kill-disable")) request.resources.oomKillDisable = flags["oom-kill-disable"];
  if (flags["oom-score-adj"] !== undefined) request.resources.oomScoreAdj = flags["oom-score-adj"];
  if (flags["memory-swappiness"] !== undefined && flags["memory-swappiness"] !== -1) request.resources.memorySwappiness = flags["memory-swappiness"];
  request.pidMode = flags.pid ?? "";
  request.ipcMode = flags.ipc ?? "";
  request.utsMode = flags.uts ?? "";
  request.usernsMode = flags.userns ?? "";
  request.cgroupnsMode = flags.cgroupns ?? "";
  request.networks = buildNetworks(flags, problems);
  request.ports = flags.publish.flat();
  request.publishAll = flags["publish-all"];
  request.expose = flags.expose.flat();
  request.addHosts = [...flags["add-host"]];
  request.dns = [...flags.dns];
  request.dnsSearch = [...flags["dns-search"]];
  request.dnsOptions = [...flags["dns-option"]];
  request.restart = flags.restart ?? request.restart;
  request.health = buildHealth(flags, problems);
  request.pull = parsePullPolicy(flags.pull, problems);
  request.logDriver = flags["log-driver"] ?? request.logDriver;
  request.logOptions = pairsToRecord(flags["log-opt"]);
  // Zero is Docker's word for the default size.
  if (flags["shm-size"] !== undefined && flags["shm-size"] !== 0) request.shmSizeBytes = flags["shm-size"];
  if (flags.name !== undefined) request.name = flags.name;
  if (flags["cgroup-parent"] !== undefined) request.cgroupParent = flags["cgroup-parent"];
  if (flags["stop-signal"] !== undefined) request.stopSignal = flags["stop-signal"];
  if (flags["stop-timeout"] !== undefined) request.stopTimeoutSeconds = flags["stop-timeout"];
  if (flags.platform !== undefined) request.platform = flags.platform;
  if (flags.cidfile !== undefined) request.cidfile = absolutePath(flags.cidfile, surroundings.cwd);
  return request;
}

function fillProcess(request: RunRequest, { flags, given }: CommandLine<CreationValues>, surroundings: Surroundings, problems: string[]): void {
  if (given.has("entrypoint")) request.entrypoint = [flags.entrypoint ?? ""];
  request.interactive = flags.interactive;
  request.tty = flags.tty;
  if (flags.attach.length > 0) request.attach = [...new Set(flags.attach)];
  if (flags.interactive && !request.attach.includes("stdin")) request.attach = ["stdin", ...request.attach];
  request.init = flags.init;
  request.groupAdd = [...flags["group-add"]];
  const lookup = (key: string): string | undefined => surroundings.env[key];
  const fromFiles = readFiles("--env-file", flags["env-file"], surroundings.cwd, lookup, problems);
  // A name alone takes the caller's value; where there is none it stays alone, and unsets the image's.
  request.env = [...fromFiles, ...flags.env.map((pair) => (pair.includes("=") || lookup(pair) === undefined ? pair : `${pair}=${lookup(pair) ?? ""}`))];
  if (flags.hostname !== undefined) request.hostname = flags.hostname;
  if (flags.domainname !== undefined) request.domainname = flags.domainname;
  if (flags.user !== undefined) request.user = flags.user;
  if (flags.workdir !== undefined) request.workdir = flags.workdir;
}

function readFiles(flag: string, paths: readonly string[], cwd: string, lookup: (key: string) => string | undefined, problems: string[]): string[] {
  return paths.flatMap((path) => attempt(problems, (reason) => `${flag}: ${reason}`, () => readKeyValueFile(path, cwd, lookup)) ?? []);
}

function parseRootfs(text: string, cwd: string): { path: string; writable: boolean } {
  const writable = text.endsWith(":rw");
  return { path: absolutePath(text.replace(/:r[wo]$/, ""), cwd), writable };
}

function buildMounts(flags: CreationValues, cwd: string, problems: string[]): MountRequest[] {
  const describe = (flag: string, text: string) => (reason: string) => `invalid argument ${JSON.stringify(text)} for "${flag}" flag: ${reason}`;
  const mounts: (MountRequest | undefined)[] = [
    ...flags.volume.map((text) => attempt(problems, describe("-v, --volume", text), () => parseVolume(text, cwd))),
    ...flags.mount.map((text) => attempt(problems, describe("--mount", text), () => parseMount(text, cwd))),
    ...flags.tmpfs,
  ];
  return mounts.filter((mount) => mount !== undefined);
}

function parsePullPolicy(text: string | undefined, problems: string[]): RunRequest["pull"] {
  if (text === undefined || text === "" || text === "missing") return "missing";
  if (text === "always" || text === "never") return text;
  problems.push(`invalid pull option: '${text}': must be one of "always", "missing" or "never"`);
  return "missing";
}

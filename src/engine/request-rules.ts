import { SampanError } from "../base/errors.ts";
import { parseIp } from "../network/ip.ts";
import { signalNumber } from "./containers/signal-numbers.ts";
import type { ResourceRequest, RunRequest } from "./request.ts";
import { logProblems } from "./spec/log-options.ts";

type Rule = (request: RunRequest) => string | undefined | false;

/**
 * What a request may not say, one rule each, in the words of Docker's daemon where it has them. Rules look at what was asked for
 * before they reach for a pattern: compiling one costs as much as all the rest of a rule.
 */
const rules: readonly Rule[] = [
  ({ name }) => name !== undefined && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name) &&
    `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  ({ workdir }) => workdir !== undefined && workdir !== "" && !workdir.startsWith("/") &&
    `the working directory '${workdir}' is invalid, it needs to be an absolute path`,
  ({ user }) => user !== undefined && user !== "" && userProblem(user),
  // sethostname(2), setdomainname(2): at most 64 bytes. Both are written into the hosts file, where white space ends a name.
  ({ hostname }) => hostname !== undefined && Buffer.byteLength(hostname) > 64 && `invalid hostname: ${hostname} is longer than 64 bytes`,
  ({ hostname }) => hostname !== undefined && /[\s/\0]/.test(hostname) && `invalid hostname: ${JSON.stringify(hostname)}`,
  ({ domainname }) => domainname !== undefined && Buffer.byteLength(domainname) > 64 && `invalid domainname: ${domainname} is longer than 64 bytes`,
  ({ domainname }) => domainname !== undefined && /[\s/\0]/.test(domainname) && `invalid domainname: ${JSON.stringify(domainname)}`,
  ({ platform }) => platform !== undefined && !/^[a-z0-9]+(\/[a-z0-9_]+(\/[a-z0-9.]+)?)?$/.test(platform) &&
    `invalid platform ${JSON.stringify(platform)}: expected os[/arch[/variant]]`,
  ({ remove, restart }) => remove && restart.name !== "no" && "conflicting options: cannot specify both --restart and --rm",
  ({ pidMode }) => pidMode !== "" && !/^(host|container:.+)$/.test(pidMode) && "--pid: invalid PID mode",
  ({ ipcMode }) => ipcMode !== "" && !/^(private|shareable|host|none|container:.+)$/.test(ipcMode) && "--ipc: invalid IPC mode",
  ({ utsMode }) => utsMode !== "" && utsMode !== "host" && "--uts: invalid UTS mode",
  ({ usernsMode }) => usernsMode !== "" && !/^(host|private)$/.test(usernsMode) && "--userns: invalid USER mode",
  ({ cgroupnsMode }) => cgroupnsMode !== "" && !/^(host|private)$/.test(cgroupnsMode) && "--cgroupns: invalid CGROUP mode",
  ({ hostname, utsMode }) => hostname !== undefined && utsMode === "host" && "conflicting options: hostname and the UTS mode",
  ({ domainname, utsMode }) => domainname !== undefined && utsMode === "host" && "conflicting options: domainname and the UTS mode",
  ({ logDriver }) => !["json-file", "local", "none"].includes(logDriver) && `unknown log driver ${JSON.stringify(logDriver)}: use json-file or none`,
  ({ logDriver, logOptions }) => logDriver === "none" && Object.keys(logOptions).length > 0 && "invalid logging opts for driver none",
  ({ volumesFrom }) => volumesFrom
    .filter((text) => !/^[^:]+(:(ro|rw|z|Z|nocopy)(,(ro|rw|z|Z|nocopy))*)?$/.test(text))
    .map((text) => `invalid volumes-from specification: ${JSON.stringify(text)}`)[0],
  ({ rootfs, pull, platform }) => rootfs !== undefined && (pull !== "missing" || platform !== undefined) &&
    "conflicting options: --rootfs takes no image, so neither --pull nor --platform",
  ({ usernsMode, privileged }) => usernsMode === "private" && privileged &&
    "conflicting options: privileged mode is incompatible with user namespaces; use --userns=host",
  ({ env }) => env.filter((pair) => pair === "" || pair.startsWith("=")).map((pair) => `invalid environment variable: ${pair}`).join("\n"),
  ({ stopSignal }) => stopSignal !== undefined && signalProblem(stopSignal),
  ...networkRules(),
];

/** What no image could give a meaning to (CVE-2024-40635): whether a name is known is the image's to say. */
function userProblem(user: string): string | undefined {
  const [name = "", group = "", more] = user.split(":");
  if (user === ":" || more !== undefined) return `Cannot use user "${user}": it is to be USER or USER:GROUP`;
  for (const part of [name, group]) {
    if (/^[0-9]+$/.test(part) ? Number(part) >= 2 ** 31 : /^([+-]|0x)/i.test(part))
      return `Cannot use user "${user}": "${part}" is neither a name nor a number from 0 to ${2 ** 31 - 1}`;
  }
  return undefined;
}

function signalProblem(name: string): string | undefined {
  try {
    signalNumber(name);
    return undefined;
  } catch (error) {
    if (error instanceof SampanError) return error.message;
    throw error;
  }
}

function networkRules(): Rule[] {
  const shared = (request: RunRequest): boolean => request.networks[0]?.network.startsWith("container:") === true;
  return [
    (request) => shared(request) && request.hostname !== undefined && "conflicting options: hostname and the network mode",
    (request) => shared(request) && (request.ports.length > 0 || request.publishAll) &&
      "conflicting options: port publishing and the container type network mode",
    (request) => shared(request) && request.expose.length > 0 && "conflicting options: port exposing and the container type network mode",
    (request) => shared(request) && request.dns.length > 0 && "conflicting options: dns and the network mode",
    (request) => shared(request) && request.addHosts.length > 0 && "conflicting options: custom host-to-IP mapping and the network mode",
  ];
}

/** Every problem of a request that it has whatever the image and the host are. */
export function requestProblems(request: RunRequest): string[] {
  const problems = rules.map((rule) => rule(request)).filter((problem) => typeof problem === "string" && problem !== "") as string[]; // as was just seen
  problems.push(...resourceProblems(request.resources), ...mountProblems(request), ...networkProblems(request), ...logProblems(request));
  for (const { name, soft, hard } of request.ulimits)
    if (hard !== -1 && (soft === -1 || soft > hard))
      problems.push(`ulimit soft limit must be less than or equal to hard limit: ${name} ${soft === -1 ? "-1 (unlimited)" : soft} > ${hard}`);
  return problems;
}

/** Beneath this the kernel kills a static program before its first instruction. Docker asks for 6 MB, which is more than a shell needs. */
const LEAST_MEMORY_BYTES = 512 << 10;

/** What contradicts itself, or is nothing that Linux knows, in the words of Docker's daemon. Zero asks for no limit. */
function resourceProblems(limits: ResourceRequest): string[] {
  const problems: string[] = [];
  const { memoryBytes: memory = 0, memorySwapBytes: swap = 0, memoryReservationBytes: reservation = 0, memorySwappiness, oomScoreAdj } = limits;
  const {
    nanoCpus = 0, cpuPeriodUs: period = 0, cpuQuotaUs: quota = 0, cpuShares: shares = 0, cpusetCpus = "", cpusetMems = "",
    blkioWeight: weight = 0,
  } = limits;
  if (memory !== 0 && memory < LEAST_MEMORY_BYTES) problems.push("Minimum memory limit allowed is 512KB");
  if (swap > 0 && memory === 0) problems.push("You should always set the Memory limit when using Memoryswap limit, see usage");
  else if (swap > 0 && swap < memory) problems.push("Minimum memoryswap limit should be larger than memory limit, see usage");
  if (memory !== 0 && memory < reservation) problems.push("Minimum memory limit can not be less than memory reservation limit, see usage");
  if (memorySwappiness !== undefined && (memorySwappiness < 0 || memorySwappiness > 100))
    problems.push(`invalid value: ${memorySwappiness}. Valid memory swappiness range is 0-100`);
  if (oomScoreAdj !== undefined && (oomScoreAdj < -1000 || oomScoreAdj > 1000))
    problems.push(`Invalid value ${oomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  if (nanoCpus !== 0 && period !== 0) problems.push("Conflicting options: Nano CPUs and CPU Period cannot both be set");
  if (nanoCpus !== 0 && quota !== 0) problems.push("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  if (period !== 0 && (period < 1000 || period > 1_000_000))
    problems.push("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  if (quota !== 0 && quota !== -1 && quota < 1000) problems.push("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  if (shares !== 0 && (shares < 2 || shares > 262_144)) problems.push(`invalid CPU shares ${shares}: valid values are from 2 to 262144`);
  if (cpusetCpus !== "" && !isCpuset(cpusetCpus)) problems.push(`Invalid value ${cpusetCpus} for cpuset cpus`);
  if (cpusetMems !== "" && !isCpuset(cpusetMems)) problems.push(`Invalid value ${cpusetMems} for cpuset mems`);
  if (weight !== 0 && (weight < 10 || weight > 1000)) problems.push("Range of blkio weight is from 10 to 1000");
  return problems;
}

/** The same of an update. What a container already has may be the other half of a pair, so a lone swap limit is judged with that. */
export function updateProblems(limits: ResourceRequest): string[] {
  const { memorySwapBytes: _, ...others } = limits;
  return resourceProblems(limits.memoryBytes === undefined ? others : limits);
}

/** A list of CPUs or memory nodes as cpuset(7) writes it: "0-3", "0,2". */
function isCpuset(text: string): boolean {
  return text.split(",").every((part) => {
    const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(part);
    return match !== null && (match[2] === undefined || Number(match[1]) <= Number(match[2]));
  });
}

function mountProblems({ mounts }: RunRequest): string[] {
  const problems: string[] = [];
  const targets = new Set<string>();
  for (const { type, source, target } of mounts) {
    if (!target.startsWith("/")) problems.push(`invalid mount path: '${target}' mount path must be absolute`);
    if (type === "bind" && !source.startsWith("/"))
      problems.push(`invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`);
    if (targets.has(target)) problems.push(`Duplicate mount point: ${target}`);
    targets.add(target);
  }
  return problems;
}

function networkProblems({ ports, expose, dns, addHosts }: RunRequest): string[] {
  const isPort = (port: number, least: number): boolean => Number.isInteger(port) && port >= least && port <= 65_535;
  const problems: string[] = [];
  for (const { hostIp, hostPort, hostPortEnd = hostPort, containerPort } of ports) {
    if (!isPort(containerPort, 1)) problems.push(`invalid containerPort: ${containerPort}`);
    if (!isPort(hostPort, 0) || !isPort(hostPortEnd, hostPort))
      problems.push(`invalid hostPort: ${hostPort}${hostPortEnd === hostPort ? "" : `-${hostPortEnd}`}`);
    if (hostIp !== "" && parseIp(hostIp) === undefined) problems.push(`Invalid ip address: ${hostIp}`);
  }
  for (const text of expose) if (!/^[0-9]{1,5}\/(tcp|udp|sctp)$/.test(text)) problems.push(`invalid range format for --expose: ${text}`);
  for (const text of dns) if (parseIp(text) === undefined) problems.push(`${text} is not an ip address`);
  for (const text of addHosts) if (!/^[^:]+:.+/.test(text)) problems.push(`bad format for add-host: ${JSON.stringify(text)}`);
  return problems;
}

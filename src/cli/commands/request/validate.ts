import type { RunRequest } from "../../../engine/request.ts";

type Rule = (request: RunRequest) => string | undefined | false;

/**
 * What a request may not say, one rule each, in the words of Docker's daemon where it has them. Rules look at what was asked for
 * before they reach for a pattern: compiling one costs as much as all the rest of a rule.
 */
const rules: readonly Rule[] = [
  ({ name }) => name !== undefined && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name) && `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  ({ workdir }) => workdir !== undefined && workdir !== "" && !workdir.startsWith("/") && `the working directory '${workdir}' is invalid, it needs to be an absolute path`,
  ({ user }) => user !== undefined && user !== "" && userProblem(user),
  // sethostname(2): at most 64 bytes.
  ({ hostname }) => hostname !== undefined && Buffer.byteLength(hostname) > 64 && `invalid hostname: ${hostname} is longer than 64 bytes`,
  ({ hostname }) => hostname !== undefined && /[\s/\0]/.test(hostname) && `invalid hostname: ${JSON.stringify(hostname)}`,
  ({ platform }) => platform !== undefined && !/^[a-z0-9]+(\/[a-z0-9_]+(\/[a-z0-9.]+)?)?$/.test(platform) && `invalid platform ${JSON.stringify(platform)}: expected os[/arch[/variant]]`,
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
  ({ resources: { memorySwappiness: value } }) => value !== undefined && (value < 0 || value > 100) && `invalid value: ${value}. Valid memory swappiness range is 0-100`,
  ({ resources: { oomScoreAdj: value } }) => value !== undefined && (value < -1000 || value > 1000) && `Invalid value ${value}, range for oom score adj is [-1000, 1000]`,
  ({ volumesFrom }) => volumesFrom.map((text) => /^[^:]+(:(ro|rw|z|Z|nocopy)(,(ro|rw|z|Z|nocopy))*)?$/.test(text) ? "" : `invalid volumes-from specification: ${JSON.stringify(text)}`).find((problem) => problem !== ""),
  ({ rootfs, pull, platform }) => rootfs !== undefined && (pull !== "missing" || platform !== undefined) && "conflicting options: --rootfs takes no image, so neither --pull nor --platform",
  ({ usernsMode, privileged }) => usernsMode === "private" && privileged && "conflicting options: privileged mode is incompatible with user namespaces; use --userns=host",
  ...networkRules(),
];

/** What no image could give a meaning to (CVE-2024-40635): whether a name is known is the image's to say. */
function userProblem(user: string): string | undefined {
  const [name = "", group, more] = user.split(":");
  if (name === "" || group === "" || more !== undefined) return `Cannot use user "${user}": it is to be USER or USER:GROUP`;
  for (const part of [name, group ?? "0"]) {
    if (/^[0-9]+$/.test(part) ? Number(part) >= 2 ** 31 : /^([+-]|0x)/i.test(part)) return `Cannot use user "${user}": "${part}" is neither a name nor a number from 0 to ${2 ** 31 - 1}`;
  }
  return undefined;
}

function networkRules(): Rule[] {
  const shared = (request: RunRequest): boolean => request.networks[0]?.network.startsWith("container:") === true;
  return [
    (request) => shared(request) && request.hostname !== undefined && "conflicting options: hostname and the network mode",
    (request) => shared(request) && (request.ports.length > 0 || request.publishAll) && "conflicting options: port publishing and the container type network mode",
    (request) => shared(request) && request.expose.length > 0 && "conflicting options: port exposing and the container type network mode",
    (request) => shared(request) && request.dns.length > 0 && "conflicting options: dns and the network mode",
    (request) => shared(request) && request.addHosts.length > 0 && "conflicting options: custom host-to-IP mapping and the network mode",
  ];
}

export function validateRequest(request: RunRequest, problems: string[]): void {
  for (const rule of rules) {
    const problem = rule(request);
    if (typeof problem === "string" && problem !== "") problems.push(problem);
  }
  const targets = new Set<string>();
  for (const { target } of request.mounts) {
    if (targets.has(target)) problems.push(`Duplicate mount point: ${target}`);
    targets.add(target);
  }
  validateLog(request, problems);
}

function validateLog({ logDriver, logOptions }: RunRequest, problems: string[]): void {
  for (const [key, value] of Object.entries(logOptions)) {
    const valid = key === "max-size" ? /^[1-9][0-9]*[kmg]?b?$/i.test(value) : key === "max-file" ? /^[1-9][0-9]{0,3}$/.test(value) : undefined;
    if (valid === undefined) problems.push(`unknown log opt '${key}' for ${logDriver} log driver`);
    else if (!valid) problems.push(`invalid value ${JSON.stringify(value)} for log opt '${key}'`);
  }
}

import type { DeviceCgroupRule, Resources } from "../../oci/index.ts";
import { SampanError } from "../../base/errors.ts";
import { cpuQuota, defaultDeviceRules } from "../../runtime/cgroups/index.ts";
import type { ResourceRequest } from "../request.ts";

/** "c 1:3 rwm" as cgroup v1 spells it. Throws "invalid" on anything else. */
export function parseDeviceRule(text: string): DeviceCgroupRule {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text.trim());
  if (!match) throw new SampanError("invalid", `invalid device cgroup format '${text}'`, { exitCode: 125 });
  const [, type = "a", major = "*", minor = "*", access = "rwm"] = match;
  return { allow: true, type, access, ...(major === "*" ? {} : { major: Number(major) }), ...(minor === "*" ? {} : { minor: Number(minor) }) };
}

/** The person's limits in the specification's words. `devices` is what the container may open. */
export function ociResources(request: ResourceRequest, privileged: boolean, devices: readonly DeviceCgroupRule[]): Resources {
  const resources: Resources = {
    devices: privileged ? [{ allow: true, access: "rwm" }] : [...defaultDeviceRules(), ...devices, ...(request.deviceCgroupRules ?? []).map(parseDeviceRule)],
  };
  const { memoryBytes, memorySwapBytes, memoryReservationBytes, memorySwappiness, oomKillDisable } = request;
  const memory = {
    ...(memoryBytes ? { limit: memoryBytes } : {}),
    ...(memorySwapBytes ? { swap: memorySwapBytes } : {}),
    ...(memoryReservationBytes ? { reservation: memoryReservationBytes } : {}),
    ...(memorySwappiness === undefined || memorySwappiness < 0 ? {} : { swappiness: memorySwappiness }),
    ...(oomKillDisable ? { disableOOMKiller: true } : {}),
  };
  if (Object.keys(memory).length > 0) resources.memory = memory;
  const fromCpus = request.nanoCpus ? cpuQuota(request.nanoCpus) : undefined;
  const cpu = {
    ...(request.cpuShares ? { shares: request.cpuShares } : {}),
    ...(fromCpus ? { quota: fromCpus.quotaUs, period: fromCpus.periodUs } : {}),
    ...(request.cpuQuotaUs ? { quota: request.cpuQuotaUs } : {}),
    ...(request.cpuPeriodUs ? { period: request.cpuPeriodUs } : {}),
    ...(request.cpusetCpus ? { cpus: request.cpusetCpus } : {}),
    ...(request.cpusetMems ? { mems: request.cpusetMems } : {}),
  };
  if (Object.keys(cpu).length > 0) resources.cpu = cpu;
  if (request.pidsLimit !== undefined && request.pidsLimit !== 0) resources.pids = { limit: request.pidsLimit };
  if (request.blkioWeight) resources.blockIO = { weight: request.blkioWeight };
  return resources;
}

import type { BlockIoResources, DeviceCgroupRule, Resources, ThrottleDevice } from "../../oci/index.ts";
import { SampanError } from "../../base/errors.ts";
import { cpuQuota, defaultDeviceRules } from "../../runtime/cgroups/index.ts";
import type { DeviceLimit, ResourceRequest } from "../request.ts";
import { blockDevice } from "./host-devices.ts";

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
  const blockIO = blockIoOf(request);
  if (Object.keys(blockIO).length > 0) resources.blockIO = blockIO;
  return resources;
}

function blockIoOf(request: ResourceRequest): BlockIoResources {
  const blockIO: BlockIoResources = request.blkioWeight ? { weight: request.blkioWeight } : {};
  const weights = set(request.blkioWeightDevices).map(({ path, value }) => ({ ...blockDevice(path), weight: value }));
  if (weights.length > 0) blockIO.weightDevice = weights;
  const throttle = (
    key: "throttleReadBpsDevice" | "throttleWriteBpsDevice" | "throttleReadIOPSDevice" | "throttleWriteIOPSDevice",
    limits: readonly DeviceLimit[] | undefined,
  ): void => {
    const devices = set(limits).map(({ path, value }): ThrottleDevice => ({ ...blockDevice(path), rate: value }));
    if (devices.length > 0) blockIO[key] = devices;
  };
  throttle("throttleReadBpsDevice", request.deviceReadBps);
  throttle("throttleWriteBpsDevice", request.deviceWriteBps);
  throttle("throttleReadIOPSDevice", request.deviceReadIops);
  throttle("throttleWriteIOPSDevice", request.deviceWriteIops);
  return blockIO;
}

/** The last limit of a device counts; zero asks for none. */
function set(limits: readonly DeviceLimit[] = []): DeviceLimit[] {
  return [...new Map(limits.map((limit) => [limit.path, limit])).values()].filter(({ value }) => value > 0);
}

import type { ResourceRequest } from "../../../engine/request.ts";
import type { ResourceValues } from "./resource-flags.ts";

/** Limits from flags; which flags may not stand together goes to `problems`, what the limits themselves may not say is the engine's to know. */
export function buildResources(values: ResourceValues, problems: string[]): ResourceRequest {
  const request: ResourceRequest = {};
  const set = (
    key: "memoryBytes" | "memorySwapBytes" | "memoryReservationBytes" | "nanoCpus" | "cpuPeriodUs" | "cpuQuotaUs" | "cpuShares" | "blkioWeight",
    value: number | undefined,
  ): void => {
    // Zero asks for no limit, as in Docker.
    if (value !== undefined && value !== 0) request[key] = value;
  };
  if (values.memory !== undefined && values.mem !== undefined) problems.push("conflicting options: cannot specify both --memory and --mem");
  if (values["memory-swap"] !== undefined && values.swap !== undefined) problems.push("conflicting options: cannot specify both --memory-swap and --swap");
  set("memoryBytes", values.memory ?? values.mem);
  set("memoryReservationBytes", values["memory-reservation"]);
  set("memorySwapBytes", values.swap === undefined ? values["memory-swap"] : swapBytes(values.swap, request.memoryBytes, problems));
  set("nanoCpus", values.cpus);
  set("cpuPeriodUs", values["cpu-period"]);
  set("cpuQuotaUs", values["cpu-quota"]);
  set("cpuShares", values["cpu-shares"]);
  if (values["cpuset-cpus"] !== undefined && values["cpuset-cpus"] !== "") request.cpusetCpus = values["cpuset-cpus"];
  if (values["cpuset-mems"] !== undefined && values["cpuset-mems"] !== "") request.cpusetMems = values["cpuset-mems"];
  const pids = values["pids-limit"];
  if (pids !== undefined) request.pidsLimit = pids <= 0 ? -1 : pids;
  set("blkioWeight", values["blkio-weight"]);
  return request;
}

/** `--swap` is swap alone; the kernel's limit is of memory and swap together. */
function swapBytes(swap: number, memory: number | undefined, problems: string[]): number | undefined {
  if (swap === -1) return -1;
  if (memory === undefined) {
    problems.push("--swap needs a memory limit beside it: set --mem too");
    return undefined;
  }
  return memory + swap;
}

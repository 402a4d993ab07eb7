import type { ResourceRequest } from "../../../engine/request.ts";
import type { ResourceValues } from "./resource-flags.ts";

/** A list of CPUs or memory nodes as cpuset(7) writes it: "0-3", "0,2". */
function isCpuset(text: string): boolean {
  return text.split(",").every((part) => {
    const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(part);
    return match !== null && (match[2] === undefined || Number(match[1]) <= Number(match[2]));
  });
}

/** Limits from flags; what contradicts itself goes to `problems`, in the words of Docker's daemon. */
export function buildResources(values: ResourceValues, problems: string[]): ResourceRequest {
  const request: ResourceRequest = {};
  buildMemory(values, request, problems);
  buildCpu(values, request, problems);
  const pids = values["pids-limit"];
  if (pids !== undefined) request.pidsLimit = pids <= 0 ? -1 : pids;
  const weight = values["blkio-weight"];
  if (weight !== undefined && weight !== 0) {
    if (weight < 10 || weight > 1000) problems.push("Range of blkio weight is from 10 to 1000");
    request.blkioWeight = weight;
  }
  return request;
}

/** Beneath this the kernel kills a static program before its first instruction. Docker asks for 6 MB, which is more than a shell needs. */
const LEAST_MEMORY_BYTES = 512 << 10;

function buildMemory(values: ResourceValues, request: ResourceRequest, problems: string[]): void {
  if (values.memory !== undefined && values.mem !== undefined) problems.push("conflicting options: cannot specify both --memory and --mem");
  if (values["memory-swap"] !== undefined && values.swap !== undefined) problems.push("conflicting options: cannot specify both --memory-swap and --swap");
  // Zero asks for no limit, as in Docker.
  const memory = nonZero(values.memory ?? values.mem);
  const reservation = nonZero(values["memory-reservation"]);
  let swap = nonZero(values["memory-swap"]);
  if (values.swap !== undefined) {
    if (memory === undefined && values.swap !== -1) problems.push("--swap needs a memory limit beside it: set --mem too");
    swap = values.swap === -1 ? -1 : (memory ?? 0) + values.swap;
  } else if (swap !== undefined && swap > 0) {
    if (memory === undefined) problems.push("You should always set the Memory limit when using Memoryswap limit, see usage");
    else if (swap < memory) problems.push("Minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (memory !== undefined && memory < LEAST_MEMORY_BYTES) problems.push("Minimum memory limit allowed is 512KB");
  if (memory !== undefined && reservation !== undefined && memory < reservation) {
    problems.push("Minimum memory limit can not be less than memory reservation limit, see usage");
  }
  if (memory !== undefined) request.memoryBytes = memory;
  if (swap !== undefined) request.memorySwapBytes = swap;
  if (reservation !== undefined) request.memoryReservationBytes = reservation;
}

function nonZero(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}

function buildCpu(values: ResourceValues, request: ResourceRequest, problems: string[]): void {
  const cpus = nonZero(values.cpus);
  const period = nonZero(values["cpu-period"]);
  const quota = nonZero(values["cpu-quota"]);
  const shares = nonZero(values["cpu-shares"]);
  if (cpus !== undefined) {
    if (period !== undefined) problems.push("Conflicting options: Nano CPUs and CPU Period cannot both be set");
    if (quota !== undefined) problems.push("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    request.nanoCpus = cpus;
  }
  if (period !== undefined) {
    if (period < 1000 || period > 1_000_000) problems.push("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    request.cpuPeriodUs = period;
  }
  if (quota !== undefined) {
    if (quota !== -1 && quota < 1000) problems.push("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    request.cpuQuotaUs = quota;
  }
  if (shares !== undefined) {
    if (shares < 2 || shares > 262_144) problems.push(`invalid CPU shares ${shares}: valid values are from 2 to 262144`);
    request.cpuShares = shares;
  }
  const cpuset = values["cpuset-cpus"];
  if (cpuset !== undefined && cpuset !== "") {
    if (!isCpuset(cpuset)) problems.push(`Invalid value ${cpuset} for cpuset cpus`);
    request.cpusetCpus = cpuset;
  }
  const mems = values["cpuset-mems"];
  if (mems !== undefined && mems !== "") {
    if (!isCpuset(mems)) problems.push(`Invalid value ${mems} for cpuset mems`);
    request.cpusetMems = mems;
  }
}

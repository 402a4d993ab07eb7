import { SampanError } from "../../base/index.ts";
import type { CgroupHost, CgroupWrite } from "./types.ts";

/** A limit whose controller this host does not have: the problem, and what to do about it. */
export function missingController(option: string, controller: string, host: CgroupHost): { problem: string; hint: string } {
  if (controller === "net_cls" || controller === "net_prio") {
    return {
      problem: `Cannot apply ${option}: it needs the cgroup v1 controller "${controller}", which is not mounted here`,
      hint: "mark packets with nftables (socket cgroupv2) instead, or mount that controller",
    };
  }
  const problem = `Cannot apply ${option}: this host has no "${controller}" cgroup controller`;
  if (controller === "memory") {
    return { problem, hint: 'boot with "cgroup_enable=memory" on the kernel command line' };
  }
  if (host.version === "v1" || host.version === "none") {
    const directory = `/sys/fs/cgroup/${controller}`;
    return { problem, hint: `if /proc/cgroups lists it: mkdir -p ${directory} && mount -t cgroup -o ${controller} cgroup ${directory}` };
  }
  return { problem, hint: `check that /proc/cgroups lists "${controller}" and that no v1 mount holds it` };
}

/**
 * What to type where cgroup v2's "no internal processes" is in the way: an engine in a container, say, is itself at the top of
 * what it sees.
 */
export function moveOutHint(group: string): string {
  return `move them to a child group: mkdir -p ${group}/init && for pid in $(cat ${group}/cgroup.procs); do echo $pid >${group}/init/cgroup.procs; done`;
}

/** What the errno of a failed open or write of a control file means for the person who asked. */
export function cgroupWriteFailure(write: CgroupWrite, errno: string): SampanError {
  const subject = write.option ?? `the ${write.controller} controller`;
  const message = (reason: string): string => `Cannot apply ${subject} "${write.value}": ${reason} (${write.path}: ${errno})`;
  const is = (suffix: string): boolean => write.path.endsWith(suffix);
  const options = (hint?: string): { code: string; hint?: string } => (hint === undefined ? { code: errno } : { code: errno, hint });

  switch (errno) {
    case "ENOENT":
      if (is("memory.memsw.limit_in_bytes") || is("memory.swap.max")) {
        return new SampanError("unsupported", message("this kernel does not count swap"), options('boot with "swapaccount=1" on the kernel command line'));
      }
      return new SampanError("unsupported", message("this kernel has no such setting"), options());
    case "EBUSY":
      if (is("cgroup.subtree_control")) {
        return new SampanError(
          "conflict",
          message("processes sit in that group itself, and cgroup v2 hands controllers on from empty groups only"),
          options(moveOutHint(write.path.slice(0, -"/cgroup.subtree_control".length))),
        );
      }
      if (write.controller === "memory") return new SampanError("conflict", message("more than that is in use and cannot be reclaimed"), options());
      return new SampanError("conflict", message("the group is in use in a way that forbids it"), options());
    case "EACCES":
    case "EPERM":
      if (is(".cpus") || is(".mems")) return new SampanError("invalid", message("the parent group does not have all of them"), options());
      return new SampanError("denied", message("the parent group or this user may not"), options());
    case "EINVAL":
    case "ERANGE":
      return new SampanError("invalid", message("the kernel does not accept this value"), options());
    case "ENODEV":
      return new SampanError("invalid", message("there is no such device"), options("lsblk -o NAME,MAJ:MIN shows the numbers of whole disks"));
    case "EOPNOTSUPP":
    case "ENOTSUP":
      return new SampanError("unsupported", message("this kernel no longer supports it"), options());
    default:
      return new SampanError("internal", message("the kernel refused"), options());
  }
}

import type { Mount } from "../../oci/index.ts";

/** The mounts of every container, in their order, as Docker's users find them. */
export function defaultMounts(options: { shmBytes: number; cgroup: boolean; sysWritable: boolean; shm: "own" | "host" | "none" }): Mount[] {
  const rw = options.sysWritable ? "rw" : "ro";
  const mounts: Mount[] = [
    { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
    { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"] },
    { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", rw] },
  ];
  if (options.cgroup) mounts.push({ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", rw] });
  // The queues of the IPC namespace that the container is in, whosever it is: mq_overview(7).
  mounts.push({ destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] });
  if (options.shm === "own")
    mounts.push({ destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777", `size=${options.shmBytes}`] });
  if (options.shm === "host") mounts.push({ destination: "/dev/shm", type: "bind", source: "/dev/shm", options: ["rbind", "nosuid", "noexec", "nodev"] });
  return mounts;
}

/** Files of the kernel that tell or do more than a container should. */
export function maskedPaths(): string[] {
  return ["asound", "acpi", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats"]
    .map((name) => `/proc/${name}`).concat("/sys/firmware", "/sys/devices/virtual/powercap");
}

export function readonlyPaths(): string[] {
  return ["bus", "fs", "irq", "sys", "sysrq-trigger"].map((name) => `/proc/${name}`);
}

export const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;

import type { RuntimeConfig } from "../oci/index.ts";

const CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

/**
 * A config that starts a shell on "rootfs": a terminal, few capabilities, the usual mounts, no network of the host's. A cgroup
 * namespace only where all controllers are v2, as runc has it.
 */
export function defaultConfig(unifiedCgroups: boolean): RuntimeConfig {
  return {
    ociVersion: "1.3.0",
    process: {
      terminal: true, user: { uid: 0, gid: 0 }, args: ["sh"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"], cwd: "/",
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }], noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "sampan",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"] },
      { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
      { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
      { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
      { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "relatime", "ro"] },
    ],
    linux: {
      resources: { devices: [{ allow: false, access: "rwm" }] },
      namespaces: [
        { type: "pid" },
        { type: "network" },
        { type: "ipc" },
        { type: "uts" },
        { type: "mount" },
        ...(unifiedCgroups ? [{ type: "cgroup" as const }] : []),
      ],
      maskedPaths: [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
        "/proc/sched_debug", "/sys/firmware", "/sys/devices/virtual/powercap", "/proc/scsi",
      ],
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
  };
}

/** For a user of the host: one id is mapped, and what only the host's root may do is left out. */
export function rootlessConfig(uid: number, gid: number, unifiedCgroups: boolean): RuntimeConfig {
  const config = defaultConfig(unifiedCgroups);
  const { linux = {}, mounts = [] } = config;
  return {
    ...config,
    mounts: mounts.filter(({ destination }) => destination !== "/sys/fs/cgroup").map((mount) => {
      if (mount.destination === "/sys") return { destination: "/sys", type: "none", source: "/sys", options: ["rbind", "nosuid", "noexec", "nodev", "ro"] };
      return { ...mount, ...(mount.options ? { options: mount.options.filter((option) => !option.startsWith("gid=") && !option.startsWith("uid=")) } : {}) };
    }),
    linux: {
      maskedPaths: linux.maskedPaths ?? [], readonlyPaths: linux.readonlyPaths ?? [],
      namespaces: [...(linux.namespaces ?? []).filter(({ type }) => type !== "network"), { type: "user" }],
      uidMappings: [{ containerID: 0, hostID: uid, size: 1 }], gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
    },
  };
}

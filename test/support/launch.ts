/** A start as the engine would ask the compiler for, of values alone: no root, no container, no host is looked at. */
import type { RuntimeConfig } from "../../src/oci/index.ts";
import type { Plan } from "../../src/plan/index.ts";
import type { HostFacts, Launch, MonitorPlan } from "../../src/runtime/index.ts";
import { compile } from "../../src/runtime/index.ts";

export const exampleHost: HostFacts = { arch: "x64", kernel: [6, 18], cgroupMounts: [{ version: 2, name: "unified", option: "" }], lastCapability: 40 };

export const exampleMonitor: MonitorPlan = {
  detached: false, attach: { stdin: false, stdout: true, stderr: true, leaves: false }, openStdin: false, stdinOnce: false, socket: "/run/sampan/containers/c/attach",
  log: { path: "/var/lib/sampan/containers/c/log", maxBytes: 10_000_000, maxFiles: 3 }, detachKeys: new Uint8Array(0),
  status: { path: "/run/sampan/containers/c/status", durable: true }, finalize: ["/usr/bin/sampan", "system", "finish", "c"], environment: ["PATH=/bin"],
};

/** runtime-spec 1.3, with a bit of everything. */
export function exampleConfig(): RuntimeConfig {
  return {
    ociVersion: "1.3.0",
    root: { path: "rootfs" },
    process: {
      terminal: false, user: { uid: 1000, gid: 1000, additionalGids: [10, 2000] }, args: ["sh", "-c", "true"], env: ["PATH=/usr/bin:/bin", "HOME=/home/app"], cwd: "/home/app",
      capabilities: { bounding: ["CAP_CHOWN", "CAP_KILL"], effective: ["CAP_KILL"], permitted: ["CAP_KILL"], inheritable: [], ambient: [] },
      rlimits: [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 4096 }], noNewPrivileges: false,
    },
    hostname: "box",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"] },
      { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
      { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "ro"] },
      { destination: "/data", type: "bind", source: "/srv/data", options: ["rbind", "rprivate", "ro"] },
    ],
    linux: {
      namespaces: [{ type: "mount" }, { type: "pid" }, { type: "ipc" }, { type: "uts" }, { type: "network" }, { type: "cgroup" }],
      devices: [{ type: "c", path: "/dev/fuse", major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 }],
      sysctl: { "net.ipv4.ip_unprivileged_port_start": "0" },
      maskedPaths: ["/proc/kcore", "/proc/keys"],
      readonlyPaths: ["/proc/sys", "/proc/irq"],
    },
  };
}

export function exampleLaunch(change: Partial<Launch> = {}): Launch {
  return {
    config: exampleConfig(), host: exampleHost, name: "web", mountPoint: "/run/sampan/containers/c/root", init: false, trace: false,
    root: { kind: "overlay", lowers: ["/var/lib/sampan/layers/b", "/var/lib/sampan/layers/a"], upper: "/var/lib/sampan/containers/c/upper", work: "/var/lib/sampan/containers/c/work", volatile: false },
    cgroup: {
      directories: [{ path: "/sys/fs/cgroup/sampan", leaf: false, version: 2 }, { path: "/sys/fs/cgroup/sampan/c", leaf: true, version: 2 }],
      writes: [{ path: "/sys/fs/cgroup/sampan/c/memory.max", value: "67108864", controller: "memory", option: "--memory", why: "the limit", expect: { path: "/sys/fs/cgroup/sampan/c/memory.max", equals: "67108864" } }],
      join: { v1TaskFiles: [], v2Directory: "/sys/fs/cgroup/sampan/c" },
      remove: ["/sys/fs/cgroup/sampan/c"],
      paths: { controllers: { memory: { version: 2, directory: "/sys/fs/cgroup/sampan/c" } }, unified: "/sys/fs/cgroup/sampan/c", directories: ["/sys/fs/cgroup/sampan/c"] },
    },
    seccomp: { program: new Uint8Array(16), flags: 0 },
    monitor: exampleMonitor,
    birth: { pidFile: "/run/sampan/containers/c/pid", monitorFile: "/run/sampan/containers/c/monitor" },
    ...change,
  };
}

/** For tests of rooms that do not know the compiler. */
export function examplePlan(): Plan {
  return compile(exampleLaunch());
}

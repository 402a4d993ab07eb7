/** On what the numbers were taken. */
import { readFileSync, statfsSync } from "node:fs";
import { arch, cpus, loadavg, release, tmpdir, totalmem } from "node:os";

function osName(): string {
  return /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "unknown";
}

/** Which hierarchies hold controllers: that decides what a container's start costs. */
function cgroupLayout(): string {
  const types = new Set([...readFileSync("/proc/self/mountinfo", "utf8").matchAll(/ - (cgroup2?) /g)].map((match) => match[1]));
  if (types.has("cgroup") && types.has("cgroup2")) return "v1 and v2 (hybrid)";
  return types.has("cgroup2") ? "v2" : "v1";
}

const FILESYSTEMS: Record<number, string> = { 0xef53: "ext4", 0x9123683e: "btrfs", 0x58465342: "xfs", 0x01021994: "tmpfs", 0x794c7630: "overlay" };

export function describeMachine(): Record<string, string> {
  const processors = cpus();
  const magic = statfsSync(tmpdir()).type;
  return {
    processor: `${processors.length} × ${processors[0]?.model.trim() ?? "unknown"} (${arch()})`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    kernel: release(),
    system: osName(),
    cgroups: cgroupLayout(),
    "file system": FILESYSTEMS[magic] ?? `0x${magic.toString(16)}`,
    "load at start": loadavg()[0]?.toFixed(2) ?? "unknown",
  };
}

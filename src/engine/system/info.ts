import { createHash } from "node:crypto";
import { cpus, hostname, totalmem } from "node:os";
import manifest from "../../../package.json" with { type: "json" };
import type { SystemInfo } from "../api.ts";
import { trueRecords } from "../containers/list.ts";
import type { EngineContext } from "../context.ts";
import { needRoot } from "../privilege.ts";
import { readIfThere } from "../processes.ts";

/** `sampan info`: what there is and what it runs on. */
export async function systemInfo(context: EngineContext): Promise<SystemInfo> {
  needRoot("say what the store holds");
  const records = await trueRecords(context);
  const count = (...statuses: string[]): number => records.filter(({ status }) => statuses.includes(status)).length;
  const running = count("running", "restarting");
  const paused = count("paused");
  const { env } = process;
  return {
    ID: engineId(context.paths.root),
    Name: hostname(),
    ServerVersion: manifest.version,
    Containers: records.length, ContainersRunning: running, ContainersPaused: paused, ContainersStopped: records.length - running - paused,
    Images: context.store.images.list().length,
    Driver: "overlay2",
    DockerRootDir: context.paths.root,
    Plugins: { Volume: ["local"], Network: ["bridge", "host", "none"], Log: ["json-file", "none"] },
    CgroupDriver: context.cgroups.hierarchies.length === 0 ? "none" : "cgroupfs",
    CgroupVersion: { v1: "1", v2: "2", hybrid: "hybrid", none: "none" }[context.cgroups.version],
    KernelVersion: context.kernelVersion,
    OperatingSystem: operatingSystem(),
    OSType: "linux",
    Architecture: { x64: "x86_64", arm64: "aarch64" }[process.arch as string] ?? process.arch, // Node names more than run Sampan
    NCPU: cpus().length,
    MemTotal: totalmem(),
    SecurityOptions: securityOptions(),
    LoggingDriver: "json-file",
    HttpProxy: env["HTTP_PROXY"] ?? env["http_proxy"] ?? "",
    HttpsProxy: env["HTTPS_PROXY"] ?? env["https_proxy"] ?? "",
    NoProxy: env["NO_PROXY"] ?? env["no_proxy"] ?? "",
    Warnings: warnings(context),
  };
}

/** The same for the same store on the same machine. */
function engineId(root: string): string {
  const hash = createHash("sha256").update(readIfThere("/etc/machine-id") ?? hostname()).update(`\0${root}`).digest("hex");
  return [hash.slice(0, 8), hash.slice(8, 12), hash.slice(12, 16), hash.slice(16, 20), hash.slice(20, 32)].join("-");
}

function operatingSystem(): string {
  const text = readIfThere("/etc/os-release") ?? readIfThere("/usr/lib/os-release") ?? "";
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? "Linux";
}

function securityOptions(): string[] {
  const options: string[] = [];
  if (readIfThere("/sys/module/apparmor/parameters/enabled")?.startsWith("Y") === true) options.push("name=apparmor");
  if (readIfThere("/proc/sys/kernel/seccomp/actions_avail") !== undefined) options.push("name=seccomp,profile=builtin");
  options.push("name=cgroupns");
  return options;
}

/** Limits that would be refused on this host, in Docker's words. */
function warnings({ cgroups: { controllers } }: EngineContext): string[] {
  const lacks = (...names: string[]): boolean => !names.some((name) => controllers.has(name));
  const missing: string[] = [];
  if (lacks("memory")) missing.push("WARNING: No memory limit support");
  if (lacks("cpu")) missing.push("WARNING: No cpu shares support", "WARNING: No cpu cfs quota support");
  if (lacks("cpuset")) missing.push("WARNING: No cpuset support");
  if (lacks("pids")) missing.push("WARNING: No pids limit support");
  if (lacks("blkio", "io")) missing.push("WARNING: No blkio weight support");
  if (readIfThere("/proc/sys/net/ipv4/ip_forward")?.trim() !== "1") missing.push("WARNING: IPv4 forwarding is disabled");
  return missing;
}

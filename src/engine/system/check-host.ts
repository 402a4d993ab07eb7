import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "../../base/errors.ts";
import { capabilityName } from "../../linux/capabilities.ts";
import { moveOutHint } from "../../runtime/cgroups/index.ts";
import type { HostCheck } from "../api.ts";
import { findKeel } from "../executor.ts";
import type { EngineContext } from "../context.ts";
import { findTool, runTool } from "../host-tool.ts";
import { readIfThere } from "../processes.ts";
import { effectiveCapabilities, tryHost } from "./host-trials.ts";
import type { Outcome, Trials } from "./host-trials.ts";

/** mount_setattr(2), by which mounts become read-only as a whole. */
const OLDEST_KERNEL = [5, 12] as const;

/**
 * What this machine's kernel has and lacks, found by trying where it can be tried. "missing" is what no container can do
 * without, "degraded" what only some options need; each with what to do about it.
 */
export async function checkHost(context: EngineContext): Promise<readonly HostCheck[]> {
  const isRoot = process.geteuid?.() === 0;
  const trials = isRoot ? await withScratch(context, (scratch) => tryHost(findKeel(scratch), scratch)) : undefined;
  return [
    kernelCheck(context.kernelVersion),
    architectureCheck(),
    isRoot
      ? ok("root", "the effective user is root")
      : missing("root", "not root: what only root may do was not tried", "Run it with sudo; containers without root are not there yet"),
    ...userNamespaceChecks(),
    capabilityCheck(),
    ...(typeof trials === "string"
      ? [missing("store", trials, "Make room, or name another place with --root")]
      : trials === undefined ? [] : trialChecks(trials)),
    ...cgroupChecks(context),
    seccompCheck(),
    ...(isRoot ? [await nftablesCheck(context)] : []),
    forwardingCheck(),
    ...limitChecks(),
  ];
}

function ok(name: string, detail: string): HostCheck {
  return { name, verdict: "ok", detail };
}

function missing(name: string, detail: string, remedy: string): HostCheck {
  return { name, verdict: "missing", detail, remedy };
}

function degraded(name: string, detail: string, remedy: string): HostCheck {
  return { name, verdict: "degraded", detail, remedy };
}

/** An empty directory where the store is or will be: whether an overlay can lie there is a matter of that filesystem. The reason if there can be none. */
async function withScratch<T>(context: EngineContext, work: (scratch: string) => Promise<T>): Promise<T | string> {
  let parent = context.paths.root;
  while (!existsSync(parent)) parent = dirname(parent);
  let scratch: string | undefined;
  try {
    scratch = mkdtempSync(`${parent === "/" ? "" : parent}/.sampan-check-`);
    for (const name of ["lower1", "lower2", "upper", "work", "upper2", "work2"]) mkdirSync(`${scratch}/${name}`);
    return await work(scratch);
  } catch (error) {
    return `nothing could be tried in "${parent}": ${messageOf(error)}`;
  } finally {
    // Ours from the first to the last; overlay has made directories in `work` that nobody else can enter.
    if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true });
  }
}

function kernelCheck(version: string): HostCheck {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  const isNewEnough = major > OLDEST_KERNEL[0] || (major === OLDEST_KERNEL[0] && minor >= OLDEST_KERNEL[1]);
  return isNewEnough
    ? ok("kernel", `Linux ${version}`)
    : missing("kernel", `Linux ${version} is older than ${OLDEST_KERNEL.join(".")}`, `Boot a kernel of version ${OLDEST_KERNEL.join(".")} or newer`);
}

function architectureCheck(): HostCheck {
  const { arch } = process;
  return arch === "x64" || arch === "arm64"
    ? ok("architecture", arch === "x64" ? "x86_64" : "aarch64")
    : missing("architecture", `${arch} is not supported`, "Use a machine with x86_64 or aarch64");
}

const OUTSIDE = "Run as root on the machine itself, outside of containers, user namespaces and seccomp filters";

/** In a user namespace of its own a process has every capability and may do little (user_namespaces(7)). */
function userNamespaceChecks(): HostCheck[] {
  const map = readIfThere("/proc/self/uid_map")?.trim().split(/\s+/).join(" ");
  return map === undefined || map === "0 0 4294967295"
    ? []
    : [missing("initial user namespace", `user ids are mapped (${map}): root here is not the machine's`, OUTSIDE)];
}

/** Those that an engine uses itself; a container's own set is taken from what is there. */
function capabilityCheck(): HostCheck {
  const have = effectiveCapabilities();
  const lacking = (bits: readonly number[]): string[] =>
    bits.filter((bit) => ((have >> BigInt(bit)) & 1n) === 0n).map((bit) => capabilityName(bit) ?? String(bit));
  // CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID, SETPCAP, NET_ADMIN, SYS_CHROOT, SYS_ADMIN, MKNOD, SETFCAP
  const needed = lacking([0, 1, 3, 5, 6, 7, 8, 12, 18, 21, 27, 31]);
  if (needed.length > 0)
    return missing("capabilities", `without ${needed.join(", ")}`, "Run as root on the machine itself; in a container give it --privileged");
  // SYS_PTRACE, SYS_RESOURCE
  const wished = lacking([19, 24]);
  if (wished.includes("CAP_SYS_RESOURCE"))
    return degraded(
      "capabilities",
      "without CAP_SYS_RESOURCE: limits (--ulimit) cannot be raised above the engine's own, nor --oom-score-adj lowered",
      "Give the engine CAP_SYS_RESOURCE",
    );
  if (wished.length > 0)
    return degraded(
      "capabilities",
      `without ${wished.join(", ")}: processes of containers under other users cannot be looked into`,
      `Give the engine ${wished.join(", ")}`,
    );
  return ok("capabilities", "all that the engine uses, CAP_SYS_RESOURCE too");
}

const CALLS: Readonly<Record<string, { readonly since: string; readonly purpose: string }>> = {
  clone3: { since: "5.3", purpose: "containers are born" },
  openat2: { since: "5.6", purpose: "paths are resolved inside containers" },
  pidfd_open: { since: "5.3", purpose: "processes are held" },
  close_range: { since: "5.9", purpose: "descriptors are closed" },
  fsopen: { since: "5.2", purpose: "filesystems are made" },
  open_tree: { since: "5.2", purpose: "mounts are copied" },
  move_mount: { since: "5.2", purpose: "mounts are attached" },
  mount_setattr: { since: "5.12", purpose: "mounts become read-only" },
  seccomp: { since: "3.17", purpose: "system calls are filtered" },
};

function trialChecks(trials: Trials): HostCheck[] {
  const { namespaces, overlay, overlayOverRoot, bridge, veth } = trials;
  const checks: HostCheck[] = [];
  for (const [name, outcome] of Object.entries(trials.calls)) {
    const { since = "", purpose = "" } = CALLS[name] ?? {};
    if (outcome === "ok") checks.push(ok(name, `by it ${purpose}`));
    else if (outcome === "ENOSYS") checks.push(missing(
      name,
      `the kernel does not know it, and by it ${purpose}`,
      `Boot Linux ${since} or newer, or lift the seccomp filter that hides it`,
    ));
    else checks.push(missing(name, `${outcome}: it is forbidden here, and by it ${purpose}`, OUTSIDE));
  }
  for (const [name, outcome] of Object.entries(namespaces)) checks.push(namespaceCheck(name, outcome));
  checks.push(
    overlay === "ok" ? ok("overlay", "tried, where the store is")
      : overlay === "ENODEV" ? missing("overlay", "the kernel has no overlay filesystem", "modprobe overlay")
        : overlay === "EPERM" ? missing("overlay", "EPERM: mounting is forbidden here", OUTSIDE)
        : missing(
          "overlay",
          `${overlay}: the store's filesystem cannot be the upper layer of an overlay`,
          "Put the store on ext4, xfs or btrfs: --root DIR, or SAMPAN_ROOT",
        ),
    overlayOverRoot === "ok" ? ok("overlay over /", `tried: the image "host" works`)
      : overlayOverRoot === "EPERM" ? missing("overlay over /", "EPERM: mounting is forbidden here", OUTSIDE)
      : degraded("overlay over /", `${overlayOverRoot}: the image "host" does not work`, "Use an image, or --rootfs DIR on another filesystem"),
  );
  for (const [name, outcome] of [["bridge", bridge], ["veth", veth]] as const)
    checks.push(outcome === "ok" ? ok(name, "tried, in a network namespace of its own") : degraded(
      name,
      `${outcome}: a container without --network has its loopback alone, and only the networks none and host can be asked for`,
      outcome === "EPERM" ? OUTSIDE : outcome === "EOPNOTSUPP" ? `modprobe ${name}` : `Boot a kernel with ${name} (CONFIG_${name.toUpperCase()})`,
    ));
  return checks;
}

function namespaceCheck(type: string, outcome: Outcome): HostCheck {
  const name = `${type} namespace`;
  if (outcome === "ok") return ok(name, "tried");
  const needless = type === "user" || type === "time";
  const make = needless ? degraded : missing;
  const effect = needless ? ` (only --userns and OCI configs that ask for it need it)` : "";
  const sysctl = `user.max_${{ mount: "mnt", network: "net" }[type] ?? type}_namespaces`;
  switch (outcome) {
    case "ENOSPC":
      return make(name, `there may be no more of them${effect}`, `Raise the limit: sysctl -w ${sysctl}=65536`);
    case "EINVAL":
      return make(name, `the kernel was built without them${effect}`, "Boot a kernel that has them");
    default:
      return make(name, `${outcome}: making one is forbidden${effect}`, OUTSIDE);
  }
}

function cgroupChecks({ cgroups }: EngineContext): HostCheck[] {
  const { version, controllers } = cgroups;
  if (version === "none") return [degraded("cgroups", "none are mounted: no limits, no stats, no pause", "mount -t cgroup2 none /sys/fs/cgroup")];
  const words = { v1: "version 1", v2: "version 2", hybrid: "version 1 and 2 side by side" }[version];
  const wanted: readonly (readonly [names: readonly string[], options: string])[] = [
    [["memory"], "--memory"], [["cpu"], "--cpus and --cpu-shares"], [["cpuset"], "--cpuset-cpus"], [["pids"], "--pids-limit"],
    [["io", "blkio"], "--blkio-weight"],
  ];
  return [
    ok("cgroups", words),
    ...wanted.map(([names, options]) => {
      const name = names.find((candidate) => controllers.has(candidate));
      const hierarchy = name === undefined ? undefined : controllers.get(name);
      if (hierarchy?.version === 2 && isKeptBack(hierarchy.mountpoint, name ?? ""))
        return degraded(
          `cgroup ${name ?? ""}`,
          `processes in ${hierarchy.mountpoint} itself keep it from being handed on: ${options} ${options.includes(" and ") ? "are" : "is"} refused`,
          moveOutHint(hierarchy.mountpoint),
        );
      return hierarchy !== undefined ? ok(`cgroup ${name ?? ""}`, `version ${hierarchy.version}, at ${hierarchy.mountpoint}`)
        : degraded(
          `cgroup ${names[0] ?? ""}`,
          `no hierarchy has it: ${options} ${options.includes(" and ") ? "are" : "is"} refused`,
          controllerRemedy(version, names),
        );
    }),
    deviceCheck(cgroups),
    cgroups.unified !== undefined || controllers.has("freezer")
      ? ok("cgroup freezer", cgroups.unified === undefined ? "version 1" : "version 2")
      : degraded("cgroup freezer", "sampan pause is refused", "mount -t cgroup2 none /sys/fs/cgroup/unified"),
  ];
}

/** Below the machine's own top (which has no cgroup.type) a group with processes hands on no more than it does already. */
function isKeptBack(top: string, controller: string): boolean {
  const words = (file: string): string[] => (readIfThere(`${top}/${file}`) ?? "").split(/\s+/);
  return existsSync(`${top}/cgroup.type`) && !words("cgroup.subtree_control").includes(controller) && words("cgroup.procs")[0] !== "";
}

/** The kernel lists a controller that no mount shows; one that it lacks has to come with another kernel. */
function controllerRemedy(version: EngineContext["cgroups"]["version"], names: readonly string[]): string {
  const known = (readIfThere("/proc/cgroups") ?? "").split("\n").map((line) => line.split("\t"));
  const row = known.find(([name = ""]) => names.includes(name) || (names.includes("io") && name === "blkio"));
  if (row === undefined) return "Boot a kernel that has it";
  if (row[3] === "0") return `It is turned off at boot: add cgroup_enable=${row[0] ?? ""} to the kernel's command line`;
  if (version === "v2")
    return `The group at /sys/fs/cgroup does not get it: whoever made that group has to hand it on (echo +${names[0] ?? ""} to cgroup.subtree_control above it)`;
  return `Mount it: mount -t cgroup -o ${row[0] ?? ""} none /sys/fs/cgroup/${row[0] ?? ""}`;
}

function deviceCheck({ controllers, unified }: EngineContext["cgroups"]): HostCheck {
  const hierarchy = controllers.get("devices");
  if (hierarchy !== undefined) return ok("cgroup devices", `version 1, at ${hierarchy.mountpoint}`);
  return unified !== undefined
    ? ok("cgroup devices", "version 2, by eBPF")
    : degraded("cgroup devices", "devices are kept from containers only by what is in their /dev", "Mount the devices controller or cgroup2");
}

function seccompCheck(): HostCheck {
  const actions = readIfThere("/proc/sys/kernel/seccomp/actions_avail")?.trim().split(" ");
  if (actions === undefined)
    return missing(
      "seccomp filters",
      "the kernel was built without them",
      "Boot a kernel with CONFIG_SECCOMP_FILTER, or run each container with --security-opt seccomp=unconfined",
    );
  const lacking = ["errno", "allow", "kill_process"].filter((action) => !actions.includes(action));
  return lacking.length === 0
    ? ok("seccomp filters", `with ${actions.join(", ")}`)
    : degraded("seccomp filters", `without the actions ${lacking.join(", ")}`, "Boot Linux 4.14 or newer");
}

/** Has nft check a table like ours against the kernel, and change nothing (nft(8), --check). */
async function nftablesCheck(context: EngineContext): Promise<HostCheck> {
  const name = "nftables";
  const nft = findTool("nft");
  if (nft === undefined)
    return degraded(
      name,
      "nft is not installed: only the networks none and host work, and a container that asks for none of them has its loopback alone",
      "apt install nftables",
    );
  const rules = "table inet sampan_check { chain f { type filter hook forward priority 0; ct state established accept; }; chain n { type nat hook postrouting priority 100; ip saddr 192.0.2.0/24 masquerade; }; }";
  const { code, stderr } = await runTool(context, nft, ["--check", "-f", "-"], rules);
  if (code === 0) return ok(name, "tried: filter, connection tracking and masquerading");
  return degraded(
    name,
    `${/Error: (.*)/.exec(stderr)?.[1] ?? `nft ended with ${code}`}: only the networks none and host work`,
    /not permitted/.test(stderr) ? OUTSIDE : "modprobe nf_tables nft_chain_nat nft_masq nft_ct",
  );
}

function forwardingCheck(): HostCheck {
  const value = readIfThere("/proc/sys/net/ipv4/ip_forward")?.trim();
  if (value === "1") return ok("IPv4 forwarding", "on");
  return degraded("IPv4 forwarding", "off; it is turned on by the first container on a bridge network", "sysctl -w net.ipv4.ip_forward=1");
}

/** Limits that many containers run into, with what is little. */
function limitChecks(): HostCheck[] {
  const limits: readonly (readonly [path: string, least: number, purpose: string])[] = [
    ["kernel/pid_max", 4096, "processes on this machine"],
    ["kernel/threads-max", 4096, "threads on this machine"],
    ["fs/file-max", 65536, "open files on this machine"],
    ["fs/inotify/max_user_instances", 64, "commands that follow (logs -f, events), by user"],
    ["fs/mount-max", 1000, "mounts in one namespace"],
    ...["mnt", "pid", "net", "ipc", "uts", "cgroup"].map((type) => [`user/max_${type}_namespaces`, 64, "containers"] as const),
  ];
  const checks: HostCheck[] = [];
  const few: HostCheck[] = [];
  for (const [path, least, purpose] of limits) {
    const value = readIfThere(`/proc/sys/${path}`)?.trim();
    if (value === undefined || BigInt(value) >= BigInt(least)) continue;
    const sysctl = path.replaceAll("/", ".");
    few.push(degraded(sysctl, `${value}: few for ${purpose}`, `sysctl -w ${sysctl}=${Math.max(least, 1024)}`));
  }
  if (few.length === 0)
    checks.push(ok("limits", limits
      .map(([path]) => path.split("/").at(-1) ?? "")
      .filter((name) => !name.endsWith("_namespaces"))
      .join(", ")
      .concat(" and the numbers of namespaces are high enough")));
  return [...checks, ...few];
}

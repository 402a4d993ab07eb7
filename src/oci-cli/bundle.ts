import { existsSync, lstatSync, readFileSync, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { SampanError, errnoOf } from "../base/errors.ts";
import { capabilitiesOfMask, capabilityNumber } from "../linux/capabilities.ts";
import type { Capabilities, Mount, Process, RuntimeConfig } from "../oci/index.ts";
import { parseRuntimeConfig, throwProblems } from "../oci/parse-runtime-config.ts";
import { validateResources } from "../runtime/cgroups/index.ts";
import { isBind } from "../runtime/mounts.ts";
import { validateConfig } from "../runtime/validate.ts";
import type { Context } from "./context.ts";
import { homeOf } from "./home.ts";
import { danglingIn, resolveInRoot } from "./in-root.ts";

export interface Bundle {
  readonly directory: string;
  readonly rootfs: string;
  /** As it stands on disk, to be kept with the container. */
  readonly raw: Buffer;
  /** Checked, with paths made absolute and what the host cannot grant left out. */
  readonly config: RuntimeConfig;
  /** Destinations of binds whose source is no directory. */
  readonly fileMounts: ReadonlySet<string>;
  /** Binds of what an earlier mount has put into the root filesystem, with the path there. */
  readonly lateBinds: ReadonlyMap<Mount, string>;
  /** Of destinations whose links lead to what is not there: where they lead. */
  readonly landings: ReadonlyMap<Mount, string>;
}

function readConfig(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new SampanError(
      errnoOf(error) === "ENOENT" ? "not-found" : "unavailable",
      `Cannot read the bundle's "${file}": ${errnoOf(error) === "ENOENT" ? "no such file or directory" : String(errnoOf(error))}`,
      { cause: error },
    );
  }
}

/** Reads, checks and completes a bundle. Everything that is wrong with it is one error, before anything is made. */
export function loadBundle(context: Context, path: string, configFile = "config.json"): Bundle {
  const directory = resolve(path);
  if (!existsSync(directory)) throw new SampanError("not-found", `Cannot use bundle "${path}": no such directory`);
  const file = resolve(directory, configFile);
  const raw = readConfig(file);
  const config = parseRuntimeConfig(raw, file);
  const problems = validateConfig(config);
  if (config.linux?.resources) problems.push(...validateResources(config.linux.resources));
  throwProblems(problems, file);
  const rootfs = resolve(directory, config.root?.path ?? "rootfs");
  const root = statSync(rootfs, { throwIfNoEntry: false });
  if (!root?.isDirectory())
    throw new SampanError("not-found", `Cannot use root filesystem "${rootfs}": ${root ? "it is not a directory" : "no such file or directory"}`);
  if (realpathSync(rootfs) === "/") throw new SampanError("invalid", `Cannot use root filesystem "${rootfs}": it is the host's own root`);
  const fileMounts = new Set<string>();
  const lateBinds = new Map<Mount, string>();
  const landings = new Map<Mount, string>();
  const mounts: Mount[] = [];
  for (const mount of config.mounts ?? []) {
    const complete = completeMount(mount, { directory, rootfs, earlier: mounts, fileMounts, lateBinds });
    // A link at /proc or /sys is never followed.
    const landing = mount.type === "proc" || mount.type === "sysfs" ? undefined : danglingIn(rootfs, complete.destination);
    if (landing !== undefined) landings.set(complete, landing);
    mounts.push(complete);
  }
  const complete: RuntimeConfig = { ...config, mounts };
  if (config.process) complete.process = completeProcess(context, config.process, { rootfs, mounts, warn: true });
  return { directory, rootfs, raw, config: complete, fileMounts, lateBinds, landings };
}

interface MountPlace {
  readonly directory: string;
  readonly rootfs: string;
  readonly earlier: readonly Mount[];
  readonly fileMounts: Set<string>;
  readonly lateBinds: Map<Mount, string>;
}

/** A tmpfs takes the mode of the directory that it covers, unless it says one; where an earlier mount is in between, keel looks. */
function withMode({ type, options = [] }: Mount, rootfs: string, destination: string, earlier: readonly Mount[]): Pick<Mount, "options"> {
  if (type !== "tmpfs" || options.some((option) => option.startsWith("mode=")) ||
    earlier.some((other) => `${destination}/`.startsWith(`${other.destination}/`))) return {};
  const covered = resolveInRoot(rootfs, destination);
  const mode = covered === undefined ? undefined : lstatSync(covered).mode & 0o7777;
  return mode === undefined ? {} : { options: [...options, `mode=${mode.toString(8)}`] };
}

/** A bind's source is the host's, relative ones are the bundle's (config.md "Mounts"). */
function completeMount(mount: Mount, { directory, rootfs, earlier, fileMounts, lateBinds }: MountPlace): Mount {
  const absolute = mount.destination.startsWith("/") ? mount.destination : `/${mount.destination}`;
  // Also the path on the host is understood, as by runc.
  const destination = absolute.startsWith(`${rootfs}/`) ? absolute.slice(rootfs.length) : absolute;
  if (!isBind(mount)) return { ...mount, destination, ...withMode(mount, rootfs, destination, earlier) };
  const source = resolve(directory, mount.source ?? "");
  const complete = { ...mount, destination, source };
  const path = source.startsWith(`${rootfs}/`) ? source.slice(rootfs.length) : "";
  const covering = earlier.findLast((other) => path === other.destination || path.startsWith(`${other.destination.replace(/\/+$/, "")}/`));
  if (path !== "" && covering) lateBinds.set(complete, path.slice(1));
  // Beneath an earlier bind it is its source's file; a new filesystem has nothing but directories, which still later mounts made.
  const file = path === "" || !covering
    ? source
    : isBind(covering) && !lateBinds.has(covering) ? `${covering.source ?? ""}${path.slice(covering.destination.length)}`
    : undefined;
  const stat = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false });
  if (file !== undefined && !stat)
    throw new SampanError("not-found", `Cannot mount "${destination}": the source "${source}" is not there: no such file or directory`);
  if (stat?.isDirectory() === false) fileMounts.add(destination);
  else fileMounts.delete(destination);
  return complete;
}

/**
 * Capabilities that this host does not know or that we do not have ourselves are left out with a warning (config.md
 * "capabilities"); HOME is the user's own where the config says nothing, as runc and crun have it.
 */
export function completeProcess(context: Context, process: Process, given: { rootfs: string; mounts: readonly Mount[]; warn: boolean }): Process {
  // Of a variable that is there twice the last one counts, as for runc; which one getenv(3) finds is the program's libc's affair.
  const byName = new Map((process.env ?? []).map((entry) => [entry.slice(0, entry.indexOf("=") + 1) || entry, entry]));
  const env = [...byName.values()].filter((entry) => entry !== "HOME=");
  const result: Process = { ...process, env };
  if (!env.some((entry) => entry.startsWith("HOME="))) env.push(`HOME=${homeOf(given.rootfs, given.mounts, process.user?.uid ?? 0)}`);
  if (process.capabilities) result.capabilities = grantable(context, process.capabilities, given.warn);
  return result;
}

function grantable(context: Context, wanted: Capabilities, warn: boolean): Capabilities {
  const status = readFileSync("/proc/self/status", "utf8");
  const bounding = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  const ours = new Set(capabilitiesOfMask(bounding));
  const refused = new Set<string>();
  const filter = (names: readonly string[]): string[] => names.filter((name) => {
    if (capabilityNumber(name) !== undefined && ours.has(name)) return true;
    refused.add(name);
    return false;
  });
  const { bounding: b, effective: e, inheritable: i, permitted: p, ambient: a } = wanted;
  const result: Capabilities = {
    ...(b ? { bounding: filter(b) } : {}), ...(e ? { effective: filter(e) } : {}), ...(i ? { inheritable: filter(i) } : {}),
    ...(p ? { permitted: filter(p) } : {}),
  };
  if (refused.size > 0 && warn)
    context.log.write(
      "warning",
      `ignoring unknown or unavailable capabilities: [${[...refused].join(" ")}]: this kernel does not know them, or this process does not have them itself`,
    );
  // The kernel raises in the ambient set only what is permitted and inheritable (capabilities(7)).
  const ambient = filter(a ?? []).filter((name) => result.permitted?.includes(name) === true && result.inheritable?.includes(name) === true);
  const lacking = (a ?? []).filter((name) => !ambient.includes(name) && !refused.has(name));
  if (lacking.length > 0 && warn)
    context.log.write(
      "warning",
      `Cannot grant all capabilities: ${lacking.map((name) => `can't raise ambient capability ${name}: it is not both permitted and inheritable`).join("; ")}`,
    );
  return ambient.length > 0 ? { ...result, ambient } : result;
}

import type { DeviceCgroupRule, Resources } from "../../oci/index.ts";
import { SampanError } from "../../base/index.ts";
import { deviceProgram } from "../../linux/cgroup-bpf.ts";
import { devicePolicy } from "./device-rules.ts";
import { missingController } from "./failure.ts";
import type { SettingsContext } from "./settings.ts";
import type { CgroupDirectory, CgroupHost, CgroupPaths, CgroupPlan, CgroupWrite, CompileOptions, Hierarchy } from "./types.ts";
import * as v1 from "./v1.ts";
import * as v2 from "./v2.ts";

/** One section of the resources: which controller it needs, whose flag asked, and how to say it to each version. */
export interface Section {
  readonly controllers: readonly string[];
  readonly option: string;
  readonly apply: (context: SettingsContext, hierarchy: Hierarchy) => void;
}

function asked(value: object | undefined, isLimit: (value: unknown) => boolean): boolean {
  return value !== undefined && Object.values(value).some((entry) => entry !== undefined && isLimit(entry));
}

const isSet = (value: unknown): boolean => value !== 0 && value !== -1 && value !== false && value !== "" && !(Array.isArray(value) && value.length === 0);

/** What the resources ask for. Values that mean "no limit" ask for nothing in a new group, and so need no controller. */
export function sectionsOf(resources: Resources, path: string, fresh: boolean): Section[] {
  const { memory, cpu, pids, blockIO, hugepageLimits, network, rdma } = resources;
  const counts = fresh ? isSet : (): boolean => true;
  const sections: Section[] = [];
  if (memory !== undefined && asked({ ...memory, checkBeforeUpdate: undefined, swappiness: (memory.swappiness ?? -1) >= 0 ? true : undefined }, counts)) {
    const option = memory.limit !== undefined
      ? "--memory"
      : memory.swap !== undefined ? "--memory-swap"
      : memory.reservation !== undefined ? "--memory-reservation"
      : "memory limits";
    sections.push({
      controllers: ["memory"],
      option,
      apply: (context, { version }) => (version === 1 ? v1.memoryV1(context, memory) : v2.memoryV2(context, memory)),
    });
  }
  if (cpu !== undefined) {
    const { cpus, mems, ...time } = cpu;
    if (asked(time, counts)) {
      const option = cpu.quota !== undefined ? "--cpus or --cpu-quota" : cpu.shares !== undefined ? "--cpu-shares" : "--cpu-period";
      sections.push({ controllers: ["cpu"], option, apply: (context, { version }) => (version === 1 ? v1.cpuV1(context, cpu) : v2.cpuV2(context, cpu)) });
    }
    if (asked({ cpus, mems }, isSet)) {
      sections.push({
        controllers: ["cpuset"],
        option: cpus !== undefined && cpus !== "" ? "--cpuset-cpus" : "--cpuset-mems",
        apply: (context, hierarchy) => {
          if (hierarchy.version === 1) v1.cpusetV1(context, cpu, hierarchy.mountpoint, parentsOf(hierarchy, path));
          else v2.cpusetV2(context, cpu, [hierarchy.mountpoint, ...parentsOf(hierarchy, path)]);
        },
      });
    }
  }
  const { limit } = pids ?? {};
  if (limit !== undefined && (limit > 0 || !fresh)) {
    sections.push({ controllers: ["pids"], option: "--pids-limit", apply: (context) => v1.pidsV1(context, limit) });
  }
  if (blockIO !== undefined && asked(blockIO, isSet)) {
    const option = blockIO.weight !== undefined ? "--blkio-weight" : "block I/O limits";
    sections.push({
      controllers: ["blkio", "io"],
      option,
      apply: (context, { version }) => (version === 1 ? v1.blockIoV1(context, blockIO) : v2.blockIoV2(context, blockIO)),
    });
  }
  if (hugepageLimits !== undefined && hugepageLimits.length > 0) {
    sections.push({
      controllers: ["hugetlb"],
      option: "hugepageLimits",
      apply: (context, { version }) => (version === 1 ? v1.hugetlbV1(context, hugepageLimits) : v2.hugetlbV2(context, hugepageLimits)),
    });
  }
  const classId = network?.classID;
  if (classId !== undefined && classId !== 0) {
    sections.push({ controllers: ["net_cls"], option: "network.classID", apply: (context) => v1.netClassV1(context, classId) });
  }
  const priorities = network?.priorities ?? [];
  if (priorities.length > 0) {
    sections.push({ controllers: ["net_prio"], option: "network.priorities", apply: (context) => v1.netPriorityV1(context, priorities) });
  }
  if (rdma !== undefined && Object.keys(rdma).length > 0) {
    sections.push({ controllers: ["rdma"], option: "rdma", apply: (context) => v1.rdmaBoth(context, rdma) });
  }
  return sections;
}

/** "/sampan/ab12" → ["/sampan", "/sampan/ab12"]; throws where it is not a plain absolute path beneath the top. */
export function pathSteps(path: string): string[] {
  const names = path.split("/");
  const plain = names.slice(1).every((name) => name !== "" && name !== "." && name !== ".." && !name.includes("\0") && !name.includes("\n"));
  if (names[0] !== "" || names.length < 2 || !plain) {
    throw new SampanError("invalid", `Cannot use cgroup path "${path}": it must be absolute, without empty, "." or ".." parts, and not the top itself`);
  }
  return names.slice(1).map((_, index) => names.slice(0, index + 2).join("/"));
}

export function parentsOf(hierarchy: Hierarchy, path: string): string[] {
  return pathSteps(path).slice(0, -1).map((step) => hierarchy.mountpoint + step);
}

/**
 * The hierarchies that every container has a group in, by what needs them.
 *
 * A group costs about 0.15 ms in each v1 hierarchy (mkdir, join, rmdir), so one is made only where something comes of it:
 * limits that can be changed later (memory, cpu, pids, blkio), device control, and figures for `stats`. The cgroup2
 * hierarchy, even without controllers, can freeze and kill a whole group and counts its CPU time; where it is mounted, the v1 freezer,
 * cpuacct and name=systemd hierarchies would say the same twice and are left out. cpuset costs the most and does
 * nothing until it is asked for.
 */
function alwaysJoined(host: CgroupHost): Hierarchy[] {
  const names = ["memory", "cpu", "pids", "blkio", "devices"];
  if (host.unified === undefined) names.push("freezer", "cpuacct");
  const joined = new Set<Hierarchy>();
  for (const name of names) {
    const hierarchy = host.controllers.get(name);
    if (hierarchy?.version === 1) joined.add(hierarchy);
  }
  if (host.unified !== undefined) joined.add(host.unified);
  // Otherwise systemd would take the container for part of the service or session that started it, and stop it with that.
  else for (const hierarchy of host.hierarchies) if (hierarchy.name === "systemd") joined.add(hierarchy);
  return [...joined];
}

/**
 * A container's control group as directories, writes and places to join.
 *
 * Throws "unsupported", naming every flag concerned, where a limit is asked for that this host cannot enforce:
 * a limit is never dropped. `options.read` is asked for a few small files only when the resources need it: the parents'
 * cpuset on v1, and on v2 which controllers are already enabled (writing that file waits for dying groups).
 */
export function compileCgroup(resources: Resources, host: CgroupHost, path: string, options: CompileOptions): CgroupPlan {
  const steps = pathSteps(path);
  const problems: string[] = [];
  const hints: string[] = [];
  const joined = new Set(options.join === "all" ? host.hierarchies : alwaysJoined(host));
  const settings: CgroupWrite[] = [];
  // For figures and later updates these are wanted always; what a limit needs is required.
  const wanted = ["memory", "cpu", "pids", "io"].filter((name) => host.controllers.get(name)?.version === 2);
  const required = new Set<string>();

  const contextFor = (hierarchy: Hierarchy, controller: string): SettingsContext => ({
    directory: hierarchy.mountpoint + path, controller, fresh: true, options, writes: settings, problems,
  });
  for (const section of sectionsOf(resources, path, true)) {
    const controller = section.controllers.find((name) => host.controllers.has(name));
    const hierarchy = controller === undefined ? undefined : host.controllers.get(controller);
    if (controller === undefined || hierarchy === undefined) {
      const { problem, hint } = missingController(section.option, section.controllers[0] ?? "", host);
      problems.push(problem);
      hints.push(hint);
      continue;
    }
    joined.add(hierarchy);
    if (hierarchy.version === 2) required.add(controller);
    section.apply(contextFor(hierarchy, controller), hierarchy);
  }
  // Mounted together with a controller that is wanted, cpuset must be filled or nobody can join.
  const cpuset = host.controllers.get("cpuset");
  const cpusetAsked = settings.some((write) => write.controller === "cpuset");
  if (cpuset?.version === 1 && joined.has(cpuset) && !cpusetAsked) {
    v1.cpusetV1(contextFor(cpuset, "cpuset"), {}, cpuset.mountpoint, parentsOf(cpuset, path));
  }
  compileUnified(resources.unified ?? {}, host, required, (hierarchy) => contextFor(hierarchy, "unified"), problems);
  const program = compileDevices(resources.devices ?? [], host, contextFor, problems, hints);

  if (problems.length > 0) throw new SampanError("unsupported", problems.join("\n"), { hint: hints[0] });

  const directories: CgroupDirectory[] = [];
  for (const hierarchy of joined) {
    steps.forEach((step, index) => {
      directories.push({ path: hierarchy.mountpoint + step, leaf: index === steps.length - 1, version: hierarchy.version });
    });
  }
  const leaves = [...joined].map((hierarchy) => hierarchy.mountpoint + path);
  const paths = pathsOf([...joined], new Set([...wanted, ...required]), path);
  const writes = [...enableControllers(host.unified, steps, { required, wanted }, options), ...settings];
  return { directories, writes, join: joinOf(paths), remove: leaves, paths, ...(program === undefined ? {} : { deviceProgram: program }) };
}

function compileUnified(
  unified: Readonly<Record<string, string>>,
  host: CgroupHost,
  required: Set<string>,
  contextFor: (hierarchy: Hierarchy) => SettingsContext,
  problems: string[],
): void {
  const keys = Object.keys(unified);
  if (keys.length === 0) return;
  if (host.unified === undefined) {
    for (const key of keys) problems.push(`Cannot apply linux.resources.unified "${key}": invalid configuration: this host has no cgroup v2 hierarchy`);
    return;
  }
  for (const key of keys) {
    const found = v2.unifiedController(key, host.unified.controllers);
    if ("problem" in found) problems.push(`Cannot apply linux.resources.unified "${key}": ${found.problem}`);
    else if (found.controller !== "") required.add(found.controller);
  }
  v2.unifiedV2(contextFor(host.unified), unified);
}

function compileDevices(
  rules: readonly DeviceCgroupRule[],
  host: CgroupHost,
  contextFor: (hierarchy: Hierarchy, controller: string) => SettingsContext,
  problems: string[],
  hints: string[],
): Uint8Array | undefined {
  const { policy, problems: malformed } = devicePolicy(rules);
  problems.push(...malformed);
  const hierarchy = host.controllers.get("devices");
  if (hierarchy !== undefined) {
    if (rules.length > 0) v1.devicesV1(contextFor(hierarchy, "devices"), policy);
    return undefined;
  }
  if (policy.defaultAllow && policy.exceptions.length === 0) return undefined;
  if (host.unified !== undefined) return deviceProgram(policy);
  const { problem, hint } = missingController("device rules", "devices", host);
  problems.push(problem);
  hints.push(hint);
  return undefined;
}

/**
 * A v2 controller reaches a group only if every group above has it in cgroup.subtree_control.
 *
 * Looked at before it is written: even a write that changes nothing waits until all dying groups beneath have
 * gone (cgroup_lock_and_drain_offline), some 20 ms after another container ended.
 *
 * Below the top of the machine a group with processes in it hands nothing on (EBUSY), which is what an engine inside a
 * container finds at the top of its cgroup namespace: what is only wanted is then done without, what is required is an error.
 */
export function enableControllers(
  unified: Hierarchy | undefined,
  steps: readonly string[],
  controllers: { readonly required: ReadonlySet<string>; readonly wanted?: readonly string[] },
  options: CompileOptions,
): CgroupWrite[] {
  const { required, wanted = [] } = controllers;
  if (unified === undefined || required.size + wanted.length === 0) return [];
  const writes: CgroupWrite[] = [];
  for (const step of ["", ...steps.slice(0, -1)]) {
    const path = `${unified.mountpoint}${step}/cgroup.subtree_control`;
    const current = options.read(path)?.trim().split(" ") ?? [];
    const write = (names: readonly string[], ignoreErrno?: readonly string[]): void => {
      const lacking = names.filter((name) => !current.includes(name));
      if (lacking.length === 0) return;
      const value = lacking.map((name) => `+${name}`).join(" ");
      writes.push({ path, value, why: "let the groups beneath use these controllers", controller: lacking.join(" "), ...(ignoreErrno ? { ignoreErrno } : {}) });
    };
    write([...required]);
    // ENOENT: what the group above did not get, this one has not to give.
    write(wanted.filter((name) => !required.has(name)), ["EBUSY", "ENOENT", "EOPNOTSUPP"]);
  }
  return writes;
}

function pathsOf(joined: readonly Hierarchy[], enabled: ReadonlySet<string>, path: string): CgroupPaths {
  const controllers: Record<string, { version: 1 | 2; directory: string }> = {};
  let unified: string | undefined;
  for (const hierarchy of joined) {
    const directory = hierarchy.mountpoint + path;
    if (hierarchy.version === 2) unified = directory;
    for (const name of hierarchy.controllers) {
      if (hierarchy.version === 1 || enabled.has(name)) controllers[name] = { version: hierarchy.version, directory };
    }
  }
  const directories = joined.map((hierarchy) => hierarchy.mountpoint + path);
  return { controllers, directories, ...(unified === undefined ? {} : { unified }) };
}

/**
 * How a new process gets into a container's groups: PID 1 at start, and every `exec`.
 *
 * v1 goes through `tasks`, not `cgroup.procs`: moving a whole process takes the lock that every fork and exit on the
 * machine takes for reading, and waits for an RCU grace period (cgroup_procs_write_start, cgroup_threadgroup_rwsem), some
 * 20 ms; moving the calling thread takes none and some 10 µs to 30 µs. For a process with one thread, which keel's child is by
 * construction, the effect is the same: threads it makes later are born in its group.
 */
export function joinOf(paths: CgroupPaths): CgroupPlan["join"] {
  const v1TaskFiles = paths.directories.filter((directory) => directory !== paths.unified).map((directory) => `${directory}/tasks`);
  return { v1TaskFiles, ...(paths.unified === undefined ? {} : { v2Directory: paths.unified }) };
}

/**
 * How one more process gets into a container's groups. cgroup v2 takes no process into a group that hands controllers on
 * (EBUSY), as the container's own does once a systemd or an engine in it has made groups beneath: then it is born in the
 * group of the first process, which is where runc and crun put it.
 *
 * @param firstProcess gives the text of /proc/PID/cgroup of the container's first process
 */
export function joinBeside(
  join: CgroupPlan["join"],
  unified: Hierarchy | undefined,
  firstProcess: () => string,
  read: CompileOptions["read"],
): CgroupPlan["join"] {
  const { v2Directory } = join;
  if (v2Directory === undefined || unified === undefined) return join;
  if ((read(`${v2Directory}/cgroup.subtree_control`) ?? "").trim() === "") return join;
  const top = (unified.root === "/" ? "" : unified.root) + v2Directory.slice(unified.mountpoint.length);
  const path = /^0::(.*)$/m.exec(firstProcess())?.[1] ?? "";
  // It may have left for a group that is not the container's: nobody follows it there.
  return path.startsWith(`${top}/`) ? { ...join, v2Directory: v2Directory + path.slice(top.length) } : join;
}

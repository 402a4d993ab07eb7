import { closeSync, existsSync, mkdirSync, openSync, readSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { SampanError, errnoOf } from "../base/errors.ts";
import type { RuntimeConfig } from "../oci/index.ts";
import type { Plan, Report, Running } from "../plan/index.ts";
import { planFailure, startPlan } from "../plan/index.ts";
import type { CgroupPaths } from "../runtime/cgroups/index.ts";
import { readText } from "../runtime/cgroups/index.ts";
import { describeOciLaunch, keptPlan } from "../runtime/kept-plans.ts";
import { isAlive, readIfThere } from "../runtime/processes.ts";
import { loadBundle } from "./bundle.ts";
import type { Context } from "./context.ts";
import type { CreateOptions } from "./launch.ts";
import { findOut, launchOf, losesTime, newState } from "./launch.ts";
import { writePidFile, writeWhenKnown } from "./pid-file.ts";
import type { ContainerFiles, StoredState } from "./state.ts";
import { checkId, filesOf, readInit, removeFiles } from "./state.ts";

export interface Created {
  readonly running: Running;
  readonly files: ContainerFiles;
  readonly config: RuntimeConfig;
  readonly state: StoredState;
  /** keel does not run the poststart hooks, since it stays to pump a terminal or has no rights left: they are the caller's to run. */
  readonly ownPoststart: boolean;
  /** The program runs. A first process that was killed while it waited for hooks has not started, though keel sees its pipe close. */
  readonly hasStarted: () => boolean;
  /** Waits for keel; throws what failed, after nothing is left of the container. */
  readonly settle: () => Promise<{ code: number; report: Report }>;
  /** Writes the pid file that was asked for; where that fails, nothing is left of the container either. */
  readonly tellPid: (pid: number) => Promise<void>;
}

function reserve(context: Context, id: string, files: ContainerFiles): void {
  context.makeRoot();
  try {
    mkdirSync(files.directory, { mode: 0o711 });
  } catch (error) {
    if (errnoOf(error) === "EEXIST") throw new SampanError("already-exists", `Cannot create container "${id}": container with given ID already exists`);
    throw new SampanError("unavailable", `Cannot create container "${id}": ${files.directory}: ${errnoOf(error) ?? String(error)}`, { cause: error });
  }
}

function checkTerminal(id: string, config: RuntimeConfig, options: CreateOptions): void {
  const terminal = config.process?.terminal === true;
  if (terminal && options.end !== "exited" && options.consoleSocket === undefined)
    throw new SampanError("invalid", `Cannot create container "${id}": it has a terminal, which needs --console-socket`);
  if (options.consoleSocket !== undefined && !terminal)
    throw new SampanError("invalid", `Cannot create container "${id}": --console-socket is for a container with a terminal`);
}

/** Makes a container. When this throws, nothing of it is left. */
export async function createContainer(context: Context, id: string, options: CreateOptions): Promise<Created> {
  checkId(id);
  const files = filesOf(context.root, id);
  if (existsSync(files.directory)) throw new SampanError("already-exists", `Cannot create container "${id}": container with given ID already exists`);
  const bundle = loadBundle(context, options.bundle, options.config);
  const { config } = bundle;
  checkTerminal(id, config, options);
  const findings = await findOut(context, id, bundle, options);
  const { cgroup, seccomp, place, resources } = findings;
  reserve(context, id, files);
  const opened: number[] = [];
  try {
    const state = newState(id, findings);
    if (options.end === "created") mkdirSync(dirname(files.told), { mode: 0o700 });
    writeFileSync(files.config, bundle.raw, { mode: 0o600 });
    writeFileSync(files.state, JSON.stringify(state), { mode: 0o600 });
    const inherit = Array.from({ length: findings.fds.count }, (_, i) => 3 + i);
    const hookOutput = hasHooks(config) ? openHookOutput(files) : undefined;
    if (hookOutput !== undefined) {
      opened.push(hookOutput);
      inherit.push(hookOutput);
    }
    const launch = await launchOf(context, id, findings, options, { files, inherit, opened, hookOutput });
    // Loaded where there is something to compile.
    const compiled = async (): Promise<Plan> => (await import("../runtime/oci-create.ts")).compileCreate(launch);
    const plan = await keptPlan(context.plans, describeOciLaunch(launch), compiled);
    if (seccomp) context.log.write("debug", `seccomp filter flags: ${seccomp.flags}`);
    context.log.write("debug", `container "${id}": cgroup ${cgroup ? place.path : "none"}, ${plan.count} calls`);
    const release = place.unit
      ? await (await import("./systemd/index.ts")).startScope(context, place.unit, { id, config, resources, directory: files.directory })
      : undefined;
    const hostHooks = launch.hooksElsewhere ? await import("./host-hooks.ts") : undefined;
    const running = await startPlan(plan, { keel: context.keel, directory: files.directory, stdio: [0, 1, 2], inherit });
    if (losesTime(config) && !(await writeWhenKnown(() => running.born()?.child, (pid) => { recordBirth(files, pid); }, running.finished)))
      recordBirth(files, (await running.finished).report.childPid);
    if (release && cgroup) void releaseWhenInside(release, files, cgroup.paths, running.finished);
    let released = hostHooks === undefined;
    const hostHooked = hostHooks?.runHostHooks(context, { state, files, config }, running).then((failure) => {
      released = failure === undefined;
      return failure;
    });
    const settle = async (): Promise<{ code: number; report: Report }> => {
      const done = await running.finished;
      const failure = done.report.failure === undefined ? undefined : planFailure(await compiled(), done.report);
      const output = failure && hookOutput !== undefined ? readHookOutput(hookOutput) : "";
      for (const fd of opened.splice(0)) closeSync(fd);
      const hookFailure = await hostHooked;
      if (hookFailure) {
        await abandon(context, state, files, config, true);
        throw hookFailure;
      }
      if (!failure) return done;
      await abandon(context, state, files, config, failure.call?.op === "spawn");
      const { explain } = await import("./failure.ts");
      throw explain(failure, done.report, output);
    };
    const tellPid = async (pid: number): Promise<void> => {
      try {
        if (options.pidFile !== undefined) writePidFile(options.pidFile, pid);
      } catch (error) {
        await abandon(context, state, files, config, false);
        throw error;
      }
    };
    return {
      running, files, config, state, ownPoststart: launch.monitor !== undefined || launch.hooksElsewhere !== undefined,
      hasStarted: () => released && running.peek() === "started", settle, tellPid,
    };
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    removeFiles(files);
    throw error;
  }
}

/** A scope's holder may go once the container's first process is in all of its groups. */
async function releaseWhenInside(release: () => void, files: ContainerFiles, { directories }: CgroupPaths, finished: Promise<unknown>): Promise<void> {
  let over = false;
  finished.then(() => { over = true; }, () => { over = true; });
  const inside = (pid: number): boolean => directories.every((directory) => (readText(`${directory}/cgroup.procs`) ?? "").split("\n").includes(String(pid)));
  for (let init = readInit(files); !over && !(init && inside(init.pid)); init = readInit(files)) await new Promise((resolve) => setTimeout(resolve, 1));
  release();
}

function recordBirth(files: ContainerFiles, pid: number): void {
  const stat = readIfThere(`/proc/${pid}/stat`);
  if (stat !== undefined) writeFileSync(files.pid, stat, { mode: 0o600 });
}

function hasHooks({ hooks }: RuntimeConfig): boolean {
  return Object.values(hooks ?? {}).some((list) => (list as readonly unknown[]).length > 0); // every kind is a list
}

function openHookOutput(files: ContainerFiles): number {
  const path = `${files.directory}/hooks`;
  const fd = openSync(path, "ax+", 0o600);
  unlinkSync(path);
  return fd;
}

function readHookOutput(fd: number): string {
  const buffer = Buffer.alloc(2048);
  return buffer.toString("utf8", 0, readSync(fd, buffer, 0, buffer.length, 0)).trim();
}

/** A creation that failed leaves nothing; when a hook failed, the poststop hooks still run (runtime.md "Lifecycle"). */
async function abandon(context: Context, state: StoredState, files: ContainerFiles, config: RuntimeConfig, afterHook: boolean): Promise<void> {
  const { destroy } = await import("./destroy.ts");
  const init = readInit(files);
  if (isAlive(init) && init) process.kill(init.pid, "SIGKILL");
  await destroy(context, { state, files, init }, afterHook ? config : undefined);
}

import { closeSync, fstatSync, readFileSync } from "node:fs";
import { SampanError, errnoOf } from "../../base/errors.ts";
import type { ErrorOptionsWithFacts } from "../../base/errors.ts";
import { createId } from "../../base/ids.ts";
import type { Process } from "../../oci/index.ts";
import type { Plan, Report } from "../../plan/index.ts";
import { planFailure, startPlan } from "../../plan/index.ts";
import type { ExecLaunch } from "../../runtime/exec.ts";
import { describeExec, keptPlan } from "../../runtime/kept-plans.ts";
import type { CgroupJoin } from "../../runtime/cgroups/index.ts";
import { joinBeside, readText } from "../../runtime/cgroups/index.ts";
import type { MonitorPlan } from "../../runtime/index.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { ExecOptions, ExecRequest, SessionResult, Streams } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { requireRoot } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { openProcess, processAt } from "../processes.ts";
import { capabilitiesOf, securityOptions } from "../spec/security.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { appendEvent } from "./events.ts";
import { endExec, execStatusPath } from "./exec-end.ts";
import { execProcess } from "./exec-process.ts";
import { FINISHER_ENVIRONMENT, finisher } from "./finisher.ts";
import { cgroupPathsOf } from "./groups.ts";
import { livenessOf } from "./liveness.ts";
import { forwardSignals } from "./signals.ts";
import { attachedTo, connectStreams, stdioOf } from "./streams.ts";
import { killChildOnAbort, throwIfCancelled } from "./abort.ts";

const DEFAULT_DETACH_KEYS = new Uint8Array([16, 17]); // ctrl-p, ctrl-q

/** Runs a command in a running container: in all of its namespaces and in its cgroup, or not at all. */
export async function execInContainer(context: EngineContext, name: string, request: ExecRequest, options: ExecOptions): Promise<SessionResult> {
  requireRoot();
  const record = context.store.containers.find(name);
  const directory = openFirstProcess(context, record);
  try {
    // Written by `reserve` from a StoredConfig.
    const stored = JSON.parse(context.store.containers.config(record.id)) as StoredConfig;
    const process_ = processFor(context, record, stored, request);
    const streams = request.detach ? {} : options.streams;
    const idleStreams = [streams.stdin, streams.stdout, streams.stderr].flatMap((stream, fd) => (isNull(stream) ? [fd] : []));
    const monitored = request.detach || request.tty || process_.user?.uid !== 0 || !sharable(streams);
    const id = createId();
    const monitor = monitored ? await monitorPlan(context, record, id, request, { ...options, streams }) : undefined;
    const seccomp = await context.seccomp(securityOptions(stored.request).seccomp, capabilitiesOf(stored.request));
    const launch: ExecLaunch = {
      name: record.name, process: process_, target: 3, userNamespace: false, cgroup: joinOf(context, record, directory),
      idleStreams, host: { lastCapability: context.hostFacts([]).lastCapability }, ...(seccomp ? { seccomp } : {}), ...(monitor ? { monitor } : {}),
    };
    return await runExec(context, record, { id, request, launch, monitored }, { ...options, streams }, directory);
  } finally {
    closeSync(directory);
  }
}

/** A user that the container does not have keeps a command from being executed: 126, where a start says 125. */
function processFor(context: EngineContext, record: ContainerRecord, stored: StoredConfig, request: ExecRequest): Process {
  try {
    return execProcess(containerPaths(context.paths, record.id), stored, request);
  } catch (error) {
    if (!(error instanceof SampanError)) throw error;
    throw new SampanError(error.kind, error.message, { hint: error.hint, code: error.code, exitCode: 126, cause: error });
  }
}

interface PreparedExec {
  readonly id: string;
  readonly request: ExecRequest;
  readonly launch: ExecLaunch;
  readonly monitored: boolean;
}

async function runExec(
  context: EngineContext,
  record: ContainerRecord,
  { id, request, launch, monitored }: PreparedExec,
  options: ExecOptions,
  directory: number,
): Promise<SessionResult> {
  const { execs } = context.store;
  const { streams, signal } = options;
  throwIfCancelled(signal);
  // Loaded where there is something to compile.
  const compiled = async (): Promise<Plan> => (await import("../../runtime/exec.ts")).compileExec(launch);
  const plan = await keptPlan(context.plans, describeExec(launch, [record.id, id]), compiled);
  const words = request.command.join(" ");
  const recordStart = (): void => {
    const self = processAt(process.pid);
    context.store.transaction(() => {
      execs.add({ id, containerId: record.id, config: JSON.stringify(request), createdMs: Date.now() });
      execs.started(id, { pid: null, pidStartTime: null, monitorPid: process.pid, monitorStartTime: self?.startTime ?? 0 });
      for (const action of [`exec_create: ${words}`, `exec_start: ${words}`]) appendEvent(context, record, action, { execID: id });
    });
  };
  // What a monitor's finisher looks for has to be there before it can end.
  if (monitored) recordStart();
  const running = await startPlan(plan, {
    keel: context.keel, directory: containerPaths(context.paths, record.id).run, inherit: [directory],
    stdio: stdioOf(streams),
  }).catch((error: unknown) => {
    if (monitored) endExec(context, record, id, 126);
    // With the end of a container its run directory goes.
    throw errnoOf(error) === "ENOENT" && livenessOf(context, record).process === undefined ? notRunning(record, { cause: error, exitCode: 126 }) : error;
  });
  connectStreams(streams, running);
  // Written while keel is at work: the command does not wait for the store.
  if (!monitored) recordStart();
  const stop = request.detach ? undefined : forwardSignals(running, { sigProxy: options.sigProxy ?? true, tty: request.tty });
  const keep = killChildOnAbort(running, signal);
  const { code, report } = await running.finished;
  stop?.();
  keep();
  const failure = report.failure === undefined ? undefined : execFailure(record, await compiled(), report);
  const lives = !failure && (request.detach || report.state === "detached");
  if (lives) {
    const [child, monitor] = [processAt(report.childPid), processAt(report.monitorPid)];
    execs.started(id, {
      pid: report.childPid,
      pidStartTime: child?.startTime ?? null,
      monitorPid: report.monitorPid,
      monitorStartTime: monitor?.startTime ?? null,
    });
    // It may have ended already: that is not what a caller who does not wait is told.
    return { exitCode: request.detach ? 0 : report.status, signal: 0, detached: !request.detach };
  }
  endExec(context, record, id, failure?.exitCode ?? report.status);
  throwIfCancelled(signal);
  if (failure) throw failure;
  if (report.state !== "exited")
    throw new SampanError("internal", `Cannot follow the command in container "${record.name}": its monitor ended with code ${code}`, { exitCode: 126 });
  return { exitCode: report.status, signal: report.signal, detached: false };
}

/** The container's groups, as they were recorded when they were made; `directory` is its first process's in /proc. */
function joinOf(context: EngineContext, record: ContainerRecord, directory: number): CgroupJoin {
  const { directories, unified } = cgroupPathsOf(context, record.id);
  const v1TaskFiles = directories.filter((path) => path !== unified).map((path) => `${path}/tasks`);
  if (unified === undefined) return { v1TaskFiles };
  return joinBeside({ v1TaskFiles, v2Directory: unified }, context.cgroups.unified, () => readFileSync(`/proc/self/fd/${directory}/cgroup`, "utf8"), readText);
}

/** /proc/PID of the container's first process, or Docker's words for why there is none. The caller closes it. */
function openFirstProcess(context: EngineContext, record: ContainerRecord): number {
  if (record.status === "paused")
    throw new SampanError("wrong-state", `Container ${record.name} is paused, unpause the container before exec`, {
      exitCode: 1,
      hint: `Go on with: sampan unpause ${record.name}`,
    });
  const { process: first } = livenessOf(context, record);
  const directory = first && openProcess(first);
  if (directory === undefined && record.status === "restarting")
    throw new SampanError("wrong-state", `Container ${record.id} is restarting, wait until the container is running`, { exitCode: 1 });
  if (directory === undefined) throw notRunning(record, { exitCode: 1, hint: `Start it first: sampan start ${record.name}` });
  return directory;
}

function notRunning(record: ContainerRecord, options: ErrorOptionsWithFacts): SampanError {
  return new SampanError("wrong-state", `container ${record.id} is not running`, options);
}

/**
 * Whether the caller's own descriptors may go into the container: only pipes, and /dev/null as one of the container's own. A file
 * could be opened again for writing by /proc/self/fd, a directory is a way out (CVE-2024-21626), a terminal takes input from
 * who holds it.
 */
function sharable(streams: Streams): boolean {
  return [streams.stdin, streams.stdout, streams.stderr].every((stream) => isNull(stream) || (typeof stream === "number" && fstatSync(stream).isFIFO()));
}

/** Nothing, or the host's /dev/null. */
function isNull(stream: Streams[keyof Streams]): boolean {
  if (typeof stream !== "number") return stream === undefined;
  const stat = fstatSync(stream);
  return stat.isCharacterDevice() && stat.rdev === 0x103;
}

async function monitorPlan(context: EngineContext, record: ContainerRecord, id: string, request: ExecRequest, options: ExecOptions): Promise<MonitorPlan> {
  const { streams } = options;
  const keys = options.detachKeys === undefined ? DEFAULT_DETACH_KEYS : (await import("./detach-keys.ts")).parseDetachKeys(options.detachKeys);
  return {
    detached: request.detach,
    attach: attachedTo(streams, request.interactive),
    openStdin: false, stdinOnce: true, detachKeys: request.tty ? keys : new Uint8Array(0),
    status: { path: execStatusPath(context, record, id), durable: false },
    finalize: finisher(context, record.id, id), environment: FINISHER_ENVIRONMENT,
  };
}

/** 127 for a program that is not there, 126 for everything else that keeps it from being executed (Docker's rule). */
function execFailure(record: ContainerRecord, plan: Plan, report: Report): SampanError | undefined {
  const failure = planFailure(plan, report);
  if (!failure) return undefined;
  const missing = failure.call?.stage === "program" && (failure.code === "ENOENT" || failure.code === "ENOTDIR");
  // The container ended between the look at it and the joining: its namespaces and groups are gone one by one.
  const gone = ["namespaces", "cgroup", "clone", "join"].includes(failure.call?.stage ?? "") &&
    ["ENOENT", "ESRCH", "ENODEV", "ENOMEM"].includes(failure.code ?? "");
  if (gone) return notRunning(record, { cause: failure, exitCode: 126, code: failure.code });
  return new SampanError(failure.call?.stage === "program" || failure.call?.stage === "directory" ? "invalid" : failure.kind, failure.message, {
    code: failure.code,
    exitCode: missing ? 127 : 126,
    cause: failure,
  });
}


import { closeSync, fstatSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { SampanError, errnoOf, messageOf } from "../base/errors.ts";
import { errnoName, errnoText } from "../linux/errno.ts";
import { hostArch } from "../linux/arch.ts";
import { Plan } from "./build.ts";
import { encodePlan } from "./encode.ts";
import type { EncodedPlan } from "./encode.ts";
import type { Call } from "./model.ts";
import type { Report, ReportState } from "./report.ts";
import { parseBirth, parseReport, parseState } from "./report.ts";
import type { Spawned, Stdio } from "./spawn.ts";
import { spawnProcess } from "./spawn.ts";

export interface RunOptions {
  /** The executor. */
  readonly keel: string;
  /** A directory of ours for the plan and the report; both are unlinked as soon as they are open. */
  readonly directory: string;
  /** Descriptors of ours that become 0, 1 and 2, nothing, or pipes. */
  readonly stdio?: readonly [Stdio, Stdio, Stdio];
  /** Further descriptors of ours, 3 and up; the plan must keep them (`keepBelow`). */
  readonly inherit?: readonly number[];
}

export interface Running extends Pick<Spawned, "output" | "input"> {
  readonly pid: number;
  /** Passes a signal on to what the plan started. */
  kill(signal: number): void;
  /** How far the plan is at this moment. */
  peek(): ReportState;
  /** The process that the plan cloned and its parent, as soon as it has been cloned; undefined before, and when all is over. */
  born(): { readonly child: number; readonly parent: number } | undefined;
  /** Resolves when keel's front ends. A plan that failed is in the report, not thrown. */
  readonly finished: Promise<{ readonly code: number; readonly report: Report }>;
}

function openUnlinked(path: string): number {
  const fd = openSync(path, "wx+", 0o600);
  unlinkSync(path);
  return fd;
}

/** For keel on this machine. */
export function encodedPlan(plan: Plan): EncodedPlan {
  return { bytes: encodePlan(plan, hostArch()), count: plan.outer.calls.length + plan.inner.calls.length };
}

let serial = 0; // names of files that exist for a moment, unique within this process

/** Hands a plan to keel. Throws SampanError "unavailable" if keel cannot be started. */
export async function startPlan(plan: Plan | EncodedPlan, options: RunOptions): Promise<Running> {
  const { bytes, count } = plan instanceof Plan ? encodedPlan(plan) : plan;
  const name = `${options.directory}/plan.${process.pid}.${++serial}`;
  const planFd = openUnlinked(name);
  const reportFd = openUnlinked(`${name}.report`);
  let child: Spawned;
  try {
    writeSync(planFd, bytes, 0, bytes.length, 0);
    // The room is taken now: where the filesystem is full, keel would die of the first word that it writes into its map of the report.
    const room = 64 + count * 24;
    writeSync(reportFd, Buffer.alloc(room), 0, room, 0);
    const inherit = options.inherit ?? [];
    const stdio = options.stdio ?? (["ignore", "ignore", 2] as const);
    const args = inherit.length === 0 ? [] : [String(3 + inherit.length), String(4 + inherit.length)];
    child = await spawnProcess(options.keel, args, { stdio: [...stdio, ...inherit, planFd, reportFd], env: {}, argv0: "keel" });
  } catch (error) {
    closeSync(reportFd);
    throw new SampanError("unavailable", `Cannot start the executor "${options.keel}": ${messageOf(error)}`, {
      code: errnoOf(error),
      cause: error,
      hint: hintFor(errnoOf(error), options.directory),
    });
  } finally {
    closeSync(planFd);
  }
  const state = Buffer.alloc(4);
  let last: ReportState | undefined;
  const peek = (): ReportState => {
    if (last !== undefined) return last;
    return readSync(reportFd, state, 0, 4, 0) === 4 ? parseState(state) : "running";
  };
  const born = (): { child: number; parent: number } | undefined => {
    const head = Buffer.alloc(24);
    if (last !== undefined || readSync(reportFd, head, 0, 24, 0) !== 24) return undefined;
    const { child: born, parent } = parseBirth(head);
    return born > 0 ? { child: born, parent: parent > 0 ? parent : child.pid } : undefined;
  };
  const finished = child.exited.then((code) => {
    const buffer = Buffer.alloc(Math.max(fstatSync(reportFd).size, 64 + count * 24));
    readSync(reportFd, buffer, 0, buffer.length, 0);
    closeSync(reportFd);
    const report = parseReport(buffer, count);
    last = report.state;
    return { code, report };
  });
  return {
    pid: child.pid, kill: (signal) => { child.kill(signal); }, output: (n) => child.output(n), get input() { return child.input; }, peek,
    born, finished,
  };
}

function hintFor(code: string | undefined, directory: string): string | undefined {
  if (code === "EACCES") return "Its file system may be mounted noexec: keep the store elsewhere, with --root DIR";
  return code === "ENOSPC" ? `What it is to do is written into "${directory}": make room there` : undefined;
}

/** Runs a plan to its end; throws what failed. */
export async function runPlan(plan: Plan, options: RunOptions): Promise<Report> {
  const running = await startPlan(plan, options);
  const { code, report } = await running.finished;
  const failure = planFailure(plan, report);
  if (failure) throw failure;
  if (code !== 0 && report.state !== "exited")
    throw new SampanError("internal", `Cannot run the plan: the executor ended with code ${code} and said nothing`);
  return report;
}

/** The instruction at a position of the whole plan, as reports count. */
function callAt(plan: Plan, index: number): Call | undefined {
  const outer = plan.outer.calls.length;
  return index < outer ? plan.outer.calls[index] : plan.inner.calls[index - outer];
}

/** The failure of a report as an error: what could not be done, by which call, and why. */
export function planFailure(plan: Plan, report: Report): PlanError | undefined {
  if (!report.failure) return undefined;
  const { index, errno } = report.failure;
  const call = index === undefined ? undefined : callAt(plan, index);
  const what = call?.options.what ?? (call ? `run step "${call.stage}"` : "run the plan");
  const name = call ? (call.op === "call" || call.op === "clone" ? call.name : call.op) : "keel";
  // A plan that gives up by itself has said why already; the errno is for the exit code.
  const reason = call?.op === "fail" ? "" : `${name}: `;
  return new PlanError(`Cannot ${what}: ${reason}${errnoText(errno)} (${errnoName(errno)})`, errnoName(errno), call, index);
}

/** A call of a plan failed, and with it the plan. */
export class PlanError extends SampanError {
  readonly call: Call | undefined;
  readonly index: number | undefined;

  constructor(message: string, code: string, call: Call | undefined, index: number | undefined) {
    super("internal", message, { code });
    this.call = call;
    this.index = index;
  }
}

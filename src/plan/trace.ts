import { errnoName } from "../linux/errno.ts";
import type { Plan } from "./build.ts";
import { explainPlan } from "./explain.ts";
import type { ExplainedCall } from "./explain.ts";
import type { Side } from "./model.ts";
import type { Report } from "./report.ts";

export interface TracedCall {
  readonly call: ExplainedCall;
  /** "entered": it never came back, because it succeeded (execve) or because it lasts as long as the container. */
  readonly state: "ran" | "skipped" | "entered";
  /** Microseconds after the executor's start; 0 if skipped. */
  readonly startUs: number;
  /** Microseconds; 0 unless it ran. */
  readonly us: number;
  /** What it returned: a number, or the errno's name. */
  readonly result: string;
}

export interface TracedStage {
  readonly side: Side;
  readonly stage: string;
  /** Time in calls of the stage, less what was waiting for the other side. */
  readonly us: number;
  readonly waitingUs: number;
  readonly calls: readonly TracedCall[];
}

export interface Trace {
  readonly stages: readonly TracedStage[];
  /** From the executor's start to the execve that became the program; undefined if none did. */
  readonly startToExecveUs: number | undefined;
  /** Time in calls, on both sides; while one side waits the other may work. */
  readonly callsUs: number;
  readonly waitingUs: number;
  readonly ran: number;
  readonly skipped: number;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function tracedCall(call: ExplainedCall, report: Report): TracedCall {
  const { value, startNs, endNs } = report.result(call.number);
  if (startNs === 0) return { call, state: "skipped", startUs: 0, us: 0, result: "" };
  const startUs = (startNs - report.startNs) / 1000;
  if (endNs === 0) return { call, state: "entered", startUs, us: 0, result: "" };
  return { call, state: "ran", startUs, us: (endNs - startNs) / 1000, result: value < 0 && value > -4096 ? errnoName(-value) : String(value) };
}

/** What a plan's report says of its calls. The plan must have been run with `trace`. Pure. */
export function traceOf(plan: Plan, report: Report): Trace {
  const stages = explainPlan(plan).map(({ side, stage, calls }) => {
    const traced = calls.map((call) => tracedCall(call, report));
    return {
      side,
      stage,
      us: sum(traced.filter(({ call }) => !call.waits).map(({ us }) => us)),
      waitingUs: sum(traced.filter(({ call }) => call.waits).map(({ us }) => us)),
      calls: traced,
    };
  });
  const all = stages.flatMap(({ calls }) => calls);
  return {
    stages,
    startToExecveUs: all.find(({ call, state }) => call.name === "execve" && state === "entered")?.startUs,
    callsUs: sum(stages.map(({ us }) => us)),
    waitingUs: sum(stages.map(({ waitingUs }) => waitingUs)),
    ran: all.filter(({ state }) => state !== "skipped").length,
    skipped: all.filter(({ state }) => state === "skipped").length,
  };
}

/** The trace for programs: numbers in microseconds. */
export function traceJson(trace: Trace): unknown {
  const round = (us: number): number => Math.round(us * 1000) / 1000;
  return {
    startToExecveUs: trace.startToExecveUs === undefined ? undefined : round(trace.startToExecveUs),
    callsUs: round(trace.callsUs), waitingUs: round(trace.waitingUs), ran: trace.ran, skipped: trace.skipped,
    stages: trace.stages.map(({ side, stage, us, waitingUs, calls }) => ({
      side, stage, us: round(us), waitingUs: round(waitingUs),
      calls: calls.map(({ call, state, startUs, us: callUs, result }) => ({
        number: call.number, name: call.name, text: call.text, manual: call.manual, why: call.why, waits: call.waits, state,
        startUs: round(startUs), us: round(callUs), result,
      })),
    })),
  };
}

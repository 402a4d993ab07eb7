/**
 * A plan is a program of system calls in two straight lines, the *outer* one that keel itself executes and the *inner*
 * one of the process that it clones. Build it (`Plan`), encode it (`encodePlan`), run it (`startPlan`, `runPlan`),
 * show it (`explain.ts`, `trace.ts`, loaded only when asked).
 *
 * Invariant: building and encoding are pure; the same plan gives the same bytes.
 */
export { Plan, Line } from "./build.ts";
export { Block, stringArray } from "./model.ts";
export type { Arg, Call, CallOptions } from "./model.ts";
export { encodePlan } from "./encode.ts";
export type { EncodedPlan } from "./encode.ts";
export { PlanError, encodedPlan, planFailure, runPlan, startPlan } from "./run.ts";
export type { Running, RunOptions } from "./run.ts";
export type { Report } from "./report.ts";

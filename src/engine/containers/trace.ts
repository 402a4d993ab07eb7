import { traceHtml } from "../../plan/trace-html.ts";
import { traceText } from "../../plan/trace-text.ts";
import { traceJson, traceOf } from "../../plan/trace.ts";
import type { RunOptions, TraceResult } from "../api.ts";
import type { EngineContext } from "../context.ts";
import type { RunRequest } from "../request.ts";
import { runSession } from "./run.ts";

/** Runs a container as `run` does, with the time that each of its calls took. */
export async function traceRun(context: EngineContext, request: RunRequest, options: RunOptions): Promise<TraceResult> {
  const { started, id, exitCode, signal, oomKilled, detached } = await runSession(context, request, options, { trace: true });
  const { report } = await started.running.finished;
  const trace = traceOf(await started.plan(), report);
  return {
    id, exitCode, signal, oomKilled, detached, warnings: started.warnings,
    text: (format) => traceText(trace, format),
    html: () => traceHtml(trace, `sampan trace: ${[request.rootfs?.path ?? request.image, ...request.command].join(" ")}`),
    toJSON: () => traceJson(trace),
  };
}

import { BOLD, CYAN, DIM, SIDES, YELLOW, paint, shortenId, wrap } from "./explain-text.ts";
import type { TextOptions } from "./explain-text.ts";
import type { Trace, TracedCall } from "./trace.ts";

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const BAR = 18;

/** A bar of up to BAR characters; whatever took any time shows at least a sliver. */
function bar(part: number): string {
  const eighths = part <= 0 ? 0 : Math.max(1, Math.round(Math.min(1, part) * BAR * 8));
  return ("█".repeat(eighths >> 3) + (EIGHTHS[eighths & 7] ?? "")).padEnd(BAR);
}

export function microseconds(us: number): string {
  return us >= 10_000 ? `${(us / 1000).toFixed(1)} ms` : `${us.toFixed(us < 100 ? 1 : 0)} µs`;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

function line({ call, state, us, result }: TracedCall, longestUs: number, { columns, colors = false }: TextOptions): string {
  const number = paint(colors, DIM, `#${call.number}`.padStart(6));
  const width = columns - 6 - 2 - 10 - 2 - BAR - 2;
  const failed = state === "ran" && /^E[A-Z]/.test(result) ? ` = ${result}` : "";
  const text = cut(call.text, width - failed.length) + failed;
  if (state === "skipped") return `${number}  ${paint(colors, DIM, `${"skipped".padStart(10)}  ${"".padEnd(BAR)}  ${text}`)}`;
  if (state === "entered") return `${number}  ${"→".padStart(10)}  ${"".padEnd(BAR)}  ${text}`;
  const shown = bar(us / longestUs);
  return `${number}  ${microseconds(us).padStart(10)}  ${paint(colors, call.waits ? YELLOW : CYAN, call.waits ? shown.replace(/[█▏▎▍▌▋▊▉]/g, "░") : shown)}  ${text}`;
}

/** Microseconds per call with a bar beside each, by stages; what waited for the other side is shown as waiting. */
export function traceText(trace: Trace, options: TextOptions): string {
  const { colors = false, columns } = options;
  // Waiting is no work: bars are as long as work compares with work.
  const longestUs = Math.max(1, ...trace.stages.flatMap(({ calls }) => calls.filter(({ call }) => !call.waits).map(({ us }) => us)));
  const { shorten } = shortenId(trace.stages.flatMap(({ calls }) => calls.map(({ call }) => call.text)));
  const lines: string[] = [];
  for (const { side, stage, us, waitingUs, calls } of trace.stages) {
    const waiting = waitingUs > 0 ? `, ${microseconds(waitingUs)} waiting` : "";
    lines.push(paint(colors, BOLD, cut(`${SIDES[side]}: ${stage === "" ? "start" : stage} — ${microseconds(us)}${waiting}`, columns)));
    for (const call of calls) lines.push(line({ ...call, call: { ...call.call, text: shorten(call.call.text) } }, longestUs, options));
    lines.push("");
  }
  lines.push(...wrap(summary(trace), columns));
  return `${lines.join("\n")}\n`;
}

export function summary(trace: Trace): string {
  const start = trace.startToExecveUs === undefined
    ? "the program was never executed"
    : `${microseconds(trace.startToExecveUs)} from the executor's start to the program's execve`;
  return `${start}; ${trace.ran} calls took ${microseconds(trace.callsUs)} on both sides together, and ${microseconds(trace.waitingUs)} went by waiting for the other side; ${trace.skipped} were not needed.`;
}

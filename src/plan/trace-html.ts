import { SIDES, shortenId } from "./explain-text.ts";
import type { Trace, TracedCall, TracedStage } from "./trace.ts";
import { microseconds, summary } from "./trace-text.ts";

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;", "'": "&#39;" };

/** Names of files and arguments of programs are anybody's: none of them may become markup. */
function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

const STYLE = `
:root{color-scheme:light dark;--bg:#fbfbfa;--fg:#1d1f21;--dim:#71767d;--line:#e4e4e1;--outer:#3b6fb6;--inner:#2f8f6b;--wait:#d9a441;--row:#f2f2ef}
@media(prefers-color-scheme:dark){:root{--bg:#17191c;--fg:#e4e6e8;--dim:#8d939b;--line:#2c3036;--outer:#6ea0e6;--inner:#57c29a;--wait:#d9a441;--row:#1f2226}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1400px;padding:28px 24px 60px;background:var(--bg);color:var(--fg);font:14px/1.45 system-ui,sans-serif}
h1{font-size:20px;margin:0 0 4px}
p{margin:0 0 14px;color:var(--dim);max-width:80ch}
.key span{display:inline-block;margin-right:18px}.key i{display:inline-block;width:12px;height:10px;border-radius:2px;margin-right:6px}
.axis,.row{display:grid;grid-template-columns:minmax(260px,38%) 74px 1fr;column-gap:10px;align-items:center}
.axis{position:sticky;top:0;background:var(--bg);border-bottom:1px solid var(--line);padding:6px 0;color:var(--dim);font-size:12px;z-index:1}
.ticks{position:relative;height:16px}.ticks span{position:absolute;transform:translateX(-50%);white-space:nowrap}.ticks span:first-child{transform:none}.ticks span:last-child{transform:translateX(-100%)}
h2{font-size:13px;margin:18px 0 4px;display:flex;gap:10px;align-items:baseline}h2 small{color:var(--dim);font-weight:400}
.row{padding:1px 0}.row:hover{background:var(--row)}
.row code{font:12px/1.5 ui-monospace,monospace;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.row time{font:12px ui-monospace,monospace;text-align:right;color:var(--dim)}
.lane{position:relative;height:14px;border-left:1px solid var(--line)}
.lane b{position:absolute;top:2px;height:10px;min-width:2px;border-radius:2px}
.outer b{background:var(--outer)}.inner b{background:var(--inner)}.lane b.wait{background:repeating-linear-gradient(135deg,var(--wait) 0 4px,transparent 4px 7px);outline:1px solid var(--wait);outline-offset:-1px}
.lane b.entered{width:0;height:0;background:none;border:5px solid transparent;border-left-color:currentColor;border-radius:0}
.skipped{color:var(--dim);opacity:.75}
`;

function row({ call, state, startUs, us, result }: TracedCall, spanUs: number, shorten: (text: string) => string): string {
  const at = ((startUs / spanUs) * 100).toFixed(3);
  const width = ((us / spanUs) * 100).toFixed(3);
  const facts = [call.text, call.why, call.condition, call.tolerates.length > 0 ? `may fail with ${call.tolerates.join(", ")}` : undefined,
    state === "ran" ? `${microseconds(us)}, result ${result}` : state === "entered" ? "does not come back" : "skipped", call.manual];
  const failed = state === "ran" && /^E[A-Z]/.test(result) ? ` = ${result}` : "";
  const bar = state === "skipped"
    ? ""
    : `<b class="${state === "entered" ? "entered" : call.waits ? "wait" : ""}" style="left:${at}%${state === "entered" ? "" : `;width:${width}%`}"></b>`;
  return `<div class="row ${state}" title="${escape(facts.filter((fact) => fact !== undefined && fact !== "").join("\n"))}"><code>#${call.number} ${escape(shorten(call.text))}${failed}</code>`
    + `<time>${state === "ran" ? microseconds(us) : state === "entered" ? "→" : "skipped"}</time><div class="lane">${bar}</div></div>`;
}

function section({ side, stage, us, waitingUs, calls }: TracedStage, spanUs: number, shorten: (text: string) => string): string {
  const waiting = waitingUs > 0 ? `, ${microseconds(waitingUs)} waiting` : "";
  return `<section class="${side}"><h2>${SIDES[side]}: ${escape(stage === "" ? "start" : stage)} <small>${microseconds(us)}${waiting}</small></h2>\n${calls.map((call) => row(call, spanUs, shorten)).join("\n")}\n</section>`;
}

/** A page of its own, without anything from elsewhere: each call as a bar on one time axis, both sides below each other. */
export function traceHtml(trace: Trace, title: string): string {
  const all = trace.stages.flatMap(({ calls }) => calls);
  // Waiting calls of the monitor's side may end long after the start is over; the axis ends with the program's execve.
  const spanUs = Math.max(1, trace.startToExecveUs === undefined ? Math.max(...all.map(({ startUs, us }) => startUs + us)) : trace.startToExecveUs * 1.02);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => `<span style="left:${part * 100}%">${microseconds(part * spanUs)}</span>`).join("");
  // The whole text, with the whole id, is in each row's tooltip.
  const { id, shorten } = shortenId(all.map(({ call }) => call.text));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title><style>${STYLE}</style></head>
<body><h1>${escape(title)}</h1>
<p>${escape(summary(trace))}${id === undefined ? "" : ` &lt;id&gt; is <code>${escape(id)}</code>.`}</p>
<p class="key"><span><i style="background:var(--outer)"></i>outside, on the host</span><span><i style="background:var(--inner)"></i>inside, in the container's process</span><span><i style="background:var(--wait)"></i>waiting for the other side</span></p>
<div class="axis"><span>call</span><span></span><div class="ticks">${ticks}</div></div>
${trace.stages.map((stage) => section(stage, spanUs, shorten)).join("\n")}
</body></html>
`;
}

/** Horizontal bars as a self-contained SVG picture: no script, no font, light or dark as the reader's screen is. */
import type { BenchResult, CaseResult } from "./execute.ts";
import { formatNumber } from "./statistics.ts";

const WIDTH = 760;
const LABEL_WIDTH = 290;
const VALUE_WIDTH = 90;
const ROW = 26;
const STYLE = `.b{fill:#fff}text{font:13px system-ui,sans-serif;fill:#24292f}.h{font-weight:600}.v{font-variant-numeric:tabular-nums}.o{fill:#0969da}.p{fill:#8c959f}.r{stroke:#57606a}.n{fill:#57606a;font-size:12px}
@media(prefers-color-scheme:dark){.b{fill:#0d1117}.n{fill:#9198a1}text{fill:#e6edf3}.o{fill:#4493f8}.p{fill:#6e7681}.r{stroke:#c9d1d9}}`;

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

function bar(entry: CaseResult, y: number, scale: number): string {
  const { median, p10, p90 } = entry.summary;
  const x = (value: number): string => (LABEL_WIDTH + value * scale).toFixed(1);
  const kind = entry.id.startsWith("sampan") ? "o" : "p";
  const middle = y + ROW / 2;
  return [
    `<text x="${LABEL_WIDTH - 8}" y="${middle + 4}" text-anchor="end">${escape(entry.label)}</text>`,
    `<rect class="${kind}" x="${LABEL_WIDTH}" y="${y + 4}" width="${Math.max(1, median * scale).toFixed(1)}" height="${ROW - 8}" rx="2"/>`,
    `<path class="r" d="M${x(p10)} ${middle}H${x(p90)}"/>`,
    `<text class="v" x="${(LABEL_WIDTH + Math.max(median, p90) * scale + 6).toFixed(1)}" y="${middle + 4}">${formatNumber(median)} ${escape(entry.unit)}</text>`,
  ].join("");
}

export function drawChart(result: BenchResult): string {
  const groups = Map.groupBy(result.cases, (entry) => entry.group);
  const parts = [`<text class="h" x="8" y="20">${escape(result.title)}</text>`];
  let y = 34;
  for (const [group, entries] of groups) {
    // Groups measure different things, so each has a scale of its own.
    const longest = Math.max(...entries.map(({ summary }) => Math.max(summary.median, summary.p90)), Number.MIN_VALUE);
    const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / longest;
    const better = entries[0]?.better === "higher" ? "more is better" : "less is better";
    parts.push(`<text x="8" y="${y + 17}"><tspan class="h">${escape(group)}</tspan><tspan class="n"${group === "" ? "" : ' dx="10"'}>${better}</tspan></text>`);
    y += ROW;
    for (const entry of entries) {
      parts.push(bar(entry, y, scale));
      y += ROW;
    }
    y += 6;
  }
  const note = `Medians of ${result.rounds} rounds in turns; the line is the 10th to the 90th percentile.`;
  parts.push(`<text class="n" x="8" y="${y + 14}">${escape(note)}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y + 26}" viewBox="0 0 ${WIDTH} ${y + 26}" role="img"><title>${escape(result.title)}</title><style>${STYLE}</style><rect class="b" width="100%" height="100%" rx="6"/>${parts.join("\n")}</svg>\n`;
}

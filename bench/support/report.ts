/** A benchmark's result as Markdown. */
import type { BarResult, BenchResult } from "./execute.ts";
import { formatNumber } from "./statistics.ts";

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]): string => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

export function describeBar(bar: BarResult): string {
  const wanted = [bar.atMost === undefined ? "" : `at most ${bar.atMost}`, bar.atLeast === undefined ? "" : `at least ${bar.atLeast}`].filter((part) => part !== "");
  const why = bar.because === undefined ? "" : ` (${bar.because})`;
  return `${bar.of} / ${bar.against} = ${bar.ratio.toFixed(2)}, wanted ${wanted.join(" and ")}${why}: ${bar.holds ? "holds" : "DOES NOT HOLD"}`;
}

export function formatReport(result: BenchResult): string {
  const parts = [`# ${result.title}`, result.text];
  for (const [group, entries] of Map.groupBy(result.cases, (entry) => entry.group)) {
    if (group !== "") parts.push(`## ${group}`);
    // The first case of a group is the measure for the others.
    const base = entries[0]?.summary.median ?? 1;
    const withCpu = entries.some((entry) => entry.cpu !== undefined);
    const head = ["", `median ${entries[0]?.unit ?? result.unit}`, "of the first", "10th", "90th", "least", ...(withCpu ? ["CPU ms"] : [])];
    const rows = entries.map(({ label, summary, cpu }) => [
      label,
      formatNumber(summary.median),
      (summary.median / base).toFixed(2),
      formatNumber(summary.p10),
      formatNumber(summary.p90),
      formatNumber(summary.min),
      ...(withCpu ? [cpu === undefined ? "" : formatNumber(cpu.median)] : []),
    ]);
    parts.push(table(head, rows));
  }
  parts.push(`![${result.title}](${result.name}.svg)`);
  if (result.bars.length > 0) parts.push(result.bars.map((bar) => `* ${describeBar(bar)}`).join("\n"));
  const facts = Object.entries(result.facts).map(([name, value]) => `${name}: ${value}`).join("; ");
  parts.push(`${result.rounds} rounds in turns after ${result.warmup} for warming up, ${result.startedAt.slice(0, 10)}. ${facts}.`);
  return `${parts.join("\n\n")}\n`;
}

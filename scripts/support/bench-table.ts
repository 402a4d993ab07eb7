/** README's table of figures and the page of all of them, from what `npm run bench` has written to bench/results. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PEERS, type Peer } from "../../bench/support/definition.ts";
import type { BenchResult } from "../../bench/support/execute.ts";
import { describeBar } from "../../bench/support/report.ts";
import { formatNumber } from "../../bench/support/statistics.ts";
import type { Page } from "./generated-pages.ts";

const RESULTS = "bench/results";
/** README's columns, beside Sampan's own. */
const COLUMNS: readonly Peer[] = ["floor", "bwrap", "crun", "runc", "podman", "docker"];
/** In the order in which a reader asks. */
const ORDER = ["start", "library", "exec", "ps", "density", "pull", "network", "oci"];
const FACTS = ["processor", "memory", "kernel", "system", "cgroups", "file system"];

/** The results that are there, in that order. */
export function readResults(repository: string): BenchResult[] {
  const folder = join(repository, RESULTS);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5)) : [];
  const place = (name: string): number => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return names.sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1)).map((name) => JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as BenchResult); // bench/run.ts writes them
}

/** README.md with its table, and bench/results/README.md. None where nothing has been measured yet. */
export function benchPages(repository: string): Page[] {
  const results = readResults(repository);
  if (results.length === 0) return [];
  const readme = readFileSync(join(repository, "README.md"), "utf8");
  const marked = /(<!-- figures: [^\n]*-->\n)[^]*?(<!-- end of figures -->)/;
  if (!marked.test(readme)) throw new Error("README.md has no place for the figures");
  return [
    { path: "README.md", text: readme.replace(marked, (_, head: string, end: string) => `${head}${figures(results)}${end}`) },
    { path: `${RESULTS}/README.md`, text: index(results) },
  ];
}

function figures(results: readonly BenchResult[]): string {
  const columns = COLUMNS.filter((peer) => results.some(({ summary }) => summary.some(({ peers }) => peers[peer] !== undefined)));
  const rows = results.flatMap((result) => result.summary.map(({ label, unit, sampan, peers }) => {
    const own = medianOf(result, sampan);
    const beside = columns.map((peer) => {
      const id = peers[peer];
      if (id === undefined) return "";
      const value = medianOf(result, id);
      return `${formatNumber(value)} (${formatNumber(value / own)}×)`;
    });
    return `| ${label}, ${unit} | **${formatNumber(own)}** | ${beside.join(" | ")} |\n`;
  }));
  const head = `| median | Sampan | ${columns.map((peer) => PEERS[peer].title).join(" | ")} |\n| --- | ---: |${columns.map(() => " ---: |").join("")}\n`;
  const machine = FACTS.map((name) => results[0]?.facts[name]).filter((fact) => fact !== undefined).join(", ");
  const days = [...new Set(results.map(({ startedAt }) => startedAt.slice(0, 10)))].sort();
  return `${head}${rows.join("")}\nIn brackets: how many times Sampan's. Measured ${days.join(" and ")} on ${machine}; [all of it, with charts](${RESULTS}/README.md).\n`;
}

function medianOf(result: BenchResult, id: string): number {
  const found = result.cases.find((entry) => entry.id === id);
  if (found === undefined) throw new Error(`${RESULTS}/${result.name}.json has no case "${id}"`);
  return found.summary.median;
}

function index(results: readonly BenchResult[]): string {
  const parts = ["# Figures", "<!-- Written by `npm run bench` and `bun scripts/docs.ts` from the JSON files beside it. -->",
    "What `npm run bench` printed, the last time that it was run for this record. How it measures: [bench/support](../support/index.ts)."];
  for (const result of results) parts.push(`## [${result.title}](${result.name}.md)`, `![${result.title}](${result.name}.svg)`, ...(result.bars.length === 0 ? [] : [result.bars.map((bar) => `* ${describeBar(bar)}`).join("\n")]));
  return `${parts.join("\n\n")}\n`;
}

/**
 * `npm run bench [-- NAME…] [--rounds N] [--warmup N] [--check] [--out DIR]`: runs the benchmarks whose file name
 * contains a NAME (all by default), prints a table, and writes NAME.json, NAME.md and NAME.svg to DIR: by default bench/results,
 * which is the record that README shows; README's table and the index are written anew from it. With --check the exit code is 1
 * when a bar does not hold.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { benchPages } from "../scripts/support/bench-table.ts";
import { drawChart } from "./support/chart.ts";
import type { Bench } from "./support/definition.ts";
import { executeBench } from "./support/execute.ts";
import { describeBar, formatReport } from "./support/report.ts";

const repository = join(import.meta.dirname, "..");
const { values, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string" }, warmup: { type: "string" }, check: { type: "boolean" }, out: { type: "string" } },
});

function fail(sentence: string): never {
  console.error(sentence);
  process.exit(1);
}

function parseCount(option: "rounds" | "warmup", least: number): Partial<Record<"rounds" | "warmup", number>> {
  const text = values[option];
  if (text === undefined) return {};
  if (!/^\d+$/.test(text) || Number(text) < least) fail(`Cannot use --${option} "${text}": give a whole number of at least ${least}.`);
  return { [option]: Number(text) };
}

const counts = { ...parseCount("rounds", 1), ...parseCount("warmup", 0) };
if (process.getuid?.() !== 0) fail("Cannot run the benchmarks: containers need root.");
const files = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && file !== "run.ts")
  .filter((file) => names.length === 0 || names.some((name) => file.includes(name)))
  .toSorted();
if (files.length === 0) fail(`Cannot run the benchmarks: no file in bench/ has ${names.map((name) => `"${name}"`).join(" or ")} in its name.`);

const out = values.out ?? join(import.meta.dirname, "results");
mkdirSync(out, { recursive: true });
let broken = 0;
for (const file of files) {
  const { bench } = (await import(join(import.meta.dirname, file))) as { bench?: Bench }; // checked on the next line
  if (bench === undefined) fail(`Cannot run bench/${file}: it does not export "bench".`);
  const onRound = (round: number, rounds: number): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r${bench.name}: ${round > 0 ? `round ${round} of ${rounds}` : "warming up"}   `);
  };
  const result = await executeBench(bench, { ...counts, onRound });
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  writeFileSync(join(out, `${bench.name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(join(out, `${bench.name}.md`), formatReport(result));
  writeFileSync(join(out, `${bench.name}.svg`), drawChart(result));
  console.log(formatReport(result));
  const failing = result.bars.filter((bar) => !bar.holds);
  if (values.check === true) for (const bar of failing) console.error(describeBar(bar));
  broken += failing.length;
}
if (values.out === undefined) for (const { path, text } of benchPages(repository)) writeFileSync(join(repository, path), text);
if (values.check === true && broken > 0) process.exit(1);

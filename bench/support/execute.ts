/** Runs a benchmark's cases in turns and gathers what they took. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testEnv } from "../../test/support/command.ts";
import { removeTree } from "../../test/support/trees.ts";
import { isToolPresent } from "../../scripts/support/packages.ts";
import { PEERS, type Bar, type Bench, type BenchCase, type BenchText, type Peer, type SummaryRow } from "./definition.ts";
import { describeMachine } from "./machine.ts";
import { startSpawner, type Spawner } from "./spawn.ts";
import { summarise, type Summary } from "./statistics.ts";

export interface CaseResult {
  id: string;
  label: string;
  group: string;
  unit: string;
  better: "lower" | "higher";
  values: number[];
  summary: Summary;
  /** Of commands: CPU time of the process and of what it waited for. */
  cpu?: Summary;
}

export interface BarResult extends Bar {
  ratio: number;
  holds: boolean;
}

export interface BenchResult extends BenchText {
  startedAt: string;
  rounds: number;
  warmup: number;
  facts: Record<string, string>;
  cases: CaseResult[];
  bars: BarResult[];
  summary: SummaryRow[];
}

export interface ExecuteOptions {
  rounds?: number;
  warmup?: number;
  onRound?: (round: number, rounds: number) => void;
}

interface Reading {
  value: number;
  cpuMs?: number;
}

async function readCase(entry: BenchCase, call: number, spawners: { host: Spawner; private: Spawner }): Promise<Reading> {
  if ("measure" in entry) return { value: await entry.measure(call) };
  await entry.before?.(call);
  const command = typeof entry.command === "function" ? entry.command(call) : entry.command;
  const spawner = entry.privateMounts === true ? spawners.private : spawners.host;
  const inherited = Object.entries(testEnv(entry.env)).filter((pair): pair is [string, string] => pair[1] !== undefined);
  const answer = await spawner.run({ command, env: Object.fromEntries(inherited), ...(entry.cwd === undefined ? {} : { cwd: entry.cwd }) });
  if (answer.exitCode !== (entry.exitCode ?? 0)) {
    throw new Error(`Cannot measure "${entry.id}": "${command.join(" ")}" ended with ${answer.exitCode}: ${answer.stderr.trimEnd()}`);
  }
  await entry.after?.(call);
  return { value: answer.wallMs, cpuMs: answer.cpuMs };
}

export async function executeBench(bench: Bench, options: ExecuteOptions = {}): Promise<BenchResult> {
  const rounds = options.rounds ?? bench.rounds ?? 20;
  const warmup = options.warmup ?? bench.warmup ?? 3;
  await using stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), `bench-${bench.name}-`));
  stack.defer(() => {
    removeTree(dir);
  });
  const facts = describeMachine();
  const startedAt = new Date().toISOString();
  const absent = new Set<Peer>();
  const cases = await bench.setup({
    dir,
    defer: (undo) => {
      stack.defer(async () => { await undo(); });
    },
    fact: (name, value) => {
      facts[name] = value;
    },
    has: (peer) => {
      if (isToolPresent(PEERS[peer].tool)) return true;
      absent.add(peer);
      facts["not installed"] = [...absent].map((name) => PEERS[name].title).join(", ");
      return false;
    },
  });
  const spawners = { host: stack.use(startSpawner(dir, false)), private: stack.use(startSpawner(dir, true)) };
  const readings = cases.map((entry) => ({ entry, values: new Array<Reading>() }));
  for (let round = 0; round < warmup + rounds; round++) {
    options.onRound?.(round - warmup + 1, rounds);
    for (let turn = 0; turn < readings.length; turn++) {
      // Each round starts with another case, so that none always follows the same one.
      const row = readings[(round + turn) % readings.length];
      if (row === undefined) continue;
      const reading = await readCase(row.entry, round, spawners);
      if (round >= warmup) row.values.push(reading);
    }
  }
  const results = readings.map(({ entry, values }): CaseResult => {
    const cpu = values.map((reading) => reading.cpuMs).filter((value) => value !== undefined);
    const numbers = values.map((reading) => reading.value);
    const text = { id: entry.id, label: entry.label, group: entry.group ?? "", unit: entry.unit ?? bench.unit, better: entry.better ?? bench.better, values: numbers, summary: summarise(numbers) };
    return cpu.length === 0 ? text : { ...text, cpu: summarise(cpu) };
  });
  const { name, title, text, unit, better } = bench;
  // What a peer that is not installed would have been measured for is left out; otherwise a name that nobody has is a mistake.
  const isThere = (id: string): boolean => absent.size === 0 || results.some((entry) => entry.id === id);
  const bars = judgeBars((bench.bars ?? []).filter(({ of, against }) => isThere(of) && isThere(against)), results);
  const summary = (bench.summary ?? []).filter(({ sampan }) => isThere(sampan)).map((row) => ({ ...row, peers: Object.fromEntries(Object.entries(row.peers).filter(([, id]) => isThere(id))) }));
  return { name, title, text, unit, better, startedAt, rounds, warmup, facts, cases: results, bars, summary };
}

/** A bar that names a case that was not run is a mistake and throws: it would hold for ever. */
export function judgeBars(bars: Bar[], cases: Pick<CaseResult, "id" | "summary">[]): BarResult[] {
  const medianOf = (id: string): number => {
    const found = cases.find((entry) => entry.id === id);
    if (found === undefined) throw new Error(`Cannot judge a bar: there is no case "${id}".`);
    return found.summary.median;
  };
  return bars.map((bar) => {
    const ratio = medianOf(bar.of) / medianOf(bar.against);
    const holds = ratio <= (bar.atMost ?? Infinity) && ratio >= (bar.atLeast ?? -Infinity);
    return { ...bar, ratio, holds };
  });
}

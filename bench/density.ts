// Many containers on one machine: what keeping, starting and removing them costs, beside Docker and Podman.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { testEnv } from "../test/support/command.ts";
import { defineBench, setupEngines, setupRootfs, type BenchContext, type Engine, type MeasureCase } from "./support/index.ts";
import { startSpawner } from "./support/spawn.ts";

const AT_A_TIME = 8;
/** What a monitor may take. */
const MONITOR_KB = 150;

/** SAMPAN_BENCH_DENSITY overrules the 50 containers, for a quick run. */
function containerCount(): number {
  const text = process.env["SAMPAN_BENCH_DENSITY"] ?? "50";
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`Cannot use SAMPAN_BENCH_DENSITY "${text}": give a whole number of at least 1.`);
  return Number(text);
}

/** The parts of one pass: milliseconds, but of `memory`, which is kB per container. */
interface Pass {
  memory: number;
  sequence: number;
  parallel: number;
  remove: number;
}

/** Proportional set size of the monitors, in kB per container: a page that fifty of them share counts a fiftieth for each. */
function monitorMemory(engine: Engine, pids: string[]): number {
  const sizes = pids.map((pid) => {
    const monitor = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";
    const comm = readFileSync(`/proc/${monitor}/comm`, "utf8").trim();
    if (!comm.startsWith(engine.monitor)) throw new Error(`Cannot measure the monitors of ${engine.name}: the parent of process ${pid} is "${comm}".`);
    const size = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${monitor}/smaps_rollup`, "utf8"))?.[1];
    if (size === undefined) throw new Error(`Cannot measure the monitor ${monitor} of ${engine.name}: it has ended.`);
    return Number(size);
  });
  return sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
}

/** Gives a function that takes an engine through a whole pass; the containers of a pass are gone when it ends. */
function passesOf(context: BenchContext, engine: Engine, count: number): (call: number) => Promise<Pass> {
  const dir = join(context.dir, `${engine.name}-pass`);
  mkdirSync(dir);
  // One spawner for all of an engine's calls: where its own mounts are private, they are in one namespace.
  const spawner = startSpawner(dir, engine.privateMounts);
  context.defer(() => spawner[Symbol.asyncDispose]());
  const env = Object.fromEntries(Object.entries(testEnv(engine.env)).filter((pair): pair is [string, string] => pair[1] !== undefined));
  const timed = async (script: string): Promise<number> => {
    const answer = await spawner.run({ command: ["sh", "-ec", script], env });
    if (answer.exitCode !== 0) throw new Error(`Cannot measure ${engine.name}: "${script}" ended with ${answer.exitCode}: ${answer.stderr.trimEnd()}`);
    return answer.wallMs;
  };
  const out = join(dir, "out");
  const linesOf = async (words: string): Promise<string[]> => {
    await timed(`exec ${engine.file} ${words} >${out}`);
    return readFileSync(out, "utf8").split("\n").filter((line) => line !== "");
  };
  const expectCount = async (words: string, wanted: number): Promise<void> => {
    const found = (await linesOf(words)).length;
    if (found !== wanted) throw new Error(`Cannot measure ${engine.name}: "${words}" shows ${found} containers instead of ${wanted}.`);
  };
  const start = (name: string): string => `${engine.file} run -d --network none --name ${name} ${engine.image} /bin/sleep 3600`;
  return async (call) => {
    const names = (row: string): string => Array.from({ length: count }, (_, index) => `${row}${call}-${index + 1}`).join(" ");
    const sequence = await timed(`for name in ${names("s")}; do ${start('"$name"')}; done`);
    await expectCount("ps -q", count);
    const memory = monitorMemory(engine, await linesOf(`inspect -f '{{.State.Pid}}' ${names("s")}`));
    const remove = await timed(`exec ${engine.file} ${engine.remove.join(" ")} ${names("s")}`);
    await expectCount("ps -aq", 0);
    const parallel = await timed(`echo ${names("p")} | tr ' ' '\\n' | xargs -P ${AT_A_TIME} -I NAME ${start("NAME")}`);
    await expectCount("ps -q", count);
    await timed(`exec ${engine.file} ${engine.remove.join(" ")} ${names("p")}`);
    await expectCount("ps -aq", 0);
    return { memory, sequence: sequence / count, parallel: parallel / count, remove: remove / count };
  };
}

/** One measured thing of one engine. The first case of a round that asks for an engine takes it through the pass; the others read from it. */
function casesOf(engine: Engine, count: number, pass: (call: number) => Promise<Pass>): MeasureCase[] {
  let last: { call: number; pass: Promise<Pass> } | undefined;
  const read = async (call: number, part: keyof Pass): Promise<number> => {
    if (last?.call !== call) last = { call, pass: pass(call) };
    return (await last.pass)[part];
  };
  const groups: Record<keyof Pass, string> = {
    memory: "kB of memory (PSS) of the monitor, for each container",
    sequence: `Milliseconds for each of ${count} containers started with -d, one after the other`,
    parallel: `Milliseconds for each of ${count} containers started with -d, ${AT_A_TIME} at a time`,
    remove: `Milliseconds for each of ${count} that rm -f removes at once`,
  };
  const labels = { sampan: "sampan", docker: "docker", podman: "podman" };
  const monitors = { sampan: "sampan: keel", docker: "docker: containerd's shim", podman: "podman: conmon" };
  return (Object.keys(groups) as (keyof Pass)[]) // the record's own keys
    .map((part) => ({ id: `${engine.name}-${part}`, label: (part === "memory" ? monitors : labels)[engine.name], group: groups[part], unit: part === "memory" ? "kB" : "ms", measure: (call) => read(call, part) }));
}

const SEQUENCE = { of: "sampan-sequence", atMost: 0.075, because: "20 ms where they take 280" };
const PARALLEL = { of: "sampan-parallel", atMost: 0.085, because: "12 ms where the faster takes 147" };

export const bench = defineBench({
  name: "density",
  title: "Many containers",
  text: `Each engine in turn starts its containers and removes them; no network, \`sleep\` of busybox as their
program, from an image of one layer. The memory is of what stays for a container beside its own program, without Docker's
two daemons. Podman's \`rm -f\` is given \`-t 0\`: without it it waits ten seconds for a program that does not listen to SIGTERM.`,
  unit: "ms",
  better: "lower",
  rounds: 2,
  warmup: 1,
  summary: [
    { label: "memory kept for each that runs", unit: "kB", sampan: "sampan-memory", peers: { podman: "podman-memory", docker: "docker-memory" } },
    { label: "start one of fifty, one after the other", unit: "ms", sampan: "sampan-sequence", peers: { podman: "podman-sequence", docker: "docker-sequence" } },
    { label: "start one of fifty, eight at a time", unit: "ms", sampan: "sampan-parallel", peers: { podman: "podman-parallel", docker: "docker-parallel" } },
    { label: "remove one of fifty", unit: "ms", sampan: "sampan-remove", peers: { podman: "podman-remove", docker: "docker-remove" } },
  ],
  async setup(context) {
    const count = containerCount();
    context.fact("containers", String(count));
    const engines = await setupEngines(context, await setupRootfs(context));
    const cases = engines.flatMap((engine) => casesOf(engine, count, passesOf(context, engine, count)));
    const memory = cases[0]?.group ?? "";
    return [...cases, { id: "limit-memory", label: "the bar", group: memory, unit: "kB", measure: () => MONITOR_KB }];
  },
  bars: [
    { of: "sampan-memory", against: "limit-memory", atMost: 1, because: `a monitor takes at most ${MONITOR_KB} kB` },
    { of: "sampan-memory", against: "podman-memory", atMost: 0.43, because: "150 kB where conmon takes 350" },
    { of: "sampan-memory", against: "docker-memory", atMost: 0.03, because: "150 kB where containerd's shim takes 5 MB" },
    { ...SEQUENCE, against: "docker-sequence" },
    { ...SEQUENCE, against: "podman-sequence" },
    { ...PARALLEL, against: "docker-parallel" },
    { ...PARALLEL, against: "podman-parallel" },
    { of: "sampan-remove", against: "docker-remove", atMost: 0.1, because: "half a second where Docker takes five" },
  ],
});

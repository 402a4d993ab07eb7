// Many containers on one machine: what keeping, starting, listing, entering and removing them costs, beside Docker and Podman.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runOk, testEnv } from "../test/support/command.ts";
import { startDockerd } from "../test/support/peers/docker.ts";
import { createPodman } from "../test/support/peers/podman.ts";
import { createSandbox, SAMPAN } from "../test/support/sandbox.ts";
import { startSpawner } from "./support/spawn.ts";
import { defineBench, quantile, setupRootfs, type BenchContext, type MeasureCase } from "./support/index.ts";

const AT_A_TIME = 8;
/** Calls of `ps` and of `exec` in each pass, of which the median counts. */
const CALLS = 9;
/** What a monitor may take. */
const MONITOR_KB = 150;

/** SAMPAN_BENCH_DENSITY overrules the 50 containers, for a quick run. */
function containerCount(): number {
  const text = process.env["SAMPAN_BENCH_DENSITY"] ?? "50";
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`Cannot use SAMPAN_BENCH_DENSITY "${text}": give a whole number of at least 1.`);
  return Number(text);
}

interface Engine {
  name: "sampan" | "docker" | "podman";
  file: string;
  env: Readonly<Record<string, string>>;
  image: string;
  /** The command that removes running containers without waiting for them. */
  remove: string;
  /** What /proc/PID/comm of a container's monitor starts with. */
  monitor: string;
  /** crun wants the spawner of these (test/support/peers/hybrid.ts). */
  privateMounts: boolean;
}

/** The parts of one pass: milliseconds, but of `memory`, which is kB per container. */
interface Pass {
  memory: number;
  sequence: number;
  parallel: number;
  ps: number;
  exec: number;
  remove: number;
}

async function setupEngines(context: BenchContext): Promise<Engine[]> {
  const rootfs = await setupRootfs(context);
  const sandbox = createSandbox();
  context.defer(() => sandbox[Symbol.asyncDispose]());
  await runOk(["sh", "-c", 'tar -C "$1" -cf - . | "$2" import - bench:1', "sh", rootfs, SAMPAN], { env: sandbox.env });
  const docker = await startDockerd(join(context.dir, "docker"));
  context.defer(() => docker[Symbol.asyncDispose]());
  await docker.importRootfs(rootfs, "bench:1");
  context.fact("docker", (await docker.docker(["version", "--format", "{{.Client.Version}}, dockerd {{.Server.Version}}"])).stdout.trim());
  const podman = createPodman(join(context.dir, "podman"));
  context.defer(() => podman[Symbol.asyncDispose]());
  await podman.importRootfs(rootfs, "bench:1");
  context.fact("podman", (await podman.podman(["--version"])).stdout.trim());
  return [
    { name: "sampan", file: SAMPAN, env: sandbox.env, image: "bench:1", remove: "rm -f", monitor: "memfd:keel", privateMounts: false },
    { name: "docker", file: "/usr/bin/docker", env: docker.env, image: "bench:1", remove: "rm -f", monitor: "containerd-shim", privateMounts: false },
    // Podman's `rm -f` asks first and waits ten seconds; the others kill at once.
    { name: "podman", file: "podman", env: podman.env, image: "localhost/bench:1", remove: "rm -f -t 0", monitor: "conmon", privateMounts: true },
  ];
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
  const medianOf = async (words: string): Promise<number> => {
    const taken: number[] = [];
    for (let turn = 0; turn < CALLS; turn++) taken.push(await timed(`exec ${engine.file} ${words}`));
    return quantile(taken, 0.5);
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
    const ps = await medianOf("ps");
    const exec = await medianOf(`exec s${call}-1 /bin/true`);
    const remove = await timed(`exec ${engine.file} ${engine.remove} ${names("s")}`);
    await expectCount("ps -aq", 0);
    const parallel = await timed(`echo ${names("p")} | tr ' ' '\\n' | xargs -P ${AT_A_TIME} -I NAME ${start("NAME")}`);
    await expectCount("ps -q", count);
    await timed(`exec ${engine.file} ${engine.remove} ${names("p")}`);
    await expectCount("ps -aq", 0);
    return { memory, sequence: sequence / count, parallel: parallel / count, ps, exec, remove };
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
    ps: `Milliseconds of ps with ${count} running`,
    exec: `Milliseconds of exec true with ${count} running`,
    remove: `Milliseconds of rm -f of ${count} running`,
  };
  const labels = { sampan: "sampan", docker: "docker", podman: "podman" };
  const monitors = { sampan: "sampan: keel", docker: "docker: containerd's shim", podman: "podman: conmon" };
  return (Object.keys(groups) as (keyof Pass)[]) // the record's own keys
    .map((part) => ({ id: `${engine.name}-${part}`, label: (part === "memory" ? monitors : labels)[engine.name], group: groups[part], measure: (call) => read(call, part) }));
}

const SEQUENCE = { of: "sampan-sequence", atMost: 0.075, because: "20 ms where they take 280" };
const PARALLEL = { of: "sampan-parallel", atMost: 0.085, because: "12 ms where the faster takes 147" };

export const bench = defineBench({
  name: "density",
  title: "Many containers",
  text: `Each engine in turn starts its containers, is asked about them, and removes them; no network, \`sleep\` of busybox as their
program, from an image of one layer. The memory is of what stays for a container beside its own program, without Docker's
two daemons. Podman's \`rm -f\` is given \`-t 0\`: without it it waits ten seconds for a program that does not listen to SIGTERM.`,
  unit: "ms or kB",
  better: "lower",
  rounds: 3,
  warmup: 1,
  async setup(context) {
    const count = containerCount();
    context.fact("containers", String(count));
    const engines = await setupEngines(context);
    const cases = engines.flatMap((engine) => casesOf(engine, count, passesOf(context, engine, count)));
    const memory = cases[0]?.group ?? "";
    return [...cases, { id: "limit-memory", label: "the bar", group: memory, measure: () => MONITOR_KB }];
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
    { of: "sampan-ps", against: "docker-ps", atMost: 0.26, because: "15 ms where Docker takes 59" },
    { of: "sampan-exec", against: "docker-exec", atMost: 0.095, because: "12 ms where Docker takes 128" },
  ],
});

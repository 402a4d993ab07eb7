// A container from a program that has the library open already: what is left when no process of Sampan's has to start first.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createHostNetns, type HostNetns } from "../test/support/host-netns.ts";
import { nodeForTests } from "../test/support/node.ts";
import { defineBench, floorCase, runtimeCase, setupRootfs, type BenchCase, type BenchContext, type MeasureCase } from "./support/index.ts";

const DIST = join(import.meta.dirname, "../dist");
const NONE = "Without a network, until its program runs";
const BRIDGE = "With a bridge network, until its program runs";

/** A program in a language's runtime, which stays; each call asks it for a container. */
function warmProgram(context: BenchContext, world: HostNetns, runtime: string, rootfs: string): (network: string) => Promise<number> {
  const [file = "", ...args] = [...world.enter, runtime, join(import.meta.dirname, "support/warm-start.ts"), join(DIST, "lib/index.js"), rootfs];
  const child = spawn(file, args, { env: { ...process.env, ...world.sandbox.env, SAMPAN_KEEL: join(DIST, "keel") }, stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => { resolve(); }));
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  context.defer(async () => {
    child.stdin.end();
    await ended;
  });
  return async (network) => {
    child.stdin.write(`${network}\n`);
    const answer = await answers.next();
    if (answer.done === true) throw new Error(`Cannot measure the library on ${runtime}: the program has ended.`);
    return Number(answer.value);
  };
}

async function setup(context: BenchContext): Promise<BenchCase[]> {
  if (!existsSync(join(DIST, "lib/index.js"))) throw new Error("Cannot measure the library: build it first with npm run build.");
  const rootfs = await setupRootfs(context);
  const world = await createHostNetns();
  context.defer(() => world[Symbol.asyncDispose]());
  const node = nodeForTests();
  const onBun = warmProgram(context, world, process.execPath, rootfs);
  const onNode = warmProgram(context, world, node, rootfs);
  const start = (id: string, label: string, group: string, ask: (network: string) => Promise<number>, network: string): MeasureCase => ({ id, label, group, measure: () => ask(network) });
  const cases: BenchCase[] = [
    start("sampan-none", "sampan library on Bun", NONE, onBun, "none"),
    start("sampan-none-node", "sampan library on Node", NONE, onNode, "none"),
    start("sampan-bridge", "sampan library on Bun", BRIDGE, onBun, "bridge"),
    start("sampan-bridge-node", "sampan library on Node", BRIDGE, onNode, "bridge"),
  ];
  const beside = "Beside it: a container from the caller's spawn to its program's end";
  if (context.has("crun")) cases.push(await runtimeCase(context, { id: "crun", label: "crun run, its own spec", group: beside }, "crun", { rootfs, args: ["/bin/true"], spec: "crun" }));
  cases.push(await floorCase(context, { id: "floor", label: "bare kernel: floor.c", group: beside }, rootfs, ["/bin/true"]));
  return cases;
}

export const bench = defineBench({
  name: "library",
  title: "A container from a program that runs",
  text: `\`engine.containers.start\` in a program that has the library open and has started a container before: a name is taken, the
database written, limits and the seccomp filter are in force, and with a network an address is leased and a veth pair connected
when it resolves.`,
  unit: "ms",
  better: "lower",
  setup,
  summary: [
    { label: "library: start, no network", unit: "ms", sampan: "sampan-none", peers: { floor: "floor", crun: "crun" } },
    { label: "library: start on a bridge", unit: "ms", sampan: "sampan-bridge", peers: { floor: "floor", crun: "crun" } },
  ],
  bars: [
    { of: "sampan-none", against: "crun", atMost: 0.34, because: "5 ms where crun takes 15" },
    { of: "sampan-bridge", against: "crun", atMost: 0.54, because: "8 ms where crun takes 15" },
    { of: "sampan-none-node", against: "crun", atMost: 0.45, because: "Node starts a process more slowly" },
  ],
});

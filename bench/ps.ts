// Asking what runs: the list, with some containers and with many.
import { run, runOk } from "../test/support/command.ts";
import { inPrivateMounts } from "../test/support/peers/hybrid.ts";
import { defineBench, engineCase, setupEngines, setupRootfs, type BenchCase, type BenchContext } from "./support/index.ts";

const COUNT = 20;

async function setup(context: BenchContext): Promise<BenchCase[]> {
  const cases: BenchCase[] = [];
  for (const engine of await setupEngines(context, await setupRootfs(context))) {
    const names = Array.from({ length: COUNT }, (_, n) => `bench${n}`);
    const script = 'for name; do "$ENGINE" run -d --network none --name "$name" "$IMAGE" /bin/sleep 3600; done';
    const command = ["sh", "-ec", script, "sh", ...names];
    context.defer(async () => { await run([engine.file, ...engine.remove, ...names], { env: engine.env, timeoutMs: 120_000 }); });
    await runOk(engine.privateMounts ? inPrivateMounts(command) : command, { env: { ...engine.env, ENGINE: engine.file, IMAGE: engine.image }, timeoutMs: 120_000 });
    cases.push(engineCase(engine, `${COUNT} containers run`, "ps", ["ps"]), { ...engineCase(engine, "One of them, whole", "inspect", ["inspect", "bench0"]) });
  }
  return cases;
}

export const bench = defineBench({
  name: "ps",
  title: "Asking what runs",
  text: `\`ps\` with ${COUNT} containers that run, and \`inspect\` of one of them.`,
  unit: "ms",
  better: "lower",
  setup,
  summary: [{ label: `ps, ${COUNT} containers`, unit: "ms", sampan: "sampan-ps", peers: { podman: "podman-ps", docker: "docker-ps" } }],
  bars: [
    { of: "sampan-ps", against: "docker-ps", atMost: 0.26, because: "15 ms where Docker takes 59" },
    { of: "sampan-ps", against: "podman-ps", atMost: 0.15, because: "15 ms where Podman takes 103" },
    { of: "sampan-inspect", against: "docker-inspect", atMost: 0.65, because: "no daemon to be asked" },
  ],
});

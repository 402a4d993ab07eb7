// One more program in a container that runs: from the caller's spawn until the program has ended.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ociBundle } from "../test/support/bundle.ts";
import { run, runOk } from "../test/support/command.ts";
import { inPrivateMounts } from "../test/support/peers/hybrid.ts";
import { SAMPAN_OCI } from "../test/support/sandbox.ts";
import { defineBench, engineCase, setupEngines, setupRootfs, type BenchCase, type BenchContext } from "./support/index.ts";

const PROGRAM = "/bin/true";
const ENGINES = "Engines";
const RUNTIMES = "Runtimes, on a container of `runc spec`";

/** `RUNTIME exec` in a container that runs all the time. */
async function runtimeExec(context: BenchContext, runtime: "crun" | "runc" | "sampan-oci", rootfs: string): Promise<BenchCase> {
  const file = runtime === "sampan-oci" ? SAMPAN_OCI : runtime;
  const bundle = await ociBundle(join(context.dir, runtime), { rootfs, args: ["/bin/sleep", "3600"], spec: "runc" });
  const root = join(context.dir, `${runtime}-state`);
  mkdirSync(root, { recursive: true });
  const base = [file, "--root", root, ...(runtime === "crun" ? ["--cgroup-manager=cgroupfs"] : [])];
  const host = (command: string[]): string[] => (runtime === "crun" ? inPrivateMounts(command) : command);
  const script = 'exec "$@" </dev/null >/dev/null 2>&1';
  await runOk(host(["sh", "-c", script, "sh", ...base, "run", "-d", "-b", bundle, `exec-${runtime}`]));
  context.defer(async () => { await run(host([...base, "delete", "-f", `exec-${runtime}`])); });
  return { id: `${runtime}-runtime`, label: `${runtime} exec`, group: RUNTIMES, privateMounts: runtime === "crun", command: [...base, "exec", `exec-${runtime}`, PROGRAM] };
}

async function setup(context: BenchContext): Promise<BenchCase[]> {
  const rootfs = await setupRootfs(context);
  const cases: BenchCase[] = [];
  for (const engine of await setupEngines(context, rootfs)) {
    const start = [engine.file, "run", "-d", "--network", "none", "--name", "bench", engine.image, "/bin/sleep", "3600"];
    await runOk(engine.privateMounts ? inPrivateMounts(start) : start, { env: engine.env });
    context.defer(async () => { await run([engine.file, ...engine.remove, "bench"], { env: engine.env }); });
    cases.push(engineCase(engine, ENGINES, "exec", ["exec", "bench", PROGRAM]));
  }
  cases.push(await runtimeExec(context, "sampan-oci", rootfs));
  for (const runtime of ["crun", "runc"] as const) if (context.has(runtime)) cases.push(await runtimeExec(context, runtime, rootfs));
  return cases;
}

export const bench = defineBench({
  name: "exec",
  title: "One more program in a container",
  text: `\`exec\` of ${PROGRAM} of busybox, by engines in a container of theirs without a network, by runtimes in one of the default config.`,
  unit: "ms",
  better: "lower",
  setup,
  summary: [
    { label: "exec in a container", unit: "ms", sampan: "sampan-exec", peers: { crun: "crun-runtime", runc: "runc-runtime", podman: "podman-exec", docker: "docker-exec" } },
  ],
  bars: [
    { of: "sampan-exec", against: "docker-exec", atMost: 0.095, because: "12 ms where Docker takes 128" },
    { of: "sampan-exec", against: "podman-exec", atMost: 0.2, because: "the same work without a daemon" },
    { of: "sampan-oci-runtime", against: "runc-runtime", atMost: 0.6, because: "beside the usual runtime" },
  ],
});

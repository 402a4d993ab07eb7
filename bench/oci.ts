import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ociBundle } from "../test/support/bundle.ts";
import { SAMPAN_OCI } from "../test/support/sandbox.ts";
import { defineBench, type BenchCase, type BenchContext } from "./support/definition.ts";
import { bubblewrapCase, floorCase, runtimeCase, setupRootfs } from "./support/peers.ts";

/** create, start and delete as one measured script: three processes of the runtime, as an engine calls it. */
async function lifecycleCase(context: BenchContext, runtime: "crun" | "runc" | "sampan-oci", rootfs: string): Promise<BenchCase> {
  const file = runtime === "sampan-oci" ? SAMPAN_OCI : runtime;
  const bundle = await ociBundle(join(context.dir, `life-${runtime}`), { rootfs, args: ["/bin/true"], spec: "runc" });
  const root = join(context.dir, `life-${runtime}-state`);
  mkdirSync(root, { recursive: true });
  const flags = runtime === "crun" ? "--cgroup-manager=cgroupfs" : "";
  // The program ends at once; whether it has when delete comes is not the runtimes' doing, so delete is forced.
  const script = `${file} --root ${root} ${flags} create -b ${bundle} $0 </dev/null && ${file} --root ${root} ${flags} start $0 && ${file} --root ${root} ${flags} delete -f $0`;
  return { id: `${runtime}-life`, label: runtime, group: "create + start + delete", privateMounts: runtime === "crun", command: (call) => ["sh", "-c", script, `life-${runtime}-${call}`] };
}

export const bench = defineBench({
  name: "oci",
  title: "OCI runtimes",
  text: "`run` of `/bin/true` from `runc spec`'s default config and create + start + delete of the same; wall time of the whole command, in turns.",
  unit: "ms",
  better: "lower",
  async setup(context) {
    const rootfs = await setupRootfs(context);
    const cases: BenchCase[] = [];
    const runtimes = ["sampan-oci" as const, ...(["crun", "runc"] as const).filter((runtime) => context.has(runtime))];
    for (const runtime of runtimes) cases.push(await runtimeCase(context, { id: `${runtime}-run`, label: runtime, group: "run" }, runtime, { rootfs, args: ["/bin/true"], spec: "runc" }));
    for (const runtime of runtimes) cases.push(await lifecycleCase(context, runtime, rootfs));
    // The same program on the same root filesystem, without a runtime.
    if (context.has("bwrap")) cases.push(await bubblewrapCase(context, { id: "bwrap-run", label: "bubblewrap", group: "run" }, rootfs, ["/bin/true"]));
    cases.push(await floorCase(context, { id: "floor-run", label: "bare kernel: floor.c", group: "run" }, rootfs, ["/bin/true"]));
    return cases;
  },
  summary: [
    { label: "OCI runtime: run", unit: "ms", sampan: "sampan-oci-run", peers: { floor: "floor-run", bwrap: "bwrap-run", crun: "crun-run", runc: "runc-run" } },
    { label: "OCI runtime: create, start, delete", unit: "ms", sampan: "sampan-oci-life", peers: { crun: "crun-life", runc: "runc-life" } },
  ],
  bars: [
    { of: "sampan-oci-run", against: "runc-run", atMost: 0.5 },
    { of: "sampan-oci-life", against: "runc-life", atMost: 0.8 },
  ],
});

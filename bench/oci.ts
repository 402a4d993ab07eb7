import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ociBundle } from "../test/support/bundle.ts";
import { run, runOk } from "../test/support/command.ts";
import { SAMPAN_OCI } from "../test/support/sandbox.ts";
import { defineBench, type BenchCase, type BenchContext } from "./support/definition.ts";
import { runtimeCase, setupRootfs } from "./support/peers.ts";

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

/** exec of /bin/true in one container that runs all the time. */
async function execCase(context: BenchContext, runtime: "runc" | "sampan-oci", rootfs: string): Promise<BenchCase> {
  const file = runtime === "sampan-oci" ? SAMPAN_OCI : runtime;
  const bundle = await ociBundle(join(context.dir, `exec-${runtime}`), { rootfs, args: ["/bin/sleep", "3600"], spec: "runc" });
  const root = join(context.dir, `exec-${runtime}-state`);
  const id = `exec-${runtime}`;
  await runOk(["sh", "-c", `${file} --root ${root} run -d -b ${bundle} ${id} </dev/null >/dev/null 2>&1`]);
  context.defer(async () => { await run([file, "--root", root, "delete", "-f", id]); });
  return { id: `${runtime}-exec`, label: runtime, group: "exec", command: [file, "--root", root, "exec", id, "/bin/true"] };
}

export const bench = defineBench({
  name: "oci",
  title: "OCI runtimes",
  text: "`run` of `/bin/true` from `runc spec`'s default config, create + start + delete of the same, and `exec` of `/bin/true` in a running container; wall time of the whole command, in turns.",
  unit: "ms",
  better: "lower",
  async setup(context) {
    const rootfs = await setupRootfs(context);
    const cases: BenchCase[] = [];
    for (const runtime of ["sampan-oci", "crun", "runc"] as const)
      cases.push(await runtimeCase(context, { id: `${runtime}-run`, label: runtime, group: "run" }, runtime, { rootfs, args: ["/bin/true"], spec: "runc" }));
    for (const runtime of ["sampan-oci", "crun", "runc"] as const) cases.push(await lifecycleCase(context, runtime, rootfs));
    for (const runtime of ["sampan-oci", "runc"] as const) cases.push(await execCase(context, runtime, rootfs));
    return cases;
  },
  bars: [
    { of: "sampan-oci-run", against: "runc-run", atMost: 0.5 },
    { of: "sampan-oci-life", against: "runc-life", atMost: 0.8 },
    { of: "sampan-oci-exec", against: "runc-exec", atMost: 0.6 },
  ],
});

// A container from nothing to its program's end, beside OCI runtimes that do less: no names, no state, no layer, no clean-up by others.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { EngineContext } from "../src/engine/context.ts";
import { prepare } from "../src/engine/containers/prepare.ts";
import { cgroupPlanOf, compileStart } from "../src/engine/containers/start.ts";
import { prepareNetwork } from "../src/engine/network/for-start.ts";
import { emptyRunRequest, type RunRequest } from "../src/engine/request.ts";
import { capabilitiesOf } from "../src/engine/spec/security.ts";
import { hostArch } from "../src/linux/arch.ts";
import { defaultSeccompProfile } from "../src/runtime/seccomp/index.ts";
import type { BundleConfig } from "../test/support/bundle.ts";
import {
  bubblewrapCase, defineBench, dockerCase, emptyBunCase, emptyProcessCase, floorCase, newestCrun, podmanCase, runtimeCase, sampanCase, setupRootfs, type BenchCase, type BenchContext,
} from "./support/index.ts";

const PROGRAM = "/bin/true";

/**
 * The OCI config that `sampan run --rm --network none --rootfs DIR /bin/true` has made for itself, its seccomp profile
 * written out: what runs inside Sampan is given to the others to the letter.
 */
async function ownConfig(context: BenchContext, rootfs: string): Promise<BundleConfig> {
  const directory = join(context.dir, "config");
  const engine = new EngineContext({ root: join(directory, "root"), state: join(directory, "state"), command: [] });
  const request: RunRequest = { ...emptyRunRequest("", [PROGRAM]), rootfs: { path: rootfs, writable: false }, remove: true, networks: [{ network: "none", aliases: [] }] };
  const { stored } = await prepare(engine, request);
  const network = await prepareNetwork(engine, stored, false);
  const { launch } = await compileStart(engine, { ...stored, name: "bench" }, cgroupPlanOf(engine, stored), {
    detached: false, streams: { stdout: 1, stderr: 2 }, callerEnv: {}, trace: false, network, detachKeys: new Uint8Array(),
  }, false);
  engine[Symbol.dispose]();
  const config = structuredClone(launch.config);
  // The files that Sampan writes for a container: here they are for all runs together.
  for (const mount of config.mounts ?? []) {
    if (mount.type !== "bind" || mount.source === undefined) continue;
    mkdirSync(dirname(mount.source), { recursive: true });
    writeFileSync(mount.source, "127.0.0.1\tlocalhost\n");
  }
  const linux = { ...config.linux, seccomp: defaultSeccompProfile(capabilitiesOf(request), hostArch(), engine.kernelVersion) };
  delete linux.rootfsPropagation;
  // What they accept as version is older than what we write; nothing newer is used.
  return { ...config, ociVersion: "1.0.2", linux } as unknown as BundleConfig; // the same JSON, seen with the test's few fields
}

async function setup(context: BenchContext): Promise<BenchCase[]> {
  const rootfs = await setupRootfs(context);
  const config = await ownConfig(context, rootfs);
  const same = { rootfs, args: [PROGRAM], config };
  const newest = newestCrun();
  const run = ["run", "--rm", "--network", "none", "--rootfs", rootfs, PROGRAM];
  const starts = "A container, from nothing to the end of all of it";
  const cli = "The command line alone";
  const cases: BenchCase[] = [sampanCase(context, { id: "sampan", label: "sampan run --rm", group: starts }, run)];
  const alike = ["--rm", "--network", "none"];
  if (context.has("podman")) cases.push(await podmanCase(context, { id: "podman", label: "podman run --rm", group: starts }, rootfs, alike, [PROGRAM]));
  if (context.has("docker")) cases.push(await dockerCase(context, { id: "docker", label: "docker run --rm", group: starts }, rootfs, alike, [PROGRAM]));
  for (const runtime of ["crun", "runc"] as const) {
    if (!context.has(runtime)) continue;
    cases.push(
      await runtimeCase(context, { id: `${runtime}-same`, label: `${runtime} run, Sampan's config`, group: starts }, runtime, same),
      await runtimeCase(context, { id: `${runtime}-bare`, label: `${runtime} run, its own spec: no seccomp`, group: starts }, runtime, { rootfs, args: [PROGRAM], spec: runtime }),
    );
  }
  if (newest !== undefined) {
    cases.push(
      await runtimeCase(context, { id: "newest-crun-same", label: "newest crun run, Sampan's config", group: starts }, newest, same),
      await runtimeCase(context, { id: "newest-crun-bare", label: "newest crun run, its own spec", group: starts }, newest, { rootfs, args: [PROGRAM], spec: "crun" }),
    );
  }
  if (context.has("bwrap")) cases.push(await bubblewrapCase(context, { id: "bwrap", label: "bubblewrap: a sandbox, no cgroup", group: starts }, rootfs, [PROGRAM]));
  cases.push(
    await floorCase(context, { id: "floor", label: "bare kernel: floor.c", group: starts }, rootfs, [PROGRAM]),
    sampanCase(context, { id: "sampan-version", label: "sampan version", group: cli }, ["version"]),
    await emptyBunCase(context, { id: "empty-bun", label: "an empty Bun program", group: cli }),
    await emptyProcessCase(context, { id: "empty-c", label: "an empty C program", group: cli }),
  );
  return cases;
}

export const bench = defineBench({
  name: "start",
  title: "Starting a container",
  text: `From the caller's spawn until the container has ended and all of it is gone, with ${PROGRAM} of busybox as its program, no
network, and the same root filesystem for all. Sampan takes a name, writes its database and puts an overlay over the
root, as Podman and Docker do; crun and runc are given a bundle that is made, and run on the root itself. "Sampan's config" is the
OCI config that Sampan made for its own container, seccomp profile included. bubblewrap is given the usual namespaces, /proc and
/dev; \`floor.c\` makes the system calls without which there is no container, and does nothing else.`,
  unit: "ms",
  better: "lower",
  setup,
  summary: [
    { label: "run a container to its end", unit: "ms", sampan: "sampan", peers: { floor: "floor", bwrap: "bwrap", crun: "crun-same", runc: "runc-same", podman: "podman", docker: "docker" } },
  ],
  bars: [
    { of: "sampan", against: "docker", atMost: 0.15, because: "a seventh of the usual engine" },
    { of: "sampan", against: "podman", atMost: 0.3, because: "a third of the engine without a daemon" },
    { of: "sampan", against: "crun-same", atMost: 0.45, because: "half of what the fastest runtime of the distribution takes" },
    { of: "sampan", against: "runc-same", atMost: 0.25, because: "a quarter of the usual runtime" },
    { of: "sampan", against: "crun-bare", atMost: 1.1, because: "all of an engine for a bare runtime's price" },
    { of: "sampan-version", against: "empty-bun", atMost: 1.5, because: "a command loads only its own code" },
  ],
});

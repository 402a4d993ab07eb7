/**
 * Cases that several benchmarks share: other engines and the floor below all of them, on one root filesystem.
 * A path in SAMPAN_BENCH_CRUN adds a second crun, e.g. one built from its newest release.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ociBundle, type BundleOptions } from "../../test/support/bundle.ts";
import { runOk } from "../../test/support/command.ts";
import { startDockerd } from "../../test/support/peers/docker.ts";
import { createPodman } from "../../test/support/peers/podman.ts";
import { busyboxRootfs } from "../../test/support/rootfs.ts";
import { SAMPAN, SAMPAN_OCI } from "../../test/support/sandbox.ts";
import type { BenchContext, CommandCase } from "./definition.ts";

type CaseText = Pick<CommandCase, "id" | "label"> & { group?: string };

/** A busybox root filesystem in the run's directory. */
export function setupRootfs(context: BenchContext): Promise<string> {
  return busyboxRootfs(join(context.dir, "rootfs"));
}

/** `sampan ARGS` with roots of the run's own. */
export function sampanCase(context: BenchContext, text: CaseText, args: CommandCase["command"]): CommandCase {
  const env = { SAMPAN_ROOT: join(context.dir, "sampan-root"), SAMPAN_STATE: join(context.dir, "sampan-state") };
  return { ...text, env, command: typeof args === "function" ? (call) => [SAMPAN, ...args(call)] : [SAMPAN, ...args] };
}

export type OciRuntime = "crun" | "runc" | "sampan-oci" | { path: string };

/**
 * `RUNTIME run -b BUNDLE ID`, from one bundle that is made here: the spec default, or `options.config`. crun (also one
 * given by path) runs without /sys/fs/cgroup/unified and without a wrapper that would be timed.
 */
export async function runtimeCase(context: BenchContext, text: CaseText, runtime: OciRuntime, options: BundleOptions): Promise<CommandCase> {
  const bundle = await ociBundle(join(context.dir, text.id), options);
  const root = join(context.dir, `${text.id}-state`);
  const file = typeof runtime === "object" ? runtime.path : runtime === "sampan-oci" ? SAMPAN_OCI : runtime;
  const isCrun = typeof runtime === "object" || runtime === "crun";
  const version = (await runOk([file, "--version"])).split("\n")[0] ?? "";
  context.fact(typeof runtime === "object" ? runtime.path : runtime, version);
  return {
    ...text,
    privateMounts: isCrun,
    command: (call) => [file, "--root", root, ...(isCrun ? ["--cgroup-manager=cgroupfs"] : []), "run", "-b", bundle, `${text.id}-${call}`],
  };
}

/** The crun named by SAMPAN_BENCH_CRUN, if any. */
export function newestCrun(): { path: string } | undefined {
  const path = process.env["SAMPAN_BENCH_CRUN"];
  return path === undefined || path === "" ? undefined : { path };
}

/** `podman run ARGS… IMAGE COMMAND…` with storage of its own; the image is the root filesystem. */
export async function podmanCase(context: BenchContext, text: CaseText, rootfs: string, args: string[], command: string[]): Promise<CommandCase> {
  const engine = createPodman(join(context.dir, "podman"));
  context.defer(() => engine[Symbol.asyncDispose]());
  await engine.importRootfs(rootfs, "bench:1");
  context.fact("podman", (await engine.podman(["--version"])).stdout.trim());
  return { ...text, privateMounts: true, env: engine.env, command: ["podman", "run", ...args, "localhost/bench:1", ...command] };
}

/** `docker run ARGS… IMAGE COMMAND…` with a daemon of its own, already running. */
export async function dockerCase(context: BenchContext, text: CaseText, rootfs: string, args: string[], command: string[]): Promise<CommandCase> {
  const engine = await startDockerd(join(context.dir, "docker"));
  context.defer(() => engine[Symbol.asyncDispose]());
  await engine.importRootfs(rootfs, "bench:1");
  context.fact("docker", (await engine.docker(["version", "--format", "{{.Client.Version}}, dockerd {{.Server.Version}}"])).stdout.trim());
  return { ...text, env: engine.env, command: ["/usr/bin/docker", "run", ...args, "bench:1", ...command] };
}

/** An empty program compiled by Bun as ours is: what no JavaScript of ours can go below. */
export async function emptyBunCase(context: BenchContext, text: CaseText): Promise<CommandCase> {
  const dir = join(context.dir, "empty-bun");
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "empty.ts"), "export {};\n");
  await runOk([process.execPath, "build", "--compile", "--bytecode", "--minify", "--format=cjs", "--outfile", join(dir, "empty"), join(dir, "empty.ts")], { timeoutMs: 120_000, cwd: dir });
  context.fact("bun", Bun.version);
  return { ...text, command: [join(dir, "empty")] };
}

/** The kernel's own share: bench/floor.c on the same root filesystem. */
export async function floorCase(context: BenchContext, text: CaseText, rootfs: string, command: string[]): Promise<CommandCase> {
  const path = join(context.dir, "floor");
  await runOk(["gcc", "-std=gnu11", "-static", "-O2", "-Wall", "-Wextra", "-Werror", "-o", path, join(import.meta.dirname, "../floor.c")]);
  return { ...text, command: [path, rootfs, ...command] };
}

/** `bwrap` with a root filesystem: a sandbox with namespaces and the usual /proc and /dev, and nothing of an engine. */
export async function bubblewrapCase(context: BenchContext, text: CaseText, rootfs: string, command: string[]): Promise<CommandCase> {
  context.fact("bubblewrap", (await runOk(["bwrap", "--version"])).trim());
  return { ...text, command: ["bwrap", "--unshare-all", "--die-with-parent", "--bind", rootfs, "/", "--proc", "/proc", "--dev", "/dev", "--hostname", "bench", ...command] };
}

/** A static C program that does nothing: what it costs to start and wait for any process. */
export async function emptyProcessCase(context: BenchContext, text: CaseText): Promise<CommandCase> {
  const path = join(context.dir, "empty-c");
  await runOk(["gcc", "-static", "-Os", "-x", "c", "-o", path, "-"], { input: "int main(void) { return 0; }\n" });
  return { ...text, command: [path] };
}

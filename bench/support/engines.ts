/** The engines that are installed, each with a store of its own and the same image of one layer in it. */
import { join } from "node:path";
import { runOk } from "../../test/support/command.ts";
import { startDockerd } from "../../test/support/peers/docker.ts";
import { createPodman } from "../../test/support/peers/podman.ts";
import { createSandbox, SAMPAN } from "../../test/support/sandbox.ts";
import type { BenchContext, CommandCase } from "./definition.ts";

export interface Engine {
  name: "sampan" | "docker" | "podman";
  file: string;
  env: Readonly<Record<string, string>>;
  image: string;
  /** The command that removes running containers without waiting for them. */
  remove: string[];
  /** What /proc/PID/comm of a container's monitor starts with. */
  monitor: string;
  /** crun wants the spawner of these (test/support/peers/hybrid.ts). */
  privateMounts: boolean;
}

export async function setupEngines(context: BenchContext, rootfs: string): Promise<Engine[]> {
  const sandbox = createSandbox();
  context.defer(() => sandbox[Symbol.asyncDispose]());
  await runOk(["sh", "-c", 'tar -C "$1" -cf - . | "$2" import - bench:1', "sh", rootfs, SAMPAN], { env: sandbox.env });
  const engines: Engine[] = [{ name: "sampan", file: SAMPAN, env: sandbox.env, image: "bench:1", remove: ["rm", "-f"], monitor: "memfd:keel", privateMounts: false }];
  if (context.has("docker")) {
    const docker = await startDockerd(join(context.dir, "docker"));
    context.defer(() => docker[Symbol.asyncDispose]());
    await docker.importRootfs(rootfs, "bench:1");
    context.fact("docker", (await docker.docker(["version", "--format", "{{.Client.Version}}, dockerd {{.Server.Version}}"])).stdout.trim());
    engines.push({ name: "docker", file: "/usr/bin/docker", env: docker.env, image: "bench:1", remove: ["rm", "-f"], monitor: "containerd-shim", privateMounts: false });
  }
  if (context.has("podman")) {
    const podman = createPodman(join(context.dir, "podman"));
    context.defer(() => podman[Symbol.asyncDispose]());
    await podman.importRootfs(rootfs, "bench:1");
    context.fact("podman", (await podman.podman(["--version"])).stdout.trim());
    // Podman's `rm -f` asks first and waits ten seconds; the others kill at once.
    engines.push({ name: "podman", file: "podman", env: podman.env, image: "localhost/bench:1", remove: ["rm", "-f", "-t", "0"], monitor: "conmon", privateMounts: true });
  }
  return engines;
}

/** One command of an engine, measured. */
export function engineCase(engine: Engine, group: string, id: string, words: string[]): CommandCase {
  return { id: `${engine.name}-${id}`, label: `${engine.name} ${words[0] ?? ""}`, group, env: engine.env, privateMounts: engine.privateMounts, command: [engine.file, ...words] };
}

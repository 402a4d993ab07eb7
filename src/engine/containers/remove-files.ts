import { rmSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";

/** Removes a container's layer and files from the store. Nothing is mounted there: mounts are in containers' own namespaces. */
export async function removeContainerFiles(context: EngineContext, record: ContainerRecord): Promise<void> {
  const { directory } = containerPaths(context.paths, record.id);
  await refuseMounts(directory);
  rmSync(directory, { recursive: true, force: true });
}

/** Anonymous volumes that no container uses any more; one that has found another user by now stays. */
export function removeAnonymousVolumes(context: EngineContext, names: readonly string[]): void {
  for (const name of names) {
    const volume = context.store.volumes.get(name);
    if (volume === undefined || context.store.volumes.users(name).length > 0) continue;
    context.store.volumes.delete(name);
    // Only what lies where we put volumes: a mountpoint in the record is not proof enough.
    const directory = `${context.paths.volumes}/${name}`;
    if (volume.mountpoint === directory || volume.mountpoint.startsWith(`${directory}/`)) rmSync(directory, { recursive: true, force: true });
  }
}

/** A recursive removal must not cross into something that a person mounted there. */
async function refuseMounts(directory: string): Promise<void> {
  const { readFileSync } = await import("node:fs");
  const inside = readFileSync("/proc/self/mountinfo", "utf8").split("\n").map((line) => line.split(" ")[4] ?? "").find((path) => path === directory || path.startsWith(`${directory}/`));
  if (inside !== undefined)
    throw new SampanError("conflict", `Cannot remove "${directory}": something is mounted at "${inside}"`, { hint: `Unmount it first: umount ${inside}`, code: "EBUSY" });
}

import { existsSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";
import { livenessOf } from "../containers/liveness.ts";
import type { EngineContext } from "../context.ts";
import type { StoredConfig, StoredMount } from "../spec/stored.ts";
import { makeDirectories } from "./create.ts";
import { appendVolumeEvent } from "./events.ts";
import { volumeKind } from "./layout.ts";

/**
 * Makes the volumes of a container ready to be mounted: their directories are there, and before the container's first
 * start an empty volume is filled with what the image has at its place. Every step can be repeated after a crash.
 * `mounting`: they are about to be mounted, which is an event.
 */
export async function readyVolumes(context: EngineContext, stored: StoredConfig, options: { readonly mounting: boolean }): Promise<void> {
  const mounts = stored.mounts.filter((mount): mount is StoredMount & { readonly volume: string } => mount.volume !== undefined);
  for (const mount of mounts) readyVolume(context, stored, mount);
  const isFirst = context.store.containers.get(stored.id)?.startedMs === null;
  const fillable = isFirst ? mounts.filter(({ nocopy, subpath, filesystem }) => nocopy !== true && subpath === undefined && filesystem === undefined) : [];
  if (fillable.length > 0) {
    const { fillVolumes } = await import("./fill.ts");
    await fillVolumes(context, stored, fillable);
  }
  if (!options.mounting) return;
  for (const { volume, target, readonly, propagation } of mounts)
    appendVolumeEvent(context, "mount", volume, {
      container: stored.id,
      destination: target,
      driver: "local",
      propagation: propagation === "rprivate" ? "" : propagation,
      "read/write": String(!readonly),
    });
}

function readyVolume(context: EngineContext, stored: StoredConfig, mount: StoredMount & { readonly volume: string }): void {
  const volume = context.store.volumes.find(mount.volume);
  const kind = volumeKind(volume.options);
  const source = kind.kind === "directory" ? volume.mountpoint : kind.kind === "bind" ? kind.device : "";
  if (source !== mount.source)
    throw new SampanError(
      "conflict",
      `Cannot mount volume "${volume.name}": it was made anew with other options since container "${stored.name}" was created`,
      { exitCode: 125, hint: `Make the container anew, or remove it: sampan rm ${stored.name}` },
    );
  if (kind.kind === "bind" && !existsSync(kind.device))
    throw new SampanError("not-found", `failed to mount local volume: mount ${kind.device}:${volume.mountpoint}: no such file or directory`, {
      exitCode: 125,
      hint: `Make it first: mkdir ${kind.device}`,
    });
  if (kind.kind === "tmpfs") refuseSharing(context, stored, volume.name);
  if (kind.kind === "directory") makeDirectories(context, volume.name);
}

/** A tmpfs is mounted in the container's own namespace, so two containers would silently have one each. */
function refuseSharing(context: EngineContext, stored: StoredConfig, name: string): void {
  for (const id of context.store.volumes.users(name)) {
    const record = id === stored.id ? undefined : context.store.containers.get(id);
    if (record !== undefined && livenessOf(context, record).process !== undefined)
      throw new SampanError("conflict", `Cannot mount volume "${name}": it is a tmpfs, which lives in one container, and "${record.name}" runs with it`, {
        exitCode: 125,
        hint: `Stop that one first (sampan stop ${record.name}), or use a volume without options`,
      });
  }
}

import { chmodSync, mkdirSync } from "node:fs";
import { SampanError, errnoOf } from "../../base/errors.ts";
import { createId } from "../../base/ids.ts";
import type { VolumeRecord } from "../../storage/state/index.ts";
import type { VolumeDetails, Volumes } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { needRoot } from "../privilege.ts";
import { appendVolumeEvent } from "./events.ts";
import { ANONYMOUS_LABEL, isName, nameProblem, volumeDetails, volumeDirectory, volumeKind } from "./layout.ts";

/** A volume that is yet to be made; a name of "" makes an anonymous one. */
export function newVolume(context: EngineContext, name: string, more: Partial<Pick<VolumeRecord, "labels" | "options">> = {}): VolumeRecord {
  const anonymous = name === "";
  const called = anonymous ? createId() : name;
  return {
    name: called, driver: "local", labels: anonymous ? { [ANONYMOUS_LABEL]: "", ...more.labels } : (more.labels ?? {}), options: more.options ?? {},
    mountpoint: `${volumeDirectory(context.paths, called)}/_data`, anonymous, createdMs: Date.now(),
  };
}

/** Makes a volume, or gives back the one that is there. Throws in Docker's words. */
export function createVolume(context: EngineContext, request: Parameters<Volumes["create"]>[0]): VolumeDetails {
  needRoot("create a volume");
  const { name, driver, options, labels } = request;
  if (name !== "" && !isName(name)) throw new SampanError("invalid", `create ${name}: ${nameProblem(name)}`);
  if (driver !== "" && driver !== "local")
    throw new SampanError(
      "not-found",
      `create ${name}: error looking up volume plugin ${driver}: plugin ${JSON.stringify(driver)} not found`,
      { hint: "The only volume driver is local" },
    );
  try {
    volumeKind(options);
  } catch (error) {
    if (error instanceof SampanError) throw new SampanError(error.kind, `create ${name}: ${error.message}`, { hint: error.hint, cause: error });
    throw error;
  }
  const { store } = context;
  const volume = store.transaction(() => {
    const { volume: kept, created } = store.volumes.create(newVolume(context, name, { labels, options }));
    if (created) appendVolumeEvent(context, "create", kept.name, { driver: kept.driver });
    return kept;
  }, { durable: true });
  makeDirectories(context, volume.name);
  return volumeDetails(volume);
}

/** The directories of a volume, after its record. Existing ones stay as they are. */
export function makeDirectories(context: EngineContext, name: string): void {
  const directory = volumeDirectory(context.paths, name);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    mkdirSync(`${directory}/_data`);
    chmodSync(`${directory}/_data`, 0o755); // whatever the umask
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EEXIST") return;
    throw new SampanError(
      errno === "ENOSPC" ? "unavailable" : "internal",
      `Cannot make volume "${name}": ${errno === "ENOSPC" ? "no space left on device" : (errno ?? String(error))}`,
      { code: errno, cause: error },
    );
  }
}

import { mkdirSync, rmSync } from "node:fs";
import { SampanError, errnoOf } from "../../base/errors.ts";
import { forgetContainer } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { nowNs } from "./record.ts";

/**
 * A container's own directories, so that files can be copied into it before it has ever run. Existing ones stay. Where they cannot be
 * made there is no container.
 */
export function makeContainerDirectories(context: EngineContext, stored: StoredConfig): void {
  const paths = containerPaths(context.paths, stored.id);
  try {
    mkdirSync(paths.directory, { recursive: true, mode: 0o700 });
    if (stored.image.writableRoot !== undefined) return;
    mkdirSync(paths.upper, { recursive: true, mode: 0o755 });
    mkdirSync(paths.work, { recursive: true, mode: 0o755 });
  } catch (error) {
    const errno = errnoOf(error);
    rmSync(paths.directory, { recursive: true, force: true });
    forgetContainer(context.store, stored.id, { timeNs: nowNs() });
    throw new SampanError(errno === "ENOSPC" ? "unavailable" : "internal", `Cannot make the files of container "${stored.name}": ${errno ?? String(error)}`, {
      code: errno,
      cause: error,
      exitCode: 125,
    });
  }
}

import { mkdirSync } from "node:fs";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import type { StoredConfig } from "../spec/stored.ts";

/** A container's own directories, so that files can be copied into it before it has ever run. Existing ones stay. */
export function makeContainerDirectories(context: EngineContext, stored: StoredConfig): void {
  const paths = containerPaths(context.paths, stored.id);
  mkdirSync(paths.directory, { recursive: true, mode: 0o700 });
  if (stored.image.writableRoot !== undefined) return;
  mkdirSync(paths.upper, { recursive: true, mode: 0o755 });
  mkdirSync(paths.work, { recursive: true, mode: 0o755 });
}

import { lstatSync, readdirSync } from "node:fs";
import type { ContainerRecord } from "../../storage/state/index.ts";
import { errnoOf } from "../../base/errors.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import type { StoredConfig } from "../spec/stored.ts";
import type { Sizes } from "./summary.ts";

/** Bytes of the regular files beneath a directory, hard links counted once. What vanishes meanwhile is not counted. */
export function treeBytes(directory: string, seen = new Set<string>()): number {
  let bytes = 0;
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return 0;
    throw error;
  }
  for (const name of names) {
    const path = `${directory}/${name}`;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    if (stat.isDirectory()) bytes += treeBytes(path, seen);
    else if (stat.nlink > 1) {
      const key = `${stat.dev}:${stat.ino}`;
      if (!seen.has(key)) bytes += stat.size;
      seen.add(key);
    } else bytes += stat.size;
  }
  return bytes;
}

/** The container's own files, and those with its image's layers. */
export function sizesOf(context: EngineContext, record: ContainerRecord, stored: StoredConfig): Sizes {
  const own = stored.image.writableRoot === undefined ? treeBytes(containerPaths(context.paths, record.id).upper) : 0;
  const layers = record.chainIds.reduce((sum, chainId) => sum + (context.store.layers.get(chainId)?.sizeBytes ?? 0), 0);
  return { sizeRwBytes: own, sizeRootFsBytes: own + layers };
}

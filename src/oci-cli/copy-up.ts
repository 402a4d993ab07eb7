import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { SampanError } from "../base/errors.ts";
import type { IdMapping, Mount, RuntimeConfig } from "../oci/index.ts";
import type { CopiedFile } from "../runtime/index.ts";
import { resolveInRoot } from "./in-root.ts";

/** More would be a plan of many megabytes, and a tmpfs of that kind is hardly meant. */
const MAX_FILES = 50_000;

/**
 * What the root filesystem has where a tmpfs with "tmpcopyup" goes. Only looked at here: the files are opened again and
 * copied from inside, beneath the directory that is then covered, so that a name or a link that changes meanwhile is an error.
 */
export function copiedFiles(config: RuntimeConfig, rootfs: string): ReadonlyMap<Mount, readonly CopiedFile[]> | undefined {
  const mounts = (config.mounts ?? []).filter(({ options }) => options?.includes("tmpcopyup"));
  if (mounts.length === 0) return undefined;
  const users = config.linux?.uidMappings ?? [];
  const groups = config.linux?.gidMappings ?? [];
  return new Map(mounts.map((mount) => {
    const files: CopiedFile[] = [];
    const walk = (host: string, path: string): void => {
      const stat = lstatSync(host, { bigint: true });
      const kind = Number(stat.mode) & 0o170000;
      if (users.length > 0 && (kind === 0o020000 || kind === 0o060000)) return; // in a user namespace no device can be made
      if (files.length >= MAX_FILES)
        throw new SampanError(
          "unsupported",
          `Cannot fill "${mount.destination}" with what the image has there (tmpcopyup): there are more than ${MAX_FILES} files`,
        );
      files.push({
        path, mode: Number(stat.mode), uid: inside(users, Number(stat.uid)), gid: inside(groups, Number(stat.gid)), size: Number(stat.size),
        device: Number(stat.rdev),
        modifiedNs: stat.mtimeNs, ...(stat.isSymbolicLink() ? { target: readlinkSync(host) } : {}),
      });
      if (kind === 0o040000) for (const name of readdirSync(host).sort()) walk(`${host}/${name}`, path === "" ? name : `${path}/${name}`);
    };
    const found = resolveInRoot(rootfs, mount.destination);
    if (found !== undefined) walk(found, "");
    return [mount, files];
  }));
}

/** An id as the container has it; undefined where its user namespace has none for it. */
function inside(mappings: readonly IdMapping[], id: number): number | undefined {
  if (mappings.length === 0) return id;
  const mapping = mappings.find(({ hostID, size }) => id >= hostID && id < hostID + size);
  return mapping === undefined ? undefined : mapping.containerID + id - mapping.hostID;
}

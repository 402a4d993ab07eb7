import { closeSync, constants, existsSync, lstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from "node:fs";
import { SampanError, messageOf } from "../../base/errors.ts";
import { O_DIRECTORY } from "../../linux/constants.ts";
import { withLock } from "../../storage/state/index.ts";
import type { ByteString } from "../../storage/tar/index.ts";
import { DirectoryWalker, TreeWriter, entryHeader, openRootAccess } from "../access/index.ts";
import type { FileHelper, RootAccess } from "../access/index.ts";
import type { EngineContext } from "../context.ts";
import type { StoredConfig, StoredMount } from "../spec/stored.ts";
import { volumeDirectory } from "./layout.ts";

type VolumeMount = StoredMount & { readonly volume: string };

/**
 * Copy-up: an empty volume gets what the container's root filesystem has at its place, with owners, modes, links, times and
 * attributes, and becomes what that directory is. The path is resolved by the kernel inside the root (openat2(2),
 * RESOLVE_IN_ROOT), and from there on nothing is followed: an image full of links to the host copies links.
 *
 * A copy that is cut short leaves the volume empty: it is made beside, in `_fill.new`, renamed to `_fill` when it is
 * whole, and moved in from there; whoever comes next goes on with that. Moved and not exchanged, because another
 * container may have the directory mounted.
 */
export async function fillVolumes(context: EngineContext, stored: StoredConfig, mounts: readonly VolumeMount[]): Promise<void> {
  const empty = mounts.filter((mount) => needsFill(context, mount));
  if (empty.length === 0) return;
  const record = context.store.containers.get(stored.id);
  if (record === undefined) throw new SampanError("not-found", `No such container: ${stored.name}`);
  const access = await openRootAccess(context, record, stored, "bare");
  try {
    for (const mount of empty) {
      const { volume } = mount;
      await withLock(`${volumeDirectory(context.paths, volume)}/lock`, async () => {
        // Somebody else may have filled it while we waited.
        if (needsFill(context, mount)) await fill(access, volumeDirectory(context.paths, volume), mount);
      }).catch((error: unknown) => {
        if (error instanceof SampanError && error.kind === "unavailable" && error.code === undefined) throw error;
        throw new SampanError(
          error instanceof SampanError ? error.kind : "internal",
          `Cannot copy "${mount.target}" of the image into volume "${volume}": ${messageOf(error)}`,
          { cause: error, exitCode: 125 },
        );
      });
    }
  } finally {
    access[Symbol.dispose]();
    // The root filesystem is about to be mounted again, with the same upper directory.
    await access.helper.session.ended;
  }
}

/** True for an empty volume, and for one whose filling was cut short. */
function needsFill(context: EngineContext, { volume, source }: VolumeMount): boolean {
  const isOurs = source === `${volumeDirectory(context.paths, volume)}/_data`;
  if (isOurs && existsSync(`${volumeDirectory(context.paths, volume)}/_fill`)) return true;
  return lstatSync(source).isDirectory() && readdirSync(source).length === 0;
}

async function fill(access: RootAccess, directory: string, { source, target }: VolumeMount): Promise<void> {
  const [partial, whole] = [`${directory}/_fill.new`, `${directory}/_fill`];
  const isOurs = source === `${directory}/_data`;
  if (!isOurs || !existsSync(whole)) {
    const from = access.open(target, O_DIRECTORY);
    // The image has nothing there, or a file: then there is nothing to copy, and a file is told of when it is mounted on.
    if ("errno" in from) return;
    try {
      if (!isOurs) {
        await copyTree(access.helper, from.fd, source);
        return;
      }
      rmSync(partial, { recursive: true, force: true });
      mkdirSync(partial, { mode: 0o700 });
      await copyTree(access.helper, from.fd, partial);
      renameSync(partial, whole);
    } catch (error) {
      if (isOurs) rmSync(partial, { recursive: true, force: true });
      throw error;
    } finally {
      closeSync(from.fd);
    }
  }
  await moveIn(access.helper, whole, source);
}

/** Everything of `whole` that `data` does not have by now; then what the directory itself is like. */
async function moveIn(helper: FileHelper, whole: string, data: string): Promise<void> {
  const fd = openDirectory(whole);
  try {
    const own = await new DirectoryWalker(helper, fd).walk().next();
    for (const name of readdirSync(whole, { encoding: "buffer" })) {
      const [from, to] = [whole, data].map((path) => Buffer.concat([Buffer.from(`${path}/`), name]));
      if (from !== undefined && to !== undefined && lstatSync(to, { throwIfNoEntry: false }) === undefined) renameSync(from, to);
    }
    if (own.done !== true) {
      const target = openDirectory(data);
      try {
        using writer = new TreeWriter(helper, target, { owner: undefined });
        const header = entryHeader(own.value, "" as ByteString); // ASCII
        if (header !== undefined) writer.begin(header, []);
        writer.finish();
      } finally {
        closeSync(target);
      }
    }
  } finally {
    closeSync(fd);
  }
  // Only names that a container has made meanwhile are left in it.
  rmSync(whole, { recursive: true, force: true });
}

async function copyTree(helper: FileHelper, from: number, to: string): Promise<void> {
  const target = openDirectory(to);
  try {
    // Within: half a file is taken back through the directory that is open.
    using writer = new TreeWriter(helper, target, { owner: undefined });
    const first = new Map<string, ByteString>();
    for await (const file of new DirectoryWalker(helper, from).walk()) {
      const header = entryHeader(file, file.path);
      if (header === undefined) continue;
      const names = file.path.split("/").filter((name) => name !== "") as ByteString[]; // pieces of a byte string
      const linked = file.inode === undefined ? undefined : first.get(file.inode);
      if (linked !== undefined) {
        writer.begin({ ...header, type: "link", linkname: linked, size: 0 }, names);
        continue;
      }
      if (file.inode !== undefined) first.set(file.inode, file.path);
      writer.begin(header, names);
      if (header.type !== "file") continue;
      let offset = 0;
      for await (const chunk of file.open()) {
        writer.data(chunk, offset);
        offset += chunk.length;
      }
      writer.done();
    }
    writer.finish();
  } finally {
    closeSync(target);
  }
}

function openDirectory(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

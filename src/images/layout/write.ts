import { mkdir, rm, writeFile } from "node:fs/promises";
import { SampanError, errnoOf } from "../../base/index.ts";
import { documentFiles, type NamedImage } from "../archive/save.ts";

/**
 * Writes images as an OCI layout into a directory that does not exist yet or is empty. Throws `already-exists`. Whatever fails, nothing of it
 * stays there.
 */
export async function writeLayout(directory: string, images: readonly NamedImage[], signal?: AbortSignal): Promise<void> {
  const written: string[] = [];
  const made = [await mkdir(`${directory}/blobs/sha256`, { recursive: true })];
  try {
    for await (const { name, content } of documentFiles(images, "oci")) {
      signal?.throwIfAborted();
      // Only sha512 blobs need another directory, and they are rare.
      if (name.startsWith("blobs/sha512/")) made.push(await mkdir(`${directory}/blobs/sha512`, { recursive: true }));
      written.push(await write(directory, name, content, signal));
    }
  } catch (error) {
    for (const path of written) await rm(path, { force: true });
    // Where a directory is new, all that is in it is ours.
    for (const path of made) if (path !== undefined) await rm(path, { recursive: true, force: true });
    throw error;
  }
}

async function write(directory: string, name: string, content: Parameters<typeof writeFile>[1], signal: AbortSignal | undefined): Promise<string> {
  const path = `${directory}/${name}`;
  try {
    await writeFile(path, content, { flag: "wx", ...(signal === undefined ? {} : { signal }) });
    return path;
  } catch (error) {
    if (errnoOf(error) === "EEXIST")
      throw new SampanError(
        "already-exists",
        `Cannot write image layout "${directory}": it has a file "${name}" already`,
        { hint: "name a directory that is empty or not there yet" },
      );
    await rm(path, { force: true });
    throw error;
  }
}

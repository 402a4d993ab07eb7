import { mkdir, writeFile } from "node:fs/promises";
import { SampanError, errnoOf } from "../../base/index.ts";
import { documentFiles, type NamedImage } from "../archive/save.ts";

/** Writes images as an OCI layout into a directory that does not exist yet or is empty. Throws `already-exists`. */
export async function writeLayout(directory: string, images: readonly NamedImage[]): Promise<void> {
  await mkdir(`${directory}/blobs/sha256`, { recursive: true });
  for await (const { name, content } of documentFiles(images, "oci")) {
    // Only sha512 blobs need another directory, and they are rare.
    if (name.startsWith("blobs/sha512/")) await mkdir(`${directory}/blobs/sha512`, { recursive: true });
    try {
      await writeFile(`${directory}/${name}`, content, { flag: "wx" });
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      throw new SampanError("already-exists", `Cannot write image layout "${directory}": it has a file "${name}" already`, { hint: "name a directory that is empty or not there yet" });
    }
  }
}

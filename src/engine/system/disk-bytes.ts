import { lstatSync, readdirSync } from "node:fs";
import type { Stats } from "node:fs";
import { errnoOf } from "../../base/errors.ts";

/** st_blocks counts these, whatever the filesystem's own are (stat(2)). */
const BLOCK_BYTES = 512;

/**
 * What a tree takes of the disk, as `du -x` counts: blocks and not lengths, directories too, a file with several names
 * once, nothing on another filesystem. What vanishes meanwhile is not counted; 0 if there is nothing.
 */
export function diskBytes(root: string): number {
  const seen = new Set<string>();
  const top = statIfThere(root);
  if (top === undefined) return 0;
  let bytes = top.blocks * BLOCK_BYTES;
  const pending = top.isDirectory() ? [Buffer.from(root)] : [];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const name of namesIn(directory)) {
      const path = Buffer.concat([directory, Buffer.from("/"), name]);
      const stat = statIfThere(path);
      if (stat === undefined || stat.dev !== top.dev) continue;
      if (stat.isDirectory()) pending.push(path);
      else if (stat.nlink > 1) {
        const inode = String(stat.ino);
        if (seen.has(inode)) continue;
        seen.add(inode);
      }
      bytes += stat.blocks * BLOCK_BYTES;
    }
  }
  return bytes;
}

/** As `diskBytes`, of what is in a directory and not of itself: an empty one has none. */
export function contentBytes(directory: string): number {
  return Math.max(0, diskBytes(directory) - (statIfThere(directory)?.blocks ?? 0) * BLOCK_BYTES);
}

function statIfThere(path: string | Buffer): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** As bytes: a name need not be UTF-8. */
function namesIn(directory: Buffer): Buffer[] {
  try {
    return readdirSync(directory, { encoding: "buffer" });
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw error;
  }
}

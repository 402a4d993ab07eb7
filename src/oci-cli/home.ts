import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { Mount } from "../oci/index.ts";
import { resolveInRoot } from "./in-root.ts";

const MAX_BYTES = 1 << 20;

/**
 * The home directory of a user, from the container's own passwd(5); "/" where it says nothing. The file is untrusted: only
 * a plain file of at most 1 MB is read (CVE-2026-47262), and nothing but this one string comes of it.
 */
export function homeOf(root: string, mounts: readonly Mount[], uid: number): string {
  const mounted = mounts.findLast(({ destination }) => destination === "/etc/passwd")?.source;
  const file = mounted ?? resolveInRoot(root, "etc/passwd");
  if (file === undefined) return "/";
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return "/"; // not there, or not for us: as if it named nobody
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > MAX_BYTES) return "/";
    const buffer = Buffer.alloc(stat.size);
    const text = buffer.toString("utf8", 0, readSync(fd, buffer, 0, stat.size, 0));
    for (const line of text.split("\n")) {
      const fields = line.split(":");
      if (fields.length >= 6 && fields[2] !== "" && Number(fields[2]) === uid && (fields[5] ?? "").startsWith("/")) return fields[5] ?? "/";
    }
    return "/";
  } finally {
    closeSync(fd);
  }
}

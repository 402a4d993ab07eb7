import { lstatSync, readFileSync, rmSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";

/** proc_pid_mountinfo(5) writes blanks and backslashes as three octal digits. */
function unescape(field: string): string {
  return field.includes("\\") ? field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))) : field;
}

/** Where something is mounted at or beneath a directory, as this process sees it; undefined if nowhere. */
export function mountBeneath(directory: string): string | undefined {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => unescape(line.split(" ")[4] ?? ""))
    .find((path) => path === directory || path.startsWith(`${directory}/`));
}

/** Throws "conflict" if anything is mounted at or beneath a directory. `what` follows "Cannot": `remove volume "data"`. */
export function refuseMounts(directory: string, what: string): void {
  const mount = mountBeneath(directory);
  if (mount !== undefined)
    throw new SampanError("conflict", `Cannot ${what}: something is mounted at "${mount}"`, { hint: `Unmount it first: umount ${mount}`, code: "EBUSY" });
}

/**
 * Removes a directory of ours with all that is in it, and nothing behind a mount: what is mounted beneath it is somebody
 * else's data, and a removal that crossed into it would eat that. Links are removed, not followed. Idempotent.
 */
export function removeTree(directory: string, what: string): void {
  if (lstatSync(directory, { throwIfNoEntry: false }) === undefined) return;
  refuseMounts(directory, what);
  rmSync(directory, { recursive: true, force: true });
}

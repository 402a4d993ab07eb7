/** Removing a test's directory, and never anything that is mounted beneath it. */
import { readFileSync, rmSync } from "node:fs";

/** Mount points at or beneath a directory, deepest last; mountinfo writes blanks as \040 (proc_pid_mountinfo(5)). */
export function mountsBeneath(directory: string): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => (line.split(" ")[4] ?? "").replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))))
    .filter((path) => path === directory || path.startsWith(`${directory}/`));
}

/** Throws when something is mounted in there: what is behind a mount may be somebody's data. */
export function removeTree(directory: string): void {
  const mounts = mountsBeneath(directory);
  if (mounts.length > 0) throw new Error(`Cannot remove "${directory}": still mounted beneath it: ${mounts.join(", ")}`);
  rmSync(directory, { recursive: true, force: true });
}

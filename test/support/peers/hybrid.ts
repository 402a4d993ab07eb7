/**
 * crun 1.8, and with it podman and buildah, refuses a host that has controllers on cgroup v1 and an empty v2
 * hierarchy at /sys/fs/cgroup/unified ("cgroups in hybrid mode not supported"). Unmounting the latter in a
 * private mount namespace makes it a plain v1 host for that one process; the machine's own mounts stay. The
 * private namespace also keeps podman's and dockerd's mounts (…/overlay bound to itself) off the machine.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";

const SCRIPT = 'if [ -e /sys/fs/cgroup/unified/cgroup.procs ]; then umount /sys/fs/cgroup/unified; fi; exec "$@"';

/** `flags` are unshare(1)'s, beside --mount. */
export function inPrivateMounts(command: string[], flags: string[] = []): string[] {
  return ["unshare", "--mount", ...flags, "sh", "-c", SCRIPT, "sh", ...command];
}

function hierarchies(): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(" ")[4] ?? "");
}

function removeEmpty(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeEmpty(join(path, entry.name));
  try {
    rmdirSync(path);
  } catch (error) {
    // Somebody is in it, or has removed it: both are fine.
    if (!(error instanceof Error && "code" in error && (error.code === "EBUSY" || error.code === "ENOENT"))) throw error;
  }
}

/**
 * Engines leave their parent groups behind empty. Call before the engine starts; the function it returns removes the
 * groups of these names, at the top of every hierarchy, that were not there before and are empty.
 */
export function trackParentCgroups(...names: string[]): () => void {
  const paths = hierarchies().flatMap((root) => names.map((name) => join(root, name)));
  const made = paths.filter((path) => !existsSync(path));
  return () => {
    made.filter((path) => existsSync(path)).forEach(removeEmpty);
  };
}

import { closeSync, constants, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { errnoOf } from "../../base/index.ts";
import { parseCgroupHost } from "./host.ts";
import type { CgroupHost } from "./types.ts";

/** Groups come and go under our feet: a file of one that went is absent (ENOENT), or is open and dead (ENODEV). */
const absent = new Set(["ENOENT", "ENODEV", "ENOTDIR"]);

/** The file's text; undefined where it does not exist, or not any more. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (absent.has(errnoOf(error) ?? "")) return undefined;
    // A few v1 files exist and cannot be read in some states (EOPNOTSUPP, EINVAL).
    if (errnoOf(error) === "EOPNOTSUPP" || errnoOf(error) === "EINVAL") return undefined;
    throw error;
  }
}

/** One write(2), as control files want it; never creates a file. Throws the system's error. */
export function writeText(path: string, value: string): void {
  const descriptor = openSync(path, constants.O_WRONLY);
  try {
    writeSync(descriptor, value);
  } finally {
    closeSync(descriptor);
  }
}

/** Like writeText; false where the file is not there. */
export function writeIfPresent(path: string, value: string): boolean {
  try {
    writeText(path, value);
    return true;
  } catch (error) {
    if (absent.has(errnoOf(error) ?? "")) return false;
    throw error;
  }
}

/** The groups directly beneath a group. */
export function childGroups(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${directory}/${entry.name}`);
  } catch (error) {
    if (absent.has(errnoOf(error) ?? "")) return [];
    throw error;
  }
}

/** This host's control groups, from two or three small files of /proc and the cgroup2 mount. */
export function readCgroupHost(): CgroupHost {
  return parseCgroupHost(readFileSync("/proc/self/mountinfo", "utf8"), readFileSync("/proc/self/cgroup", "utf8"), readText);
}

import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createId, errnoOf } from "../../base/index.ts";
import { isDigest, type Digest } from "../../oci/digest.ts";
import { acquireLock, tryLock, type FileLock } from "./lock.ts";
import type { StorePaths } from "./paths.ts";

/**
 * Keeps blobs from `gc` while something is being made of them. It ends when it is disposed of or when its process ends: the
 * holder has a kernel lock on it, so there is no time-out to choose and no pid to mistake.
 */
export interface Lease extends AsyncDisposable {
  readonly id: string;
  /** From its return on, these stay (or, if they are not there, will stay once they come). Look for them *after* this. */
  add(digests: Iterable<Digest>): Promise<void>;
}

/** The lock that orders leases against gc, and writers of index.json against each other. Held for milliseconds. */
export function lockStore(paths: StorePaths, signal?: AbortSignal): Promise<FileLock> {
  return acquireLock(paths.lock("store"), signal);
}

export async function createLease(paths: StorePaths): Promise<Lease> {
  const id = createId();
  const path = `${paths.leases}/${id}`;
  using _store = await lockStore(paths);
  const alive = await acquireLock(`${path}.lock`);
  writeFileSync(path, "", { mode: 0o600 });
  return {
    id,
    async add(digests) {
      using _held = await lockStore(paths);
      appendFileSync(path, [...digests].map((digest) => `${digest}\n`).join(""));
    },
    async [Symbol.asyncDispose]() {
      rmSync(path, { force: true });
      rmSync(`${path}.lock`, { force: true });
      alive.release();
    },
  };
}

/**
 * Under the store's lock: what living leases keep. Those of dead processes are removed, and so is a lock alone: its
 * holder died before it wrote the lease, or between the two files' removal.
 */
export function leasedDigests(paths: StorePaths): Set<Digest> {
  const leased = new Set<Digest>();
  for (const id of new Set(readdirSync(paths.leases).map((name) => name.replace(/\.lock$/, "")))) {
    const path = `${paths.leases}/${id}`;
    const dead = tryLock(`${path}.lock`);
    if (dead !== undefined) {
      rmSync(path, { force: true });
      rmSync(`${path}.lock`, { force: true });
      dead.release();
      continue;
    }
    for (const line of readLease(path)) if (isDigest(line)) leased.add(line);
  }
  return leased;
}

function readLease(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch (error) {
    // It ended between the listing and now.
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

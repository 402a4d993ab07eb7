import type { ContainerId } from "../../base/ids.ts";
import type { StateDatabase } from "./database.ts";

export type ResourceKind = "cgroup" | "veth" | "netns" | "endpoint" | "mount" | "dir" | "file" | "nft" | "freeze";

/**
 * Something of the kernel's or the file system's that somebody has to remove. Recorded *before* it is made and released
 * *after* it is gone, so a crash at any point leaves a row too many and never one too few: whoever collects
 * removes what the row names, which may not exist.
 */
export interface Resource {
  readonly kind: ResourceKind;
  /** What finds it again: a path, an interface's name; of a freeze, who will end it. */
  readonly key: string;
  readonly containerId: ContainerId;
  /** "run": from start to exit. "container": until it is removed. */
  readonly lifetime: "run" | "container";
}

export interface ResourceRecord extends Resource {
  readonly createdMs: number;
}

export class Resources {
  readonly #db: StateDatabase;

  constructor(db: StateDatabase) {
    this.#db = db;
  }

  /** A second record of the same thing takes the place of the first: a restart makes the same cgroup again. */
  record(resources: readonly Resource[], createdMs: number): void {
    this.#db.transaction(() => {
      for (const { kind, key, containerId, lifetime } of resources) {
        this.#db.run(
          "INSERT OR REPLACE INTO resources(kind, key, containerId, lifetime, createdMs) VALUES (?, ?, ?, ?, ?)",
          kind,
          key,
          containerId,
          lifetime,
          createdMs,
        );
      }
    });
  }

  release(containerId: ContainerId, kind: ResourceKind, key: string): void {
    this.#db.run("DELETE FROM resources WHERE containerId = ? AND kind = ? AND key = ?", containerId, kind, key);
  }

  /** Releases all that a container has, or what lives from start to exit only. */
  releaseAll(containerId: ContainerId, lifetime: "run" | "any"): void {
    if (lifetime === "any") this.#db.run("DELETE FROM resources WHERE containerId = ?", containerId);
    else this.#db.run("DELETE FROM resources WHERE containerId = ? AND lifetime = 'run'", containerId);
  }

  /** In the order in which they were recorded. */
  list(containerId: ContainerId): ResourceRecord[] {
    return this.#db.all<ResourceRecord>("SELECT * FROM resources WHERE containerId = ? ORDER BY createdMs, kind, key", containerId).map((row) => ({ ...row }));
  }

  /** Containers that have recorded this very thing. */
  holders(kind: ResourceKind, key: string): ContainerId[] {
    return this.#db.all<{ containerId: ContainerId }>("SELECT containerId FROM resources WHERE kind = ? AND key = ?", kind, key).map((row) => row.containerId);
  }

  /** All of a kind, whosever they are. */
  ofKind(kind: ResourceKind): ResourceRecord[] {
    return this.#db.all<ResourceRecord>("SELECT * FROM resources WHERE kind = ? ORDER BY createdMs, containerId, key", kind).map((row) => ({ ...row }));
  }

  /**
   * What nobody will remove any more: its container is gone, or has ended and this was to end with it.
   * A container in "creating" or "running" whose processes have died is not seen here: reconcile first.
   */
  orphans(): ResourceRecord[] {
    return this.#db
      .all<ResourceRecord>(
        `SELECT resources.* FROM resources LEFT JOIN containers ON containers.id = resources.containerId
         WHERE containers.id IS NULL OR (lifetime = 'run' AND status IN ('created', 'exited', 'dead'))
         ORDER BY resources.createdMs, kind, key`,
      )
      .map((row) => ({ ...row }));
  }
}

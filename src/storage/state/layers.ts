import type { Digest } from "../../oci/digest.ts";
import type { StateDatabase } from "./database.ts";
import { placeholders, toSql } from "./json.ts";

/** A layer that lies unpacked and complete on disk. The row is written last: no half-unpacked one is ever listed. */
export interface LayerRecord {
  readonly chainId: Digest;
  readonly diffId: Digest;
  /** The chain ID of the layer beneath; null for the lowest. */
  readonly parent: Digest | null;
  readonly sizeBytes: number;
  readonly path: string;
  readonly createdMs: number;
}

/** A claim on digests (blobs or chain IDs) that no image holds yet: a pull or a build at work. */
export interface Lease {
  readonly id: string;
  /** With start time (clock ticks) and boot: who holds it, so that a dead process's claim can be told. */
  readonly ownerPid: number;
  readonly ownerStartTime: number;
  readonly bootId: string;
  /** When it ends even if the owner lives. */
  readonly expiresMs: number;
}

const REFERENCED_CHAINS = `
  SELECT value FROM images, json_each(images.chainIds)
  UNION SELECT value FROM containers, json_each(containers.chainIds)
  UNION SELECT digest FROM leaseDigests`;

/** Layers, and the leases on them and on blobs. How many images share a layer is counted by query, never stored. */
export class Layers {
  readonly #db: StateDatabase;

  constructor(db: StateDatabase) {
    this.#db = db;
  }

  /** False if another process has put this layer in the meantime: then its path counts, and the caller drops its own. */
  put(layer: LayerRecord): boolean {
    const columns = Object.keys(layer);
    // Not durable: whoever finds a directory with a name and no row takes it up, and the image's own row, which is, comes later.
    return this.#db.run(`INSERT OR IGNORE INTO layers(${columns.join(", ")}) VALUES (${placeholders(columns.length)})`, ...Object.values(layer).map(toSql)) > 0;
  }

  get(chainId: Digest): LayerRecord | undefined {
    const row = this.#db.get<LayerRecord>("SELECT * FROM layers WHERE chainId = ?", chainId);
    return row === undefined ? undefined : { ...row };
  }

  list(): LayerRecord[] {
    return this.#db.all<LayerRecord>("SELECT * FROM layers ORDER BY createdMs, chainId").map((row) => ({ ...row }));
  }

  /** How many images have it in their stack. */
  references(chainId: Digest): number {
    return this.#db.get<{ n: number }>(
      "SELECT count(*) AS n FROM images WHERE EXISTS(SELECT 1 FROM json_each(images.chainIds) WHERE value = ?)",
      chainId,
    )?.n ?? 0;
  }

  /** Layers of no image, no container and no lease. */
  unreferenced(): LayerRecord[] {
    return this.#db.all<LayerRecord>(`SELECT * FROM layers WHERE chainId NOT IN (${REFERENCED_CHAINS}) ORDER BY createdMs DESC, chainId`).map((
      row,
    ) => ({ ...row }));
  }

  /** Forgets a layer if nothing refers to it now. The caller then removes the directory. */
  deleteUnreferenced(chainId: Digest): boolean {
    return this.#db.transaction(
      () => this.#db.run(`DELETE FROM layers WHERE chainId = ? AND chainId NOT IN (${REFERENCED_CHAINS})`, chainId) > 0,
      { durable: true },
    );
  }

  /** Every blob that an image or a lease holds; the content store may drop the others. */
  liveBlobs(): Set<Digest> {
    const rows = this.#db.all<{ digest: Digest }>("SELECT value AS digest FROM images, json_each(images.blobs) UNION SELECT digest FROM leaseDigests");
    return new Set(rows.map((row) => row.digest));
  }

  /** Takes a lease, or adds digests to one and moves its end. */
  lease(lease: Lease, digests: readonly Digest[]): void {
    this.#db.transaction(() => {
      this.#db.run(
        "INSERT INTO leases(id, ownerPid, ownerStartTime, bootId, expiresMs) VALUES (?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET expiresMs = excluded.expiresMs",
        lease.id,
        lease.ownerPid,
        lease.ownerStartTime,
        lease.bootId,
        lease.expiresMs,
      );
      for (const digest of digests) this.#db.run("INSERT OR IGNORE INTO leaseDigests(leaseId, digest) VALUES (?, ?)", lease.id, digest);
    });
  }

  releaseLease(id: string): boolean {
    return this.#db.run("DELETE FROM leases WHERE id = ?", id) > 0;
  }

  leases(): Lease[] {
    return this.#db.all<Lease>("SELECT * FROM leases ORDER BY id").map((row) => ({ ...row }));
  }

  /** Ends leases that have expired or whose owner is dead. Returns their ids. */
  expireLeases(nowMs: number, isAlive: (lease: Lease) => boolean): string[] {
    return this.#db.transaction(() => {
      const ended = this.leases().filter((lease) => lease.expiresMs <= nowMs || !isAlive(lease));
      for (const { id } of ended) this.releaseLease(id);
      return ended.map(({ id }) => id);
    });
  }
}

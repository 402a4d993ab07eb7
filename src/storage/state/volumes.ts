import { SampanError } from "../../base/errors.ts";
import type { ContainerId } from "../../base/ids.ts";
import type { StateDatabase } from "./database.ts";
import { labelConditions, labelsFromText, type LabelFilter } from "./json.ts";

export interface VolumeRecord {
  readonly name: string;
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** Where its content lies on the host. */
  readonly mountpoint: string;
  /** Made for one container, without a name of its own; goes with `rm -v` and `--rm`. */
  readonly anonymous: boolean;
  readonly createdMs: number;
}

type VolumeRow = Omit<VolumeRecord, "labels" | "options" | "anonymous"> & { readonly labels: string; readonly options: string; readonly anonymous: number };

export interface VolumeFilter {
  readonly labels?: readonly LabelFilter[];
  /** True: used by no container. */
  readonly dangling?: boolean;
  readonly anonymous?: boolean;
}

export class Volumes {
  readonly #db: StateDatabase;

  constructor(db: StateDatabase) {
    this.#db = db;
  }

  /**
   * Adds a volume unless there is one of that name, which is then returned with `created: false`, as Docker does.
   * The name has been checked: it becomes part of a path.
   */
  create(volume: VolumeRecord): { readonly volume: VolumeRecord; readonly created: boolean } {
    return this.#db.transaction(
      () => {
        const present = this.get(volume.name);
        if (present !== undefined) return { volume: present, created: false };
        this.#db.run(
          "INSERT INTO volumes(name, driver, labels, options, mountpoint, anonymous, createdMs) VALUES (?, ?, ?, ?, ?, ?, ?)",
          volume.name,
          volume.driver,
          JSON.stringify(volume.labels),
          JSON.stringify(volume.options),
          volume.mountpoint,
          volume.anonymous ? 1 : 0,
          volume.createdMs,
        );
        return { volume, created: true };
      },
      { durable: true },
    );
  }

  get(name: string): VolumeRecord | undefined {
    const row = this.#db.get<VolumeRow>("SELECT * FROM volumes WHERE name = ?", name);
    return row === undefined ? undefined : volumeOf(row);
  }

  /** @throws SampanError in Docker's words. */
  find(name: string): VolumeRecord {
    const volume = this.get(name);
    if (volume === undefined) throw noSuchVolume(name);
    return volume;
  }

  list(filter: VolumeFilter = {}): VolumeRecord[] {
    const { sql, values } = labelConditions(filter.labels ?? []);
    if (filter.dangling !== undefined) sql.push(`${filter.dangling ? "NOT " : ""}EXISTS(SELECT 1 FROM volumeUses WHERE volume = volumes.name)`);
    if (filter.anonymous !== undefined) sql.push(`anonymous = ${filter.anonymous ? 1 : 0}`);
    const where = sql.length === 0 ? "" : ` WHERE ${sql.join(" AND ")}`;
    return this.#db.all<VolumeRow>(`SELECT * FROM volumes${where} ORDER BY name`, ...values).map(volumeOf);
  }

  /** Says that a container mounts a volume; it holds until the container is removed. */
  use(name: string, containerId: ContainerId, target: string): void {
    this.#db.transaction(() => {
      this.find(name);
      this.#db.run("INSERT OR REPLACE INTO volumeUses(volume, containerId, target) VALUES (?, ?, ?)", name, containerId, target);
    });
  }

  /** The containers that mount it, running or not. */
  users(name: string): ContainerId[] {
    return this.#db.all<{ containerId: ContainerId }>("SELECT DISTINCT containerId FROM volumeUses WHERE volume = ? ORDER BY containerId", name).map((row) =>
      row.containerId);
  }

  /** The volumes that a container mounts. */
  usedBy(containerId: ContainerId): { volume: string; target: string }[] {
    return this.#db.all<{ volume: string; target: string }>("SELECT volume, target FROM volumeUses WHERE containerId = ? ORDER BY target", containerId).map((
      row,
    ) => ({ ...row }));
  }

  /** Forgets it; the caller then removes the content. @throws SampanError in Docker's words if it is not there or in use. */
  delete(name: string): VolumeRecord {
    return this.#db.transaction(
      () => {
        const volume = this.find(name);
        const users = this.users(name);
        if (users.length > 0) throw new SampanError("conflict", `remove ${name}: volume is in use - [${users.join(", ")}]`);
        this.#db.run("DELETE FROM volumes WHERE name = ?", name);
        return volume;
      },
      { durable: true },
    );
  }
}

function noSuchVolume(name: string): SampanError {
  return new SampanError("not-found", `get ${name}: no such volume`);
}

function volumeOf(row: VolumeRow): VolumeRecord {
  return { ...row, labels: labelsFromText(row.labels), options: labelsFromText(row.options), anonymous: row.anonymous !== 0 };
}

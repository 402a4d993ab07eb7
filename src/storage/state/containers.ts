import { SampanError } from "../../base/errors.ts";
import type { ContainerId } from "../../base/ids.ts";
import {
  defaultFields, recordOf, type ContainerFields, type ContainerRecord, type ContainerRow, type ContainerStatus, type NewContainer,
} from "./container-record.ts";
import type { StateDatabase } from "./database.ts";
import { labelConditions, placeholders, toSql, type LabelFilter } from "./json.ts";
import { ambiguousPrefix, prefixRange } from "./lookup.ts";
import { makeUpName } from "./names.ts";
import type { SqlValue } from "./sqlite.ts";

/** All conditions hold together; within one list any entry will do, but every label must be there. */
export interface ContainerFilter {
  readonly statuses?: readonly ContainerStatus[];
  readonly labels?: readonly LabelFilter[];
  readonly imageIds?: readonly string[];
  readonly volume?: string;
  readonly networkId?: string;
}

export interface TransitionOptions {
  readonly fields?: Partial<ContainerFields>;
  /** Only if nothing was changed since this revision was read. */
  readonly revision?: number;
}

/** Either the container as it is now, or why nothing happened. */
export type Transition =
  | { readonly moved: true; readonly container: ContainerRecord }
  | { readonly moved: false; readonly container: ContainerRecord | undefined };

/** Docker's rule for names of containers and volumes (moby: names.RestrictedNamePattern). */
export function isResourceName(name: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name);
}

export class Containers {
  readonly #db: StateDatabase;

  constructor(db: StateDatabase) {
    this.#db = db;
  }

  /**
   * Records a new container as "creating", and its name with it.
   *
   * @throws SampanError `conflict`, in Docker's words, if the name is taken; `invalid` if it is not a name.
   */
  reserve(wanted: NewContainer): ContainerRecord {
    return this.#db.transaction(() => {
      const { name: wantedName, config, ...given } = wanted;
      if (wantedName !== undefined) this.#checkName(wantedName);
      const name = wantedName ?? makeUpName((candidate) => this.#idOfName(candidate) !== undefined);
      const record: ContainerRecord = { ...defaultFields(), ...given, name, status: "creating", revision: 1 };
      const columns = Object.keys(record);
      this.#db.run(`INSERT INTO containers(${columns.join(", ")}) VALUES (${placeholders(columns.length)})`, ...Object.values(record).map(toSql));
      this.#db.run("INSERT INTO containerConfigs VALUES (?, ?)", record.id, config);
      return record;
    });
  }

  /** By full id, by name (with or without Docker's leading slash), by the beginning of an id, in this order. */
  find(nameOrId: string): ContainerRecord {
    if (nameOrId === "") throw new SampanError("invalid", `invalid name or ID supplied: ""`);
    const name = nameOrId.startsWith("/") ? nameOrId.slice(1) : nameOrId;
    const exact = this.#row("id = ?", nameOrId) ?? this.#row("name = ?", name);
    if (exact !== undefined) return recordOf(exact);
    const range = prefixRange(nameOrId);
    const rows = range === undefined ? [] : this.#db.all<ContainerRow>("SELECT * FROM containers WHERE id >= ? AND id < ? LIMIT 2", ...range);
    if (rows.length > 1) throw ambiguousPrefix(nameOrId);
    if (rows[0] === undefined) throw new SampanError("not-found", `No such container: ${nameOrId}`);
    return recordOf(rows[0]);
  }

  get(id: ContainerId): ContainerRecord | undefined {
    const row = this.#row("id = ?", id);
    return row === undefined ? undefined : recordOf(row);
  }

  /** The JSON that `reserve` or `setConfig` was given. */
  config(id: ContainerId): string {
    const row = this.#db.get<{ config: string }>("SELECT config FROM containerConfigs WHERE containerId = ?", id);
    if (row === undefined) throw new SampanError("not-found", `No such container: ${id}`);
    return row.config;
  }

  /** The JSON of every container, by id. */
  configs(): Map<ContainerId, string> {
    return new Map(this.#db.all<{ containerId: ContainerId; config: string }>("SELECT containerId, config FROM containerConfigs").map((row) => [
      row.containerId,
      row.config,
    ]));
  }

  setConfig(id: ContainerId, config: string): void {
    if (this.#db.run("UPDATE containerConfigs SET config = ? WHERE containerId = ?", config, id) === 0)
      throw new SampanError("not-found", `No such container: ${id}`);
  }

  /** Newest first, as `ps` shows them. */
  list(filter: ContainerFilter = {}): ContainerRecord[] {
    const conditions: string[] = [];
    const values: SqlValue[] = [];
    const oneOf = (column: string, wanted: readonly string[] | undefined): void => {
      if (wanted === undefined) return;
      conditions.push(`${column} IN (${placeholders(wanted.length)})`);
      values.push(...wanted);
    };
    oneOf("status", filter.statuses);
    oneOf("imageId", filter.imageIds);
    const labels = labelConditions(filter.labels ?? []);
    conditions.push(...labels.sql);
    values.push(...labels.values);
    if (filter.volume !== undefined) {
      conditions.push("id IN (SELECT containerId FROM volumeUses WHERE volume = ?)");
      values.push(filter.volume);
    }
    if (filter.networkId !== undefined) {
      conditions.push("id IN (SELECT containerId FROM endpoints WHERE networkId = ?)");
      values.push(filter.networkId);
    }
    const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
    return this.#db.all<ContainerRow>(`SELECT * FROM containers${where} ORDER BY createdMs DESC, id`, ...values).map(recordOf);
  }

  /** Changes anything but the status, unconditionally. Returns false if the container is gone. */
  update(id: ContainerId, fields: Partial<ContainerFields>): boolean {
    return this.#set(id, fields, "", []);
  }

  /**
   * Compare and set: from any of `from` to `to`, or nothing. Two processes that see a container end, or one that
   * stops it while another starts it, cannot both win.
   */
  transition(id: ContainerId, from: readonly ContainerStatus[], to: ContainerStatus, options: TransitionOptions = {}): Transition {
    return this.#db.transaction((): Transition => {
      const values: SqlValue[] = [...from];
      let condition = ` AND status IN (${placeholders(from.length)})`;
      if (options.revision !== undefined) {
        condition += " AND revision = ?";
        values.push(options.revision);
      }
      const moved = this.#set(id, { ...options.fields, status: to }, condition, values);
      const container = this.get(id);
      return moved && container !== undefined ? { moved, container } : { moved: false, container };
    });
  }

  /** @throws SampanError as `reserve`. */
  rename(id: ContainerId, name: string): void {
    this.#db.transaction(() => {
      this.#checkName(name);
      if (this.#db.run("UPDATE containers SET name = ?, revision = revision + 1 WHERE id = ?", name, id) === 0)
        throw new SampanError("not-found", `No such container: ${id}`);
    });
  }

  /** Forgets it, with its config, exec sessions, endpoints, addresses, ports and volume uses; not its kernel resources. */
  delete(id: ContainerId): boolean {
    return this.#db.run("DELETE FROM containers WHERE id = ?", id) > 0;
  }

  #set(id: ContainerId, fields: Partial<ContainerFields> & { readonly status?: ContainerStatus }, condition: string, values: readonly SqlValue[]): boolean {
    // Keys come from a typed object; one that is no column is SQLite's error.
    const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
    const assignments = entries.map(([column]) => `${column} = ?, `).join("");
    return this.#db.run(
      `UPDATE containers SET ${assignments}revision = revision + 1 WHERE id = ?${condition}`,
      ...entries.map(([, value]) => toSql(value)),
      id,
      ...values,
    ) > 0;
  }

  #row(condition: string, value: string): ContainerRow | undefined {
    return this.#db.get<ContainerRow>(`SELECT * FROM containers WHERE ${condition}`, value);
  }

  #idOfName(name: string): string | undefined {
    return this.#db.get<{ id: string }>("SELECT id FROM containers WHERE name = ?", name)?.id;
  }

  #checkName(name: string): void {
    if (!isResourceName(name)) throw new SampanError("invalid", `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
    const holder = this.#idOfName(name);
    if (holder === undefined) return;
    throw new SampanError("conflict", `Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`);
  }
}

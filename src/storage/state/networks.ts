import { SampanError } from "../../base/errors.ts";
import type { ContainerId } from "../../base/ids.ts";
import type { StateDatabase } from "./database.ts";
import { labelConditions, labelsFromText, type LabelFilter } from "./json.ts";
import { prefixRange } from "./lookup.ts";

export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  /** The bridge's interface name, unique on this host; null for drivers without one. */
  readonly bridge: string | null;
  /** Pools, options, flags: the engine's JSON. */
  readonly config: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdMs: number;
}

type NetworkRow = Omit<NetworkRecord, "labels"> & { readonly labels: string };

export interface NetworkFilter {
  readonly drivers?: readonly string[];
  readonly labels?: readonly LabelFilter[];
}

/** What an allocator sees of one pool, and what it answers. */
export interface AddressLedger {
  readonly leases: readonly string[];
  /** What was handed out last, if anything was. */
  readonly cursor?: string;
}

/** Networks and the addresses leased on them. */
export class Networks {
  readonly #db: StateDatabase;

  constructor(db: StateDatabase) {
    this.#db = db;
  }

  /**
   * Whether subnets overlap is for the caller to find out, in the same transaction.
   * @throws SampanError `already-exists`, in Docker's words, if the name or the bridge is taken.
   */
  create(network: NetworkRecord): void {
    this.#db.transaction(
      () => {
        if (this.#db.get("SELECT 1 FROM networks WHERE name = ?", network.name) !== undefined) {
          throw new SampanError("already-exists", `network with name ${network.name} already exists`);
        }
        const holder = this.#db.get<{ name: string }>("SELECT name FROM networks WHERE bridge = ?", network.bridge);
        if (holder !== undefined)
          throw new SampanError(
            "already-exists",
            `Cannot create network "${network.name}": network "${holder.name}" has the bridge "${network.bridge ?? ""}" already`,
          );
        this.#db.run(
          "INSERT INTO networks(id, name, driver, bridge, config, labels, createdMs) VALUES (?, ?, ?, ?, ?, ?, ?)",
          network.id,
          network.name,
          network.driver,
          network.bridge,
          network.config,
          JSON.stringify(network.labels),
          network.createdMs,
        );
      },
      { durable: true },
    );
  }

  get(id: string): NetworkRecord | undefined {
    const row = this.#db.get<NetworkRow>("SELECT * FROM networks WHERE id = ?", id);
    return row === undefined ? undefined : networkOf(row);
  }

  /** @throws nothing: false if there is no such network. */
  setConfig(id: string, config: string): boolean {
    return this.#db.run("UPDATE networks SET config = ? WHERE id = ?", config, id) > 0;
  }

  named(name: string): NetworkRecord | undefined {
    const row = this.#db.get<NetworkRow>("SELECT * FROM networks WHERE name = ?", name);
    return row === undefined ? undefined : networkOf(row);
  }

  /** By full id, by name, by the beginning of an id, in this order. */
  find(nameOrId: string): NetworkRecord {
    const exact = this.get(nameOrId);
    if (exact !== undefined) return exact;
    const named = this.named(nameOrId);
    if (named !== undefined) return named;
    const range = prefixRange(nameOrId);
    const rows = range === undefined ? [] : this.#db.all<NetworkRow>("SELECT * FROM networks WHERE id >= ? AND id < ? LIMIT 2", ...range);
    if (rows.length > 1) throw new SampanError("invalid", `network ${nameOrId} is ambiguous (2 matches found based on ID prefix)`);
    if (rows[0] === undefined) throw new SampanError("not-found", `network ${nameOrId} not found`);
    return networkOf(rows[0]);
  }

  list(filter: NetworkFilter = {}): NetworkRecord[] {
    const { sql, values } = labelConditions(filter.labels ?? []);
    const where = sql.length === 0 ? "" : ` WHERE ${sql.join(" AND ")}`;
    const rows = this.#db.all<NetworkRow>(`SELECT * FROM networks${where} ORDER BY createdMs, name`, ...values).map(networkOf);
    return filter.drivers === undefined ? rows : rows.filter((row) => filter.drivers?.includes(row.driver));
  }

  /**
   * Removes a network that no running container is on, with what stopped ones had there.
   * @throws SampanError `conflict`, in Docker's words, while somebody is on it.
   */
  delete(id: string): boolean {
    return this.#db.transaction(
      () => {
        const users = this.#db.all<{ name: string; endpoint: string }>(
          "SELECT containers.name AS name, endpoints.id AS endpoint FROM endpoints JOIN containers ON containers.id = containerId WHERE networkId = ? AND active = 1 ORDER BY name",
          id,
        );
        if (users.length > 0) {
          const name = this.get(id)?.name ?? id;
          const list = users.map((user) => `name:"${user.name}" id:"${user.endpoint.slice(0, 12)}"`).join(", ");
          throw new SampanError("conflict", `error while removing network: network ${name} has active endpoints (${list})`, {
            hint: `sampan network disconnect -f ${name} ${users[0]?.name ?? ""}`,
          });
        }
        return this.#db.run("DELETE FROM networks WHERE id = ?", id) > 0;
      },
      { durable: true },
    );
  }

  /**
   * Leases an address in one transaction: `choose` sees what is taken and where the last search ended, and picks.
   * `pool` names the cursor, commonly the subnet. Returns what `choose` returned.
   *
   * @throws SampanError whatever `choose` throws (a full network); `conflict` if it picks a taken address.
   */
  leaseAddress<T extends { readonly address: string; readonly cursor?: string | undefined }>(
    networkId: string,
    containerId: ContainerId,
    pool: string,
    choose: (ledger: AddressLedger) => T,
  ): T {
    // Assigned by the transaction, which has run when this is read.
    let answer!: T;
    this.#db.transaction(() => {
      const cursor = this.#db.get<{ address: string }>("SELECT address FROM addressCursors WHERE networkId = ? AND pool = ?", networkId, pool)?.address;
      const leases = this.addresses(networkId).map(({ address }) => address);
      const chosen = choose(cursor === undefined ? { leases } : { leases, cursor });
      if (leases.includes(chosen.address)) throw new SampanError("conflict", `Address already in use: ${chosen.address}`);
      this.#db.run("INSERT INTO addresses(networkId, address, containerId) VALUES (?, ?, ?)", networkId, chosen.address, containerId);
      if (chosen.cursor !== undefined)
        this.#db.run("INSERT OR REPLACE INTO addressCursors(networkId, pool, address) VALUES (?, ?, ?)", networkId, pool, chosen.cursor);
      answer = chosen;
    });
    return answer;
  }

  addresses(networkId: string): { address: string; containerId: ContainerId }[] {
    return this.#db.all<{ address: string; containerId: ContainerId }>("SELECT address, containerId FROM addresses WHERE networkId = ?", networkId).map((
      row,
    ) => ({ ...row }));
  }

  /** Gives back a container's addresses, on all networks or on one. */
  releaseAddresses(containerId: ContainerId, networkId?: string): void {
    if (networkId === undefined) this.#db.run("DELETE FROM addresses WHERE containerId = ?", containerId);
    else this.#db.run("DELETE FROM addresses WHERE containerId = ? AND networkId = ?", containerId, networkId);
  }
}

function networkOf(row: NetworkRow): NetworkRecord {
  return { ...row, labels: labelsFromText(row.labels) };
}

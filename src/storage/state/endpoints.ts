import type { ContainerId } from "../../base/ids.ts";
import type { StateDatabase } from "./database.ts";
import { listFromText, toSql } from "./json.ts";

/** A container on a network: wished for while it is stopped, active while it runs. */
export interface EndpointRecord {
  readonly id: string;
  readonly networkId: string;
  readonly containerId: ContainerId;
  /** Whether interface and addresses exist now. */
  readonly active: boolean;
  /** Inside: "eth0". */
  readonly interfaceName: string | null;
  /** The veth's end on the host. */
  readonly hostInterface: string | null;
  readonly macAddress: string | null;
  /** Without prefix length. */
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  readonly aliases: readonly string[];
  /** What was asked for (fixed addresses, options): the engine's JSON. */
  readonly config: string;
}

/** An active endpoint with its container's name. */
export interface MemberRecord {
  readonly networkId: string;
  readonly containerId: ContainerId;
  readonly id: string;
  readonly name: string;
  readonly hostInterface: string | null;
  readonly macAddress: string | null;
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  readonly aliases: readonly string[];
}

type EndpointRow = Omit<EndpointRecord, "active" | "aliases"> & { readonly active: number; readonly aliases: string };

export class Endpoints {
  readonly #db: StateDatabase;

  constructor(db: StateDatabase) {
    this.#db = db;
  }

  /** Adds it, or replaces the container's endpoint on that network. */
  put(endpoint: EndpointRecord): void {
    const { networkId, containerId, id, active, interfaceName, hostInterface, macAddress, ipv4, ipv6, aliases, config } = endpoint;
    this.#db.run(
      `INSERT OR REPLACE INTO endpoints(networkId, containerId, id, active, interfaceName, hostInterface, macAddress, ipv4, ipv6, aliases, config)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[networkId, containerId, id, active, interfaceName, hostInterface, macAddress, ipv4, ipv6, aliases, config].map(toSql),
    );
  }

  get(networkId: string, containerId: ContainerId): EndpointRecord | undefined {
    const row = this.#db.get<EndpointRow>("SELECT * FROM endpoints WHERE networkId = ? AND containerId = ?", networkId, containerId);
    return row === undefined ? undefined : endpointOf(row);
  }

  ofContainer(containerId: ContainerId): EndpointRecord[] {
    return this.#db.all<EndpointRow>("SELECT * FROM endpoints WHERE containerId = ? ORDER BY interfaceName, networkId", containerId).map(endpointOf);
  }

  ofNetwork(networkId: string): EndpointRecord[] {
    return this.#db.all<EndpointRow>("SELECT * FROM endpoints WHERE networkId = ? ORDER BY containerId", networkId).map(endpointOf);
  }

  /** All that is active, on every network, in one query: hosts files and rules are made from it. */
  active(): MemberRecord[] {
    return this.#db
      .all<Omit<MemberRecord, "aliases"> & { readonly aliases: string }>(
        `SELECT networkId, containerId, endpoints.id AS id, name, hostInterface, macAddress, ipv4, ipv6, aliases
         FROM endpoints JOIN containers ON containers.id = containerId WHERE active = 1 ORDER BY networkId, containers.createdMs, containerId`,
      )
      .map((row) => ({ ...row, aliases: listFromText(row.aliases) }));
  }

  /** The container has stopped: what was asked for stays. */
  deactivate(containerId: ContainerId): void {
    this.#db.run(
      "UPDATE endpoints SET active = 0, interfaceName = NULL, hostInterface = NULL, macAddress = NULL, ipv4 = NULL, ipv6 = NULL WHERE containerId = ?",
      containerId,
    );
  }

  delete(networkId: string, containerId: ContainerId): boolean {
    return this.#db.run("DELETE FROM endpoints WHERE networkId = ? AND containerId = ?", networkId, containerId) > 0;
  }
}

function endpointOf(row: EndpointRow): EndpointRecord {
  return { ...row, active: row.active !== 0, aliases: listFromText(row.aliases) };
}

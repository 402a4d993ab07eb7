import { SampanError } from "../../base/errors.ts";
import type { ContainerId } from "../../base/ids.ts";
import type { StateDatabase } from "./database.ts";

export interface PortLease {
  readonly protocol: "tcp" | "udp" | "sctp";
  /** "" is every address of the host; otherwise in canonical form. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly containerId: ContainerId;
}

/** Which host ports containers have been given. What other programs listen on is not known here. */
export class Ports {
  readonly #db: StateDatabase;

  constructor(db: StateDatabase) {
    this.#db = db;
  }

  /** @throws SampanError `conflict`, with Docker's words and the holder's name, if one of them is taken. */
  lease(ports: readonly PortLease[]): void {
    this.#db.transaction(() => {
      for (const port of ports) {
        const holder = this.#db
          .all<PortLease & { name: string }>("SELECT ports.*, name FROM ports JOIN containers ON containers.id = containerId WHERE protocol = ? AND hostPort = ?", port.protocol, port.hostPort)
          .find((held) => overlap(held.hostIp, port.hostIp));
        if (holder !== undefined) {
          const where = port.hostIp.includes(":") ? `[${port.hostIp}]` : port.hostIp || "0.0.0.0";
          throw new SampanError("conflict", `Bind for ${where}:${port.hostPort} failed: port is already allocated to container "${holder.name}"`);
        }
        this.#db.run(
          "INSERT INTO ports(protocol, hostPort, hostIp, containerPort, containerId) VALUES (?, ?, ?, ?, ?)",
          port.protocol,
          port.hostPort,
          port.hostIp,
          port.containerPort,
          port.containerId,
        );
      }
    });
  }

  list(containerId?: ContainerId): PortLease[] {
    const columns = "SELECT protocol, hostIp, hostPort, containerPort, containerId FROM ports";
    const order = "ORDER BY containerPort, protocol, hostPort, hostIp";
    const rows = containerId === undefined
      ? this.#db.all<PortLease>(`${columns} ${order}`)
      : this.#db.all<PortLease>(`${columns} WHERE containerId = ? ${order}`, containerId);
    return rows.map((row) => ({ ...row }));
  }

  release(containerId: ContainerId): void {
    this.#db.run("DELETE FROM ports WHERE containerId = ?", containerId);
  }
}

/** Whether two addresses cannot both have one port: equal, or one of them stands for all of its family (or of both). */
function overlap(a: string, b: string): boolean {
  if (a === "" || b === "" || a === b) return true;
  if (a.includes(":") !== b.includes(":")) return false;
  const all = a.includes(":") ? "::" : "0.0.0.0";
  return a === all || b === all;
}

import { Containers } from "./containers.ts";
import type { StateDatabase, TransactionOptions } from "./database.ts";
import { Endpoints } from "./endpoints.ts";
import { Events } from "./events.ts";
import { Execs } from "./execs.ts";
import { Images } from "./images.ts";
import { Layers } from "./layers.ts";
import { Networks } from "./networks.ts";
import { Ports } from "./ports.ts";
import { Resources } from "./resources.ts";
import { Volumes } from "./volumes.ts";

/**
 * All that Sampan remembers, shared by every process that has it open. Methods are synchronous: a transaction is over
 * before anybody else in this process can see it.
 */
export class StateStore implements Disposable {
  readonly path: string;
  readonly containers: Containers;
  readonly execs: Execs;
  readonly resources: Resources;
  readonly images: Images;
  readonly layers: Layers;
  readonly networks: Networks;
  readonly endpoints: Endpoints;
  readonly ports: Ports;
  readonly volumes: Volumes;
  readonly events: Events;
  readonly #db: StateDatabase;

  constructor(db: StateDatabase) {
    this.#db = db;
    this.path = db.path;
    this.containers = new Containers(db);
    this.execs = new Execs(db);
    this.resources = new Resources(db);
    this.images = new Images(db);
    this.layers = new Layers(db);
    this.networks = new Networks(db);
    this.endpoints = new Endpoints(db);
    this.ports = new Ports(db);
    this.volumes = new Volumes(db);
    this.events = new Events(db);
  }

  /** Everything that `work` does to this store, or, when it throws, nothing of it. `work` cannot wait (no promise). May be nested. */
  transaction<T>(work: () => T extends PromiseLike<unknown> ? never : T, options?: TransactionOptions): T {
    return this.#db.transaction(work, options);
  }

  /** A number that changes whenever another process has committed something. */
  dataVersion(): number {
    return this.#db.dataVersion();
  }

  /** What SQLite finds wrong in the file; empty if nothing is. Reads all of it. */
  integrityProblems(): string[] {
    const rows = this.#db.all<{ integrity_check: string }>("PRAGMA integrity_check").map((row) => row.integrity_check);
    return rows.length === 1 && rows[0] === "ok" ? [] : rows;
  }

  /** Idempotent. To be called before the process ends. */
  close(): void {
    this.#db.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

import { existsSync } from "node:fs";
import { Connection, DbusError } from "../dbus/index.ts";
import type { Property } from "./properties.ts";

const MANAGER = { destination: "org.freedesktop.systemd1", path: "/org/freedesktop/systemd1", interface: "org.freedesktop.systemd1.Manager" };
const BUS = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };
const BUS_SOCKET = "/run/dbus/system_bus_socket";
/** systemd listens itself, for root, where there is no bus. */
const PRIVATE_SOCKET = "/run/systemd/private";

const isError = (error: unknown, name: string): boolean => error instanceof DbusError && error.code === `org.freedesktop.systemd1.${name}`;

/** systemd's manager of units (org.freedesktop.systemd1(5)). */
export class Manager implements Disposable {
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  static async connect(): Promise<Manager> {
    const bus = existsSync(BUS_SOCKET);
    const connection = await Connection.open(bus ? BUS_SOCKET : PRIVATE_SOCKET);
    if (bus) {
      await connection.call(BUS, "Hello");
      await connection.call(BUS, "AddMatch", "s", [`type='signal',interface='${MANAGER.interface}',member='JobRemoved'`]);
      await connection.call(MANAGER, "Subscribe");
    }
    return new Manager(connection);
  }

  /** Does what starts a job for a unit, and waits until there is none: "done", or how else it ended. */
  async #job(unit: string, start: () => Promise<readonly unknown[]>): Promise<string> {
    const ended = this.#connection.signal("JobRemoved", ([, , name]) => name === unit);
    ended.catch(() => undefined); // thrown where it is awaited
    await start();
    return String((await ended)[3]);
  }

  /** A unit that is no file: it goes when its last process does. */
  async start(unit: string, properties: readonly Property[]): Promise<void> {
    const begin = (): Promise<string> =>
      this.#job(unit, () => this.#connection.call(MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", [unit, "replace", properties, []]));
    let result: string;
    try {
      result = await begin();
    } catch (error) {
      if (!isError(error, "UnitExists")) throw error;
      // One that failed keeps its name until somebody has seen it.
      await this.forget(unit);
      result = await begin();
    }
    if (result !== "done") throw new DbusError("unavailable", `Cannot start unit "${unit}": its job ended as "${result}"`);
  }

  async stop(unit: string): Promise<void> {
    try {
      await this.#job(unit, () => this.#connection.call(MANAGER, "StopUnit", "ss", [unit, "replace"]));
    } catch (error) {
      if (!isError(error, "NoSuchUnit")) throw error;
    }
    await this.forget(unit);
  }

  async forget(unit: string): Promise<void> {
    try {
      await this.#connection.call(MANAGER, "ResetFailedUnit", "s", [unit]);
    } catch (error) {
      if (!isError(error, "NoSuchUnit")) throw error;
    }
  }

  /** Until the unit ends, not for ever. */
  async set(unit: string, properties: readonly Property[]): Promise<void> {
    if (properties.length > 0) await this.#connection.call(MANAGER, "SetUnitProperties", "sba(sv)", [unit, true, properties]);
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }
}

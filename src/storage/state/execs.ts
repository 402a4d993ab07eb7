import { SampanError } from "../../base/errors.ts";
import type { ContainerId } from "../../base/ids.ts";
import type { StateDatabase } from "./database.ts";

/** One `exec` in a container. It goes with the container. */
export interface ExecRecord {
  readonly id: string;
  readonly containerId: ContainerId;
  /** The engine's JSON: command, user, tty… */
  readonly config: string;
  readonly createdMs: number;
  readonly pid: number | null;
  readonly pidStartTime: number | null;
  readonly monitorPid: number | null;
  readonly monitorStartTime: number | null;
  readonly finishedMs: number | null;
  /** null while it runs. */
  readonly exitCode: number | null;
}

export type NewExec = Pick<ExecRecord, "id" | "containerId" | "config" | "createdMs">;

export class Execs {
  readonly #db: StateDatabase;

  constructor(db: StateDatabase) {
    this.#db = db;
  }

  add(exec: NewExec): void {
    this.#db.run("INSERT INTO execs(id, containerId, config, createdMs) VALUES (?, ?, ?, ?)", exec.id, exec.containerId, exec.config, exec.createdMs);
  }

  /** @throws SampanError in Docker's words. */
  get(id: string): ExecRecord {
    const row = this.#db.get<ExecRecord>("SELECT * FROM execs WHERE id = ?", id);
    if (row === undefined) throw new SampanError("not-found", `No such exec instance: ${id}`);
    return { ...row };
  }

  list(containerId: ContainerId): ExecRecord[] {
    return this.#db.all<ExecRecord>("SELECT * FROM execs WHERE containerId = ? ORDER BY createdMs, rowid", containerId).map((row) => ({ ...row }));
  }

  started(id: string, process: Pick<ExecRecord, "pid" | "pidStartTime" | "monitorPid" | "monitorStartTime">): void {
    this.#db.run(
      "UPDATE execs SET pid = ?, pidStartTime = ?, monitorPid = ?, monitorStartTime = ? WHERE id = ?",
      process.pid,
      process.pidStartTime,
      process.monitorPid,
      process.monitorStartTime,
      id,
    );
  }

  /** The first report counts: false if there was one, or if exec or container are gone. */
  finished(id: string, exitCode: number, finishedMs: number): boolean {
    return this.#db.run("UPDATE execs SET exitCode = ?, finishedMs = ? WHERE id = ? AND exitCode IS NULL", exitCode, finishedMs, id) > 0;
  }

  /** False if it was gone already. */
  delete(id: string): boolean {
    return this.#db.run("DELETE FROM execs WHERE id = ?", id) > 0;
  }
}

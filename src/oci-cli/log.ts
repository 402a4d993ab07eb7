import { appendFileSync } from "node:fs";
import { SampanError, errnoOf } from "../base/errors.ts";
import { print } from "./io.ts";

export type Level = "debug" | "info" | "warning" | "error";

/** The log file that engines read the reason of a failure from, in the two formats of logrus, which is what they parse. */
export class Log {
  file: string | undefined;

  /** A caller that looks into a log which cannot be written would never learn what failed: it is told at once, as by runc. */
  open(file: string): void {
    try {
      if (file !== "") appendFileSync(file, "", { mode: 0o644 });
    } catch (error) {
      throw new SampanError(
        "unavailable",
        `Cannot write the log "${file}": ${errnoOf(error) === "ENOENT" ? "no such file or directory" : String(errnoOf(error))}`,
        { cause: error },
      );
    }
    this.file = file;
  }

  format: "text" | "json" = "text";
  debug = false;

  /** One entry; a log that cannot be written is no reason to fail. Says whether it went to the file. */
  write(level: Level, msg: string): boolean {
    if (level === "debug" && !this.debug) return false;
    const time = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    const line = this.format === "json" ? JSON.stringify({ level, msg, time }) : `time="${time}" level=${level} msg=${JSON.stringify(msg)}`;
    if (this.file === undefined || this.file === "") {
      // Who calls prints an error's sentence; with --debug the whole log is there.
      if (level !== "error" || this.debug) print(2, `${line}\n`);
      return false;
    }
    try {
      appendFileSync(this.file, `${line}\n`, { mode: 0o644 });
      return true;
    } catch (error) {
      print(2, `Cannot write the log "${this.file}": ${String(error)}\n`);
      return false;
    }
  }
}

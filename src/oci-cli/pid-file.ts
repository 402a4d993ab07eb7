import { renameSync, writeFileSync } from "node:fs";
import { SampanError, errnoOf } from "../base/errors.ts";

/** The pid in decimal and nothing else: engines read it so. It appears whole. */
export function writePidFile(path: string, pid: number): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, String(pid), { mode: 0o644 });
    renameSync(temporary, path);
  } catch (error) {
    throw new SampanError(
      "unavailable",
      `Cannot write the pid file "${path}": ${errnoOf(error) === "ENOENT" ? "no such file or directory" : String(errnoOf(error))}`,
      { code: errnoOf(error), cause: error },
    );
  }
}

/** Writes the pid down as soon as `find` knows it, while the program runs. Gives whether it came to that before all was over. */
export async function writeWhenKnown(
  find: () => number | undefined,
  write: (pid: number) => Promise<void> | void,
  finished: Promise<unknown>,
): Promise<boolean> {
  let over = false;
  const end = (): void => { over = true; };
  finished.then(end, end);
  for (;;) {
    const pid = find();
    if (pid !== undefined) {
      await write(pid);
      return true;
    }
    if (over) return false;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

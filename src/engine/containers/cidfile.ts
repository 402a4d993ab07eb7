import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import { SampanError, errnoOf } from "../../base/errors.ts";

export interface Cidfile {
  write(id: string): void;
  /** There is no container after all. */
  discard(): void;
}

/** Takes the place of an id's file; the id is written when the container is recorded. Throws in Docker's words if there is one. */
export function openCidfile(path: string): Cidfile {
  let file: number;
  try {
    file = openSync(path, "wx", 0o644);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EEXIST")
      throw new SampanError("conflict", `Container ID file found, make sure the other container isn't running or delete ${path}`, {
        code: errno,
        exitCode: 125,
        cause: error,
      });
    throw new SampanError("unavailable", `Cannot write the container's id to "${path}": ${errno ?? String(error)}`, {
      code: errno,
      exitCode: 125,
      cause: error,
    });
  }
  return {
    write(id) {
      writeSync(file, id);
      closeSync(file);
    },
    discard() {
      closeSync(file);
      unlinkSync(path);
    },
  };
}

import { SampanError, errnoOf } from "../../base/errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on device",
  EDQUOT: "the disk quota is used up",
  EROFS: "the store's filesystem is read-only",
  EIO: "the disk has an error",
  EMFILE: "too many open files",
};

/** Runs `work`; what the disk refuses becomes one sentence about what was to be done. `what` follows "Cannot": `pull "nginx"`. */
export async function onDisk<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(what, error);
  }
}

/** As `onDisk`, for what is read piece by piece. */
export async function* streamOnDisk<T>(what: string, source: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* source;
  } catch (error) {
    throw diskError(what, error);
  }
}

function diskError(what: string, error: unknown): unknown {
  const errno = errnoOf(error) ?? "";
  const reason = REASONS[errno];
  if (reason === undefined) return error;
  const hint = errno === "ENOSPC" || errno === "EDQUOT" ? "Free some with: sampan system prune, or put the store elsewhere with --root" : undefined;
  return new SampanError("unavailable", `Cannot ${what}: ${reason}`, { code: errno, hint, cause: error });
}

import type { Progress, Streams } from "../../../engine/api.ts";
import type { Io } from "../../io.ts";
import { SampanError, errnoOf, messageOf } from "../../../base/errors.ts";
import { createProgressPrinter } from "../../output/progress.ts";

/** This process's descriptors for what is attached. */
export function streamsOf(attached: readonly ("stdin" | "stdout" | "stderr")[]): Streams {
  return {
    stdin: attached.includes("stdin") ? 0 : undefined,
    stdout: attached.includes("stdout") ? 1 : undefined,
    stderr: attached.includes("stderr") ? 2 : undefined,
  };
}

/** A terminal for a container is the caller's terminal: what comes from a pipe cannot be one. */
export function requireTerminal(io: Io): void {
  if (!io.isTerminal(0))
    throw new SampanError("invalid", "cannot attach stdin to a TTY-enabled container because stdin is not a terminal: the input device is not a TTY", {
      exitCode: 1,
      hint: "Leave out -t to pass standard input through as it is.",
    });
}

/** Draws progress on descriptor 1 or 2, or nowhere when `quiet`. */
export function progressOn(io: Io, descriptor: 1 | 2, quiet: boolean): { readonly onProgress: ((progress: Progress) => void) | undefined; finish(): void } {
  if (quiet) return { onProgress: undefined, finish() {} };
  const printer = createProgressPrinter(
    { isTerminal: io.isTerminal(descriptor), columns: io.isTerminal(descriptor) ? io.columns() : 0, rows: io.isTerminal(descriptor) ? io.rows() : 0, write: (text) => (descriptor === 1 ? io.out(text) : io.err(text)) },
    () => io.nowMs(),
  );
  return { onProgress: (progress) => printer.update(progress), finish: () => printer.finish() };
}

/** As `progressOn` on standard error, loaded by the first thing there is to show: most runs pull nothing. */
export function lazyProgress(io: Io, quiet: boolean): { readonly onProgress: ((progress: Progress) => void) | undefined; finish(): void } {
  if (quiet) return { onProgress: undefined, finish() {} };
  let drawn: ReturnType<typeof progressOn> | undefined;
  return {
    onProgress: (progress) => (drawn ??= progressOn(io, 2, false)).onProgress?.(progress),
    finish: () => drawn?.finish(),
  };
}

/** Writes `data` to a file that appears only when it is whole, or to standard output, which must not be a terminal. */
export async function writeStream(io: Io, path: string | undefined, data: AsyncIterable<Uint8Array>): Promise<void> {
  if (path === undefined || path === "") {
    if (io.isTerminal(1)) throw new SampanError("invalid", "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    for await (const chunk of data) io.out(chunk);
    return;
  }
  const { open, rename, rm, lstat } = await import("node:fs/promises");
  const existing = await lstat(path).catch(() => undefined);
  // A device or FIFO is written to as it is; a directory fails with its own errno.
  const target = existing === undefined || existing.isFile() ? `${path}.${process.pid}.tmp` : path;
  const write = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      throw cannotWrite(path, error);
    }
  };
  try {
    await using file = await open(target, target === path ? "w" : "wx", 0o600).catch((error: unknown) => { throw cannotWrite(path, error); });
    for await (const chunk of data) await write(() => file.writeFile(chunk));
    if (target !== path) await write(() => rename(target, path));
  } catch (error) {
    if (target !== path) await rm(target, { force: true });
    throw error;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EDQUOT: "the disk quota is used up",
  EISDIR: "it is a directory",
  ENOENT: "its directory does not exist",
  ENOSPC: "no space left on device",
  ENOTDIR: "its directory does not exist",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
};

function cannotWrite(path: string, error: unknown): SampanError {
  const errno = errnoOf(error) ?? "";
  return new SampanError(errno === "EACCES" || errno === "EPERM" ? "denied" : "unavailable", `Cannot write "${path}": ${REASONS[errno] ?? messageOf(error)}`, {
    code: errno,
    cause: error,
  });
}

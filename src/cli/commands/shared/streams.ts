import type { Progress, Streams } from "../../../engine/api.ts";
import type { Io } from "../../io.ts";
import { SampanError } from "../../../base/errors.ts";
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
  if (!io.isTerminal(0)) throw new SampanError("invalid", "cannot attach stdin to a TTY-enabled container because stdin is not a terminal: the input device is not a TTY", { exitCode: 1, hint: "Leave out -t to pass standard input through as it is." });
}

/** Draws progress on descriptor 1 or 2, or nowhere when `quiet`. */
export function progressOn(io: Io, descriptor: 1 | 2, quiet: boolean): { readonly onProgress: ((progress: Progress) => void) | undefined; finish(): void } {
  if (quiet) return { onProgress: undefined, finish() {} };
  const printer = createProgressPrinter(
    { isTerminal: io.isTerminal(descriptor), columns: io.isTerminal(descriptor) ? io.columns() : 0, write: (text) => (descriptor === 1 ? io.out(text) : io.err(text)) },
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
  if (existing !== undefined && !existing.isFile()) {
    // A device or FIFO is written to as it is; a directory fails with its own errno.
    await using file = await open(path, "w");
    for await (const chunk of data) await file.write(chunk);
    return;
  }
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await using file = await open(temporary, "wx", 0o600);
    for await (const chunk of data) await file.write(chunk);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

import { createReadStream, existsSync, mkdirSync, openSync, readdirSync, rmSync, statSync, closeSync, writeSync } from "node:fs";
import { SampanError, errnoOf } from "../../base/errors.ts";
import { createId } from "../../base/ids.ts";
import { decompress, detectCompression } from "../../storage/compression/index.ts";
import type { CopySource, WithProgress } from "../api.ts";
import type { EngineContext } from "../context.ts";
import { decompressOnHost } from "./host-decompressor.ts";

/** The bytes of a file or stream, decompressed. */
export function openSource(source: CopySource, what: string): AsyncIterable<Uint8Array> {
  return decompress("path" in source ? readFileStream(source.path, what) : source.archive, { foreign: decompressOnHost });
}

/** What is at a URL, decompressed. */
export async function* openUrl(url: string, what: string, { signal, onProgress }: WithProgress): AsyncGenerator<Uint8Array> {
  const { download } = await import("../../registry/index.ts");
  onProgress?.({ status: `Downloading from ${url}` });
  const bytes = download(url, {
    operation: { verb: what, name: url }, env: process.env, signal,
    onProgress: (currentBytes, totalBytes) => onProgress?.({ id: "import", status: "Downloading", currentBytes, totalBytes: totalBytes ?? 0 }),
  });
  yield* decompress(bytes, { foreign: decompressOnHost });
}

/** Throws "not-found" and the like with the name that the person gave. */
async function* readFileStream(path: string, what: string): AsyncGenerator<Uint8Array> {
  try {
    // No encoding: Buffers.
    yield* createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>;
  } catch (error) {
    throw fileError(path, what, error);
  }
}

function fileError(path: string, what: string, error: unknown): unknown {
  switch (errnoOf(error)) {
    case "ENOENT":
      return new SampanError("not-found", `Cannot ${what} "${path}": no such file or directory`, { cause: error });
    case "EACCES":
      return new SampanError("denied", `Cannot ${what} "${path}": permission denied`, { cause: error });
    case "EISDIR":
      return new SampanError("invalid", `Cannot ${what} "${path}": it is a directory`, { cause: error, hint: `Pack it first: tar -C ${path} -c . | sampan import - NAME` });
    default:
      return error;
  }
}

/**
 * What is wrong in the bytes of an archive, with the name that the person gave it ("-" is standard input), which whoever reads bytes
 * does not know. `what` is "load archive" or "import".
 */
export function aboutArchive(error: unknown, what: string, name: string): unknown {
  if (!(error instanceof SampanError)) return error;
  const reason = /^Cannot (?:read tar archive|decompress): (.*)$/s.exec(error.message)?.[1];
  if (reason === undefined) return error;
  const { kind, code, hint } = error;
  return new SampanError(kind, `Cannot ${what} ${name === "-" ? "from standard input" : JSON.stringify(name)}: ${reason}`, { code, hint, cause: error });
}

/** An archive as an uncompressed file that can be read anywhere. */
export interface SeekableArchive extends Disposable {
  readonly path: string;
  /** As the person knows it, for messages. */
  readonly name: string;
}

/** The file itself where it will do; else its content in a file of ours that has no name, so that no crash leaves it behind. */
export async function seekable(context: EngineContext, source: CopySource, what: string, signal?: AbortSignal): Promise<SeekableArchive> {
  if ("path" in source) {
    const stat = statOf(source.path, what);
    if (stat.isFile() && isUncompressed(source.path)) return { path: source.path, name: source.path, [Symbol.dispose]() {} };
  }
  const directory = scratchDirectory(context);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = `${directory}/${createId()}`;
  const fd = openSync(path, "wx+", 0o600);
  try {
    rmSync(path, { force: true }); // by then a sweep may have done it
    for await (const chunk of openSource(source, what)) {
      signal?.throwIfAborted();
      for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { path: `/proc/self/fd/${fd}`, name: "path" in source ? source.path : "-", [Symbol.dispose]() { closeSync(fd); } };
}

function scratchDirectory({ paths }: EngineContext): string {
  return `${paths.root}/tmp`;
}

/** Files that their makers were killed before they took the name away. Nobody needs a name in there. */
export function sweepScratch(context: EngineContext): void {
  const directory = scratchDirectory(context);
  if (existsSync(directory)) for (const name of readdirSync(directory)) rmSync(`${directory}/${name}`, { force: true });
}

function statOf(path: string, what: string): ReturnType<typeof statSync> & {} {
  try {
    return statSync(path);
  } catch (error) {
    throw fileError(path, what, error);
  }
}

function isUncompressed(path: string): boolean {
  const { readSync } = process.getBuiltinModule("node:fs");
  const head = Buffer.alloc(6);
  const fd = openSync(path, "r");
  try {
    return detectCompression(head.subarray(0, readSync(fd, head, 0, 6, 0))) === "none";
  } finally {
    closeSync(fd);
  }
}

/** True for a directory: an OCI layout. */
export function isDirectory(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

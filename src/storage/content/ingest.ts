import { closeSync, ftruncateSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { createDigestHash, digestAlgorithm, finishDigest, type Digest } from "../../oci/digest.ts";
import { SampanError } from "../../base/index.ts";
import type { FileLock } from "./lock.ts";
import type { StorePaths } from "./paths.ts";

/**
 * One blob being received, by this process alone. Bytes that an earlier attempt left behind are kept: `offset` says
 * where to go on. Disposing without `commit` keeps what is there for the next attempt.
 */
export interface Ingest extends AsyncDisposable {
  readonly digest: Digest;
  /** Bytes that the blob will have. */
  readonly size: number;
  /** Bytes that are here already, hashed. */
  readonly offset: number;
  /** Of the bytes that are here. */
  digestSoFar(): Digest;
  /** Appends. Throws `invalid` when there would be more than `size` bytes. */
  write(chunk: Uint8Array): void;
  /** Forgets what is here: for a sender that cannot go on in the middle. */
  restart(): void;
  /** The first `offset` bytes again: what a resumed layer's unpacking still has to see. */
  received(): AsyncIterable<Uint8Array>;
  /**
   * Checks size and digest and puts the blob in its place. A wrong digest throws `invalid` and leaves nothing to resume. With `flush`
   * false the bytes reach the disk when the kernel sees fit: for what can be had again, and is checked again when it is used.
   */
  commit(options?: { readonly flush?: boolean }): Promise<void>;
}

const READ_BYTES = 256 * 1024;

export async function startIngest(paths: StorePaths, digest: Digest, size: number, lock: FileLock): Promise<Ingest> {
  const path = paths.ingest(digest);
  const algorithm = digestAlgorithm(digest);
  let hash = createDigestHash(algorithm);
  let offset = 0;
  let fd = openSync(path, "a+", 0o600);

  const close = (): void => {
    if (fd >= 0) closeSync(fd);
    fd = -1;
    lock.release();
  };
  const restart = (): void => {
    ftruncateSync(fd, 0);
    hash = createDigestHash(algorithm);
    offset = 0;
  };

  function* stored(end: number): Generator<Uint8Array> {
    for (let at = 0; at < end; ) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at));
      const read = readSync(fd, buffer, 0, buffer.length, at);
      if (read === 0) return;
      at += read;
      yield buffer.subarray(0, read);
    }
  }

  try {
    // What an earlier process wrote is not known to be what it meant to write: hash it all again (about 2 GB/s).
    for (const chunk of stored(size)) {
      hash.update(chunk);
      offset += chunk.length;
    }
    ftruncateSync(fd, offset);
  } catch (error) {
    close();
    throw error;
  }

  return {
    digest,
    size,
    get offset() {
      return offset;
    },
    digestSoFar: () => finishDigest(hash.copy(), algorithm),
    write(chunk) {
      if (offset + chunk.length > size)
        throw new SampanError("invalid", `Cannot store blob "${digest}": it has more than the ${size} bytes it should have`, { code: "SIZE_INVALID" });
      hash.update(chunk);
      // Synchronous on purpose: into the page cache, 64 KiB take some 15 µs, less than a trip to the thread pool,
      // which is busy decompressing.
      for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
      offset += chunk.length;
    },
    restart,
    async *received() {
      yield* stored(offset);
    },
    async commit(options = {}) {
      if (offset !== size) throw new SampanError("invalid", `Cannot store blob "${digest}": it has ${offset} bytes, not ${size}`, { code: "SIZE_INVALID" });
      const actual = finishDigest(hash, algorithm);
      if (actual !== digest) {
        rmSync(path, { force: true });
        close();
        throw new SampanError("invalid", `Cannot store blob "${digest}": its content has the digest ${actual}`, { code: "DIGEST_INVALID" });
      }
      if (options.flush !== false) await flush(fd);
      renameSync(path, paths.blob(digest));
      close();
    },
    async [Symbol.asyncDispose]() {
      close();
    },
  };
}

function flush(fd: number): Promise<void> {
  const { fdatasync } = process.getBuiltinModule("node:fs");
  return new Promise((resolve, reject) => {
    fdatasync(fd, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

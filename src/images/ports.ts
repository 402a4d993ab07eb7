import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";

/** Where blobs are. The content store is one, an OCI directory and an archive are others. */
export interface BlobReader {
  has(digest: Digest): boolean;
  /** A whole small blob, its digest checked. Throws `not-found`, or `invalid` when it is larger or other than it should be. */
  get(digest: Digest, maxBytes?: number): Promise<Uint8Array>;
  /** A blob as a stream, unchecked. Chunks are never reused. Throws `not-found`. */
  read(digest: Digest, start?: number): AsyncIterable<Uint8Array>;
}

/** One blob on its way in; disposing without `commit` keeps it for resuming. */
export interface BlobIngest extends AsyncDisposable {
  readonly offset: number;
  write(chunk: Uint8Array): void;
  /** Throws `invalid` unless size and digest are the promised ones. */
  commit(): Promise<void>;
}

/** Where blobs go: the content store. */
export interface BlobWriter {
  has(digest: Digest): boolean;
  /** undefined: it is there already. */
  ingest(digest: Digest, size: number, signal?: AbortSignal): Promise<BlobIngest | undefined>;
  put(bytes: Uint8Array, mediaType: string): Promise<Descriptor>;
}

/** A member of an archive file. */
export interface ArchiveMember {
  readonly type: string;
  /** Where its content is. */
  readonly offset: number;
  readonly size: number;
  /** What a link points to. */
  readonly linkname?: string;
}

/** The little that archives need of tar; `tarFormat` of the storage room is one. */
export interface ArchiveFormat {
  index(path: string): Promise<ReadonlyMap<string, ArchiveMember>>;
  header(name: string, size: number): Uint8Array;
  padding(size: number): Uint8Array;
  trailer(): Uint8Array;
}

/**
 * The content store: an OCI image layout (image-spec image-layout.md) that skopeo and umoci read as `oci:DIR`, with what several processes
 * need to share it.
 *
 *     oci-layout  index.json  blobs/sha256/HEX     the specification's
 *     ingest/sha256-HEX                            a blob being received: its first bytes, ready to be resumed
 *     leases/ID  leases/ID.lock                    digests that a living process still needs
 *     locks/NAME.lock                              empty files for the kernel's locks
 *
 * Vocabulary: an *ingest* receives one blob; a *lease* keeps blobs from `gc` that nothing refers to yet; a *reference*
 * is an entry of index.json with its name in the annotation org.opencontainers.image.ref.name.
 *
 * Invariants: a file under blobs/ is whole, has the digest of its name, and is never written again. A reference appears
 * only after its blobs. One process receives a blob at a time; the others wait for it. No lock outlives its process.
 *
 * Durability: a blob is flushed (fdatasync) before it gets its name, so that a name never stands for lost bytes after a power cut. Layers that a
 * registry sent are the exception: on ext4 each flush would wait for all that is being unpacked beside it.
 * The name itself is flushed with the next write of index.json. In between, a crash costs a download and nothing else.
 */
export { openContentStore, type BlobInfo, type ContentStore } from "./store.ts";
export type { Ingest } from "./ingest.ts";
export type { Lease } from "./leases.ts";
export type { GcOptions, GcResult } from "./gc.ts";
export { REF_NAME, type NamedManifest } from "./references.ts";
export { acquireLock, tryLock, type FileLock } from "./lock.ts";

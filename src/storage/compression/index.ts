/**
 * Decompression of layers and archives, as a stream, by what the bytes are and not by what they are called.
 *
 * Invariants: a stream that stops in the middle is an error, never a short result; what comes out is bounded; several
 * gzip members or zstd frames in a row are one content (RFC 1952 section 2.2, RFC 8878 section 3.1).
 */
export { decompress, detectCompression, type Compression, type DecompressOptions, type ForeignCompression } from "./decompress.ts";

/**
 * The vocabulary of the OCI specifications: runtime config, digests, references, descriptors, image configs,
 * and their parsers. No I/O.
 */
export type * from "./runtime-config.ts";

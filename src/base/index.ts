/**
 * What every room may use: errors, ids, small helpers. No I/O, no knowledge of containers.
 */
export * from "./errors.ts";
export * from "./ids.ts";

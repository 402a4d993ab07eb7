/**
 * Values as people type them → numbers and records: sizes, durations, ports, mounts, limits, environment files.
 *
 * Each parser takes one value and gives it back typed, with the unit in the name, or throws SampanError "invalid" with the reason
 * alone: the flag parser adds which flag and which value. Docker's words wherever Docker has them.
 * Only `kv-file` reads a file; everything else is pure.
 */
export * from "./block-io.ts";
export * from "./bytes.ts";
export * from "./duration.ts";
export * from "./timestamp.ts";
export * from "./address.ts";
export * from "./csv.ts";
export * from "./device.ts";
export * from "./filter.ts";
export * from "./key-value.ts";
export * from "./kv-file.ts";
export * from "./mount.ts";
export * from "./network.ts";
export * from "./port.ts";
export * from "./restart.ts";
export * from "./security.ts";
export * from "./signal.ts";
export * from "./ulimit.ts";
export * from "./volume.ts";

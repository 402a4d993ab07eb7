/**
 * What commands have in common: acting on several names, flags, asking before something is deleted, streams and progress.
 */
export * from "./each.ts";
export * from "./flags.ts";
export * from "./inspect.ts";
export * from "./prune.ts";
export * from "./streams.ts";

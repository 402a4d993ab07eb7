/**
 * `run`, `create`, `update`, `explain` and `trace`: from their flags to the engine's RunRequest and ResourceRequest.
 *
 * Flags are parsed one by one in the table; here they meet: files are read, paths made absolute, contradictions found. Every
 * problem is collected, and told as one ProblemsError with exit code 125 before anything is made.
 */
export * from "./build.ts";
export * from "./flags.ts";
export * from "./resource-flags.ts";
export * from "./resources.ts";

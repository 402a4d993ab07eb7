/**
 * Values → text: lists and tables, inspect output, Go templates, sizes and durations, progress, errors, help.
 *
 * Pure but for the progress printer, which is given its screen. Docker's columns, paddings and words, because
 * scripts read them; help sentences are our own.
 */
export * from "./errors.ts";
export * from "./human.ts";
export * from "./inspect.ts";
export * from "./json.ts";
export * from "./list.ts";
export * from "./natural.ts";
export * from "./progress.ts";
export * from "./tabs.ts";

/**
 * What benchmarks are made of: `defineBench` in bench/NAME.ts, shared peers, and the turns, statistics, reports and
 * pictures around them. Run by bench/run.ts.
 */
export * from "./definition.ts";
export * from "./engines.ts";
export * from "./execute.ts";
export * from "./peers.ts";
export { formatNumber, quantile, summarise, type Summary } from "./statistics.ts";

/** What can be said about the source without root: types, lint, and the tests that stand beside it. */
import { join } from "node:path";
import { countsOfRun, type Counts } from "./junit.ts";
import { runStep } from "./process.ts";

export interface Outcome {
  name: string;
  counts: Counts;
  /** Shown when something failed. */
  output: string;
  elapsedMs: number;
}

const CACHE = "node_modules/.cache";
const LIMIT_MS = 300_000;
/** For one test: a property takes a second or two, and several times that on a machine that has other work. */
const TEST_TIMEOUT_MS = 60_000;

/** A step without tests of its own counts only when it fails. */
async function verdict(name: string, command: string[]): Promise<Outcome> {
  const step = await runStep(command, { timeoutMs: LIMIT_MS });
  const late = step.timedOut ? `\n${name} took longer than ${LIMIT_MS / 1000} s and was ended.\n` : "";
  const failed = step.exitCode === 0 ? 0 : 1;
  return { name, counts: { passed: 0, failed, skipped: 0 }, output: step.output + late, elapsedMs: step.elapsedMs };
}

export function checkTypes(): Promise<Outcome> {
  const cache = ["--incremental", "--tsBuildInfoFile", `${CACHE}/types.tsbuildinfo`];
  return verdict("types", ["node", "node_modules/typescript/bin/tsc", "--noEmit", "-p", ".", ...cache]);
}

export function checkLint(): Promise<Outcome> {
  const cache = ["--cache", "--cache-strategy", "content", "--cache-location", `${CACHE}/eslint/`];
  return verdict("lint", ["node", "node_modules/eslint/bin/eslint.js", ...cache, "--max-warnings", "0", "."]);
}

/** Runs test files that need no root; with names, only those whose path contains one. */
export async function checkUnits(runDirectory: string, paths: string[]): Promise<Outcome> {
  const report = join(runDirectory, "units.xml");
  const command = [process.execPath, "test", ...paths, `--timeout=${TEST_TIMEOUT_MS}`, "--reporter=junit", `--reporter-outfile=${report}`];
  const step = await runStep(command, { timeoutMs: LIMIT_MS });
  return { name: "unit tests", counts: countsOfRun(report, step.exitCode), output: step.output, elapsedMs: step.elapsedMs };
}

/** The unit tests of `npm run check`, as `bun test` wants them: paths that start with "./". */
export const UNIT_PATHS = ["./src", "./scripts", "./bench", "./test/walls.test.ts"];

export function describeOutcome({ name, counts, elapsedMs }: Outcome): string {
  const numbers = [
    counts.passed > 0 ? `${counts.passed} passed` : "",
    counts.failed > 0 ? `${counts.failed} failed` : "",
    counts.skipped > 0 ? `${counts.skipped} skipped` : "",
  ].filter((part) => part !== "");
  const mark = counts.failed > 0 ? "FAIL" : "ok";
  const seconds = `${(elapsedMs / 1000).toFixed(1)} s`;
  return `${mark.padEnd(5)}${name.padEnd(48)}${seconds.padStart(8)}  ${numbers.join(", ")}`.trimEnd();
}

/** Reads the counts out of the JUnit report that `bun test --reporter=junit` writes. */
import { existsSync, readFileSync } from "node:fs";

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export const NO_COUNTS: Counts = { passed: 0, failed: 0, skipped: 0 };

export function addCounts(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/** Throws when the text is no JUnit report: a run without one has proven nothing. */
export function parseJunit(text: string): Counts {
  const root = /<testsuites\b[^>]*>/.exec(text)?.[0];
  if (root === undefined) throw new Error("Cannot read the test report: it has no <testsuites> element.");
  const attribute = (name: string): number => {
    const value = new RegExp(`\\b${name}="(\\d+)"`).exec(root)?.[1];
    if (value === undefined) throw new Error(`Cannot read the test report: <testsuites> has no "${name}".`);
    return Number(value);
  };
  const [tests, failed, skipped] = [attribute("tests"), attribute("failures"), attribute("skipped")];
  return { passed: tests - failed - skipped, failed, skipped };
}

/**
 * The counts of one `bun test`. A run that ended badly, or that ran nothing, is at least one failure even
 * where its report (or the lack of one) claims otherwise: a crash after the last test, a hook that threw.
 */
export function countsOfRun(reportPath: string, exitCode: number | null): Counts {
  const counts = existsSync(reportPath) ? parseJunit(readFileSync(reportPath, "utf8")) : NO_COUNTS;
  const ranNothing = counts.passed + counts.failed + counts.skipped === 0;
  if (counts.failed === 0 && (exitCode !== 0 || ranNothing)) return { ...counts, failed: 1 };
  return counts;
}

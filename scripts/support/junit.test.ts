import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addCounts, countsOfRun, parseJunit } from "./junit.ts";

const report = (tests: number, failures: number, skipped: number): string =>
  `<?xml version="1.0"?>\n<testsuites name="bun test" tests="${tests}" assertions="9" failures="${failures}" skipped="${skipped}" time="0.1">\n</testsuites>`;

test("counts come from the root element", () => {
  expect(parseJunit(report(7, 2, 1))).toEqual({ passed: 4, failed: 2, skipped: 1 });
  expect(addCounts({ passed: 1, failed: 2, skipped: 3 }, { passed: 1, failed: 1, skipped: 1 })).toEqual({ passed: 2, failed: 3, skipped: 4 });
});

test("what is no report is refused", () => {
  expect(() => parseJunit("")).toThrow("no <testsuites>");
  expect(() => parseJunit("<testsuites tests=\"1\">")).toThrow('no "failures"');
});

test("a run that crashed, left no report, or ran nothing has failed", () => {
  const folder = mkdtempSync(join(tmpdir(), "junit-"));
  const path = join(folder, "report.xml");
  try {
    expect(countsOfRun(path, 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
    writeFileSync(path, report(3, 0, 0));
    expect(countsOfRun(path, 0)).toEqual({ passed: 3, failed: 0, skipped: 0 });
    expect(countsOfRun(path, 1)).toEqual({ passed: 3, failed: 1, skipped: 0 });
    expect(countsOfRun(path, null)).toEqual({ passed: 3, failed: 1, skipped: 0 });
    writeFileSync(path, report(0, 0, 0));
    expect(countsOfRun(path, 0).failed).toBe(1);
    writeFileSync(path, report(3, 2, 0));
    expect(countsOfRun(path, 1)).toEqual({ passed: 1, failed: 2, skipped: 0 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

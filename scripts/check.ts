/**
 * `npm run check`: types, lint, import walls and unit tests. Needs no root, changes nothing on the machine,
 * and is meant to be run before every commit.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkLint, checkTypes, checkUnits, describeOutcome, UNIT_PATHS } from "./support/check-steps.ts";
import { endSessionsOnSignal } from "./support/process.ts";

process.chdir(join(import.meta.dirname, ".."));
endSessionsOnSignal();
const runDirectory = mkdtempSync(join(tmpdir(), "sampan-check-"));
const started = performance.now();
try {
  // Lint takes longest and uses one core; types and units share the other one.
  const typesThenUnits = checkTypes().then(async (types) => [types, await checkUnits(runDirectory, UNIT_PATHS)]);
  const outcomes = (await Promise.all([typesThenUnits, checkLint().then((lint) => [lint])])).flat();
  for (const outcome of outcomes) {
    if (outcome.counts.failed > 0) console.log(outcome.output.trimEnd());
  }
  for (const outcome of outcomes) console.log(describeOutcome(outcome));
  const failed = outcomes.filter((outcome) => outcome.counts.failed > 0).length;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(failed === 0 ? `Everything is in order (${seconds} s).` : `${failed} of ${outcomes.length} checks failed (${seconds} s).`);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  rmSync(runDirectory, { recursive: true, force: true });
}

/**
 * `npm test [-- NAME…] [--shard I/N]`: everything, in the order in which a fault is cheapest to find: types, lint
 * and unit tests, keel's own tests, then each file under test/ as a process with roots of its own, followed by a
 * look at what it left on the machine. NAME runs only the test files whose path contains it.
 *
 * Needs root and Debian's packages (installed when missing, and said so). A missing tool is a failure. Ends with
 * one line "N passed, N failed". SAMPAN_TEST_SHARED_MACHINE=1 is for a machine on which others work at the
 * same time: mounts, links and groups that appear meanwhile are then not held against a file.
 */
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mountsBeneath, removeTree } from "../test/support/trees.ts";
import { build, isBuildStale } from "./support/build.ts";
import { checkLint, checkTypes, checkUnits, describeOutcome, UNIT_PATHS, type Outcome } from "./support/check-steps.ts";
import { addCounts, NO_COUNTS } from "./support/junit.ts";
import { prepareNamedNamespaces } from "./support/netns.ts";
import { ensureTools, TOOL_PATH } from "./support/packages.ts";
import { endSessionsOnSignal, isAwaited, killIfThere } from "./support/process.ts";
import { runBatch } from "./support/run-shards.ts";
import { batchShards, findShards, selectPart } from "./support/shards.ts";
import { findUnitFiles } from "./support/units.ts";
import { becomeSubreaper } from "./support/subreaper.ts";

const repository = join(import.meta.dirname, "..");
const say = (line: string): void => {
  console.log(line);
};

function fail(sentence: string): never {
  say(sentence);
  process.exit(1);
}

function parsePart(text: string): { part: number; parts: number } {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  const [part, parts] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || part < 1 || part > parts) fail(`Cannot run shard "${text}": say --shard I/N with 1 <= I <= N.`);
  return { part, parts };
}

const { values, positionals: names } = parseArgs({ allowPositionals: true, options: { shard: { type: "string" } } });
const { part, parts } = parsePart(values.shard ?? "1/1");
const isWanted = (path: string): boolean => names.length === 0 || names.some((name) => path.includes(name));

process.chdir(repository);
if (process.getuid?.() !== 0) fail("Cannot run the tests: containers need root; run `sudo npm test`, or `npm run check` without root.");
const missing = await ensureTools(say);
if (missing !== undefined) fail(missing);

if (isBuildStale(repository)) {
  say("Building …");
  const problem = await build(repository);
  if (problem !== undefined) fail(`${problem.trimEnd()}\nCannot run the tests: the build failed.`);
}

// Short, and open to the users of a user namespace.
const runDirectory = mkdtempSync(join(tmpdir(), "st-"));
chmodSync(runDirectory, 0o711);
// A container's first network turns forwarding on, and says so: the same on every machine, and afterwards as it was.
const FORWARDING = "/proc/sys/net/ipv4/ip_forward";
const forwarding = readFileSync(FORWARDING, "utf8");
writeFileSync(FORWARDING, "1");
process.on("exit", () => {
  writeFileSync(FORWARDING, forwarding);
});

const subreaper = becomeSubreaper(isAwaited);
endSessionsOnSignal(() => {
  subreaper.collect().forEach(({ pid }) => { killIfThere(pid); });
  if (mountsBeneath(runDirectory).length === 0) removeTree(runDirectory);
});
process.env["PATH"] = `${TOOL_PATH}:${process.env["PATH"] ?? ""}`;
const outcomes: Outcome[] = [];
function report(outcome: Outcome): void {
  outcomes.push(outcome);
  if (outcome.counts.failed > 0) say(`${"-".repeat(100)}\n${outcome.output.trimEnd()}\n${"-".repeat(100)}`);
  say(describeOutcome(outcome));
}

const undoPreparation = await prepareNamedNamespaces();
try {
  if (part === 1 && names.length === 0) {
    (await Promise.all([checkTypes(), checkLint()])).forEach(report);
    report(await checkUnits(runDirectory, UNIT_PATHS));
  } else if (part === 1) {
    const units = findUnitFiles(repository).filter(isWanted);
    if (units.length > 0) report(await checkUnits(runDirectory, units.map((path) => `./${path}`)));
  }
  const shards = selectPart(findShards(repository).filter((shard) => isWanted(shard.path)), part, parts);
  const sharedMachine = process.env["SAMPAN_TEST_SHARED_MACHINE"] === "1";
  for (const batch of batchShards(shards)) {
    (await runBatch(batch, { repository, runDirectory, subreaper, sharedMachine })).forEach(report);
  }
} finally {
  await undoPreparation();
  // A file that left a mount has failed for it; its directory stays, for there may be data behind the mount.
  if (mountsBeneath(runDirectory).length === 0) removeTree(runDirectory);
}

const bad = outcomes.filter((outcome) => outcome.counts.failed > 0);
const total = outcomes.map((outcome) => outcome.counts).reduce(addCounts, NO_COUNTS);
if (bad.length > 0) say(`\nFailed:\n${bad.map((outcome) => `  ${outcome.name}`).join("\n")}`);
const ranNothing = total.passed + total.failed === 0;
if (ranNothing) say(names.length === 0 ? "No test ran." : `No test file's path contains ${names.map((name) => `"${name}"`).join(" or ")}.`);
say(`\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`);
process.exit(bad.length > 0 || ranNothing ? 1 : 0);

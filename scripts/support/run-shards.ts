/**
 * Runs shards, each with roots of its own, and holds every one to leaving the machine as it was.
 */
import { chmodSync, mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { describeLeak, findLeaks, leakSnapshot } from "../../test/support/leaks.ts";
import { mountsBeneath, removeTree } from "../../test/support/trees.ts";
import type { Outcome } from "./check-steps.ts";
import { countsOfRun } from "./junit.ts";
import { TOOL_PATH } from "./packages.ts";
import { killIfThere, runStep } from "./process.ts";
import type { Shard } from "./shards.ts";
import type { Subreaper } from "./subreaper.ts";

/** A test of its own accord may take this long; a file may say otherwise per test. */
const TEST_TIMEOUT_MS = 60_000;
/** How long a monitor or a daemon that is about to end may take after the file has. */
const PROCESS_GRACE_MS = 3_000;

/** Variables that would point a tool at the caller's own engine, registry login or configuration. How long to fuzz is for us. */
const NOT_INHERITED = /^(SAMPAN_(?!FUZZ_)|DOCKER_|CONTAINER|REGISTRY_|BUILDAH_|STORAGE_|XDG_|NOTIFY_SOCKET|LISTEN_)/;

interface Place {
  directory: string;
  temp: string;
  report: string;
  env: NodeJS.ProcessEnv;
}

function makePlace(runDirectory: string, repository: string): Place {
  // Short names: unix sockets lie deep below, and their paths hold 107 bytes (unix(7)).
  const directory = mkdtempSync(join(runDirectory, "s"));
  // Users inside a user namespace must be able to pass through.
  chmodSync(directory, 0o711);
  const temp = join(directory, "t");
  mkdirSync(temp);
  const inherited = Object.entries(process.env).filter(([name]) => !NOT_INHERITED.test(name));
  const env = {
    ...Object.fromEntries(inherited),
    PATH: `${join(repository, "node_modules/.bin")}:${TOOL_PATH}:${process.env["PATH"] ?? ""}`,
    LC_ALL: "C.UTF-8",
    TMPDIR: temp,
    SAMPAN_ROOT: join(directory, "root"),
    SAMPAN_STATE: join(directory, "state"),
    SAMPAN_TEST_ID: directory,
  };
  return { directory, temp, report: join(directory, "report.xml"), env };
}

async function runShard(shard: Shard, place: Place, repository: string): Promise<Outcome> {
  const command = [process.execPath, "test", `./${shard.path}`, `--timeout=${TEST_TIMEOUT_MS}`, "--reporter=junit", `--reporter-outfile=${place.report}`];
  const step = await runStep(command, { cwd: repository, env: place.env, timeoutMs: shard.timeoutMs, keepLeftovers: true });
  const late = step.timedOut ? `\n${shard.path} took longer than ${shard.timeoutMs / 1000} s and was ended.\n` : "";
  return { name: shard.path, counts: countsOfRun(place.report, step.exitCode), output: step.output + late, elapsedMs: step.elapsedMs };
}

/** Descendants still there after a moment; each is killed, by its id, once it has been noted. */
async function endLeftovers(subreaper: Subreaper): Promise<string[]> {
  const until = performance.now() + PROCESS_GRACE_MS;
  while (subreaper.collect().length > 0 && performance.now() < until) await Bun.sleep(50);
  const notes = new Set<string>();
  // Killing a parent hands its children to us: again until none is left.
  for (let round = 0; round < 20; round++) {
    const living = subreaper.collect();
    if (living.length === 0) break;
    for (const { pid, command } of living) {
      notes.add(`process left behind: ${pid}: ${command}`);
      killIfThere(pid);
    }
    await Bun.sleep(50);
  }
  return [...notes];
}

export interface ShardRun {
  repository: string;
  runDirectory: string;
  subreaper: Subreaper;
  /** Others work on this machine at the same time: report only what is certainly ours as a leak. */
  sharedMachine: boolean;
}

/** Runs the shards of one batch side by side, then looks at what they left. */
export async function runBatch(batch: Shard[], run: ShardRun): Promise<Outcome[]> {
  const pairs = batch.map((shard) => ({ shard, place: makePlace(run.runDirectory, run.repository) }));
  const places = pairs.map((pair) => pair.place);
  const scope = {
    places: places.map((place) => place.temp),
    ...(run.sharedMachine ? { kinds: ["file" as const], onlyPlaces: true } : {}),
  };
  const before = leakSnapshot(scope);
  const outcomes = await Promise.all(pairs.map(({ shard, place }) => runShard(shard, place, run.repository)));

  const notes = await endLeftovers(run.subreaper);
  notes.push(...(await findLeaks(before, scope)).map(describeLeak));
  if (notes.length > 0) {
    outcomes.push({
      name: `leaks of ${batch.map((shard) => shard.path).join(", ")}`,
      counts: { passed: 0, failed: 1, skipped: 0 },
      output: `${notes.map((note) => `  ${note}`).join("\n")}\n`,
      elapsedMs: 0,
    });
  }
  for (const { directory } of places) {
    if (mountsBeneath(directory).length === 0) removeTree(directory);
  }
  return outcomes;
}

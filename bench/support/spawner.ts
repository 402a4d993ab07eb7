/**
 * A process that starts the measured commands and stops the clock: small, so that spawning from it is cheap, and
 * started once per kind of mount namespace, so that no wrapper is timed along with the command. Reads a request
 * and writes an answer per line of JSON.
 */
import { closeSync, ftruncateSync, openSync, readSync } from "node:fs";
import { createInterface } from "node:readline";

export interface SpawnRequest {
  command: string[];
  env: Record<string, string>;
  cwd?: string;
}

export interface SpawnAnswer {
  /** From before the spawn until the process has been waited for. */
  wallMs: number;
  /** User and system time of the process and of the descendants that it waited for. */
  cpuMs: number;
  exitCode: number;
  /** What it said on stderr, at most 4 KB. */
  stderr: string;
}

const [notesPath = ""] = process.argv.slice(2);
const notes = openSync(notesPath, "w+");
const buffer = Buffer.alloc(4096);

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as SpawnRequest; // bench/support/spawn.ts writes it
  ftruncateSync(notes, 0);
  // A file instead of a pipe: nobody has to read while the clock runs.
  const start = process.hrtime.bigint();
  const result = Bun.spawnSync(request.command, {
    env: request.env,
    stdio: ["ignore", "ignore", notes],
    ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
  });
  const wallMs = Number(process.hrtime.bigint() - start) / 1e6;
  const answer: SpawnAnswer = {
    wallMs,
    cpuMs: Number(result.resourceUsage.cpuTime.total) / 1e3,
    exitCode: result.exitCode,
    stderr: buffer.toString("utf8", 0, readSync(notes, buffer, 0, buffer.length, 0)),
  };
  console.log(JSON.stringify(answer));
}
closeSync(notes);

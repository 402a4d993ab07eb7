/** Running a command from a test, with its whole session ended when it takes too long. */
import { spawn } from "node:child_process";
import { TOOL_PATH } from "../../scripts/support/packages.ts";

export interface CommandResult {
  stdout: string;
  stderr: string;
  /** null when a signal ended it. */
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  elapsedMs: number;
}

export interface CommandOptions {
  input?: string | Uint8Array;
  /** Added to (undefined: taken from) the test's own environment. */
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** 30 s unless said otherwise; past it the session is killed and the call throws. */
  timeoutMs?: number;
}

/** The environment of a test: TOOL_PATH first, so that a tool is the distribution's own. */
export function testEnv(extra: Record<string, string | undefined> = {}): NodeJS.ProcessEnv {
  const env = { ...process.env, PATH: `${TOOL_PATH}:${process.env["PATH"] ?? ""}`, LC_ALL: "C.UTF-8", ...extra };
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
}

/** Resolves with whatever the exit code was: a test asserts it. Rejects when it cannot start or takes too long. */
export function run(command: string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [file = "", ...args] = command;
  const timeoutMs = options.timeoutMs ?? 30_000;
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
      env: testEnv(options.env),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const text = (chunks: Buffer[]): string => Buffer.concat(chunks).toString("utf8");
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    // A command that ends without reading its input is no error of the test's.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
    const limit = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      // Whoever escaped the session may hold the pipes; nobody waits for them.
      child.stdout.destroy();
      child.stderr.destroy();
      reject(new Error(`"${command.join(" ")}" took longer than ${timeoutMs} ms.\nstdout: ${text(out)}\nstderr: ${text(err)}`));
    }, timeoutMs);
    child.on("error", (error) => {
      clearTimeout(limit);
      reject(error);
    });
    child.on("close", (exitCode, signal) => {
      clearTimeout(limit);
      resolve({ stdout: text(out), stderr: text(err), exitCode, signal, elapsedMs: performance.now() - started });
    });
  });
}

/** As `run`, but a command that fails is an error with everything that it said. Returns its stdout. */
export async function runOk(command: string[], options: CommandOptions = {}): Promise<string> {
  const result = await run(command, options);
  if (result.exitCode !== 0) {
    throw new Error(`"${command.join(" ")}" ended with ${result.exitCode ?? result.signal}.\nstdout: ${result.stdout}\nstderr: ${result.stderr}`);
  }
  return result.stdout;
}

/** Polls until `probe` gives a value; throws with `what` after `timeoutMs`. */
export async function waitFor<T>(what: string, probe: () => T | undefined | false | Promise<T | undefined | false>, timeoutMs = 30_000): Promise<T> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > until) throw new Error(`Waited ${timeoutMs} ms in vain for ${what}.`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

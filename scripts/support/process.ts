/**
 * Runs one command of a script in a session of its own, so that a time limit ends all of it and not only
 * the process at the top.
 */
import { spawn } from "node:child_process";

export interface StepResult {
  /** stdout and stderr as they came. */
  output: string;
  exitCode: number | null;
  signal: string | null;
  timedOut: boolean;
  elapsedMs: number;
}

export interface StepOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  timeoutMs: number;
  /** Leave what the command left running in its session, for a caller that wants to look at it first. */
  keepLeftovers?: boolean;
}

/** How long a session that was told to end may take before it is killed. */
const GRACE_MS = 2_000;

const sessions = new Set<number>();

function signalSession(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Already gone: nothing to end.
  }
}

/** Ends one process at once; that it has just ended by itself is no error. */
export function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Whether the process is the first of a command that has not been waited for yet. */
export function isAwaited(pid: number): boolean {
  return sessions.has(pid);
}

/** Makes Ctrl-C and SIGTERM end the script together with everything that it started; `alsoEnd` knows of more. */
export function endSessionsOnSignal(alsoEnd?: () => void): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      for (const pid of sessions) signalSession(pid, "SIGKILL");
      alsoEnd?.();
      process.exit(130);
    });
  }
}

export function runStep(command: string[], options: StepOptions): Promise<StepResult> {
  const [file = "", ...args] = command;
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const chunks: Buffer[] = [];
    let timedOut = false;
    let settled = false;
    const pid = child.pid;
    if (pid !== undefined) sessions.add(pid);
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));

    const limit = setTimeout(() => {
      timedOut = true;
      if (pid === undefined) return;
      signalSession(pid, "SIGTERM");
      setTimeout(() => {
        signalSession(pid, "SIGKILL");
      }, GRACE_MS).unref();
    }, options.timeoutMs);

    const settle = (exitCode: number | null, signal: string | null, note = ""): void => {
      if (settled) return;
      settled = true;
      clearTimeout(limit);
      if (pid !== undefined) {
        if (options.keepLeftovers !== true) signalSession(pid, "SIGKILL");
        sessions.delete(pid);
      }
      child.stdout.destroy();
      child.stderr.destroy();
      const output = Buffer.concat(chunks).toString("utf8") + note;
      resolve({ output, exitCode, signal, timedOut, elapsedMs: performance.now() - started });
    };
    child.on("error", (error) => {
      settle(127, null, `Cannot start "${file}": ${error.message}\n`);
    });
    // "exit" and not "close": a stray grandchild may hold the pipes open for ever. What was written before
    // the exit is in the pipe already and needs only a turn or two to be read.
    child.on("exit", (code, signal) => {
      const drained = new Promise<void>((done) => child.once("close", () => { done(); }));
      const enough = new Promise<void>((done) => setTimeout(done, 300));
      void Promise.race([drained, enough]).then(() => {
        settle(code, signal);
      });
    });
  });
}

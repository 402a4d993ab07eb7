/** A command on a real pseudo-terminal: type into it, wait for what it shows, change its size, ask its modes. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { testEnv } from "./command.ts";

export interface PtyOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** 24 by default. */
  rows?: number;
  /** 80 by default. */
  cols?: number;
}

export interface PtyExit {
  /** null when a signal ended it. */
  exitCode: number | null;
  signal: number | null;
}

export interface Pty extends AsyncDisposable {
  pid: number;
  /** Everything shown so far, with the terminal's own "\r\n". */
  readonly output: string;
  send(text: string): void;
  /**
   * Waits until the pattern shows up after what was matched last, and returns the match. Throws with what was
   * shown instead after `timeoutMs` (30 s), or at once when the command has ended.
   */
  expect(pattern: string | RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  resize(rows: number, cols: number): void;
  kill(signal: NodeJS.Signals): void;
  /** The line discipline's state, as somebody else sees it: also after the command has ended. */
  modes(): Promise<{ raw: boolean; echo: boolean }>;
  /** Takes the terminal away, as when a window is closed: the command gets SIGHUP. */
  hangup(): void;
  exited: Promise<PtyExit>;
}

interface DriverMessage {
  pid?: number;
  data?: string;
  modes?: number;
  raw?: boolean;
  echo?: boolean;
  exit?: number | null;
  signal?: number | null;
}

export async function openPty(command: string[], options: PtyOptions = {}): Promise<Pty> {
  // Debian's own python3 (python3-minimal): a version manager's shim would cost time and surprises.
  const driver = spawn("/usr/bin/python3", ["-I", join(import.meta.dirname, "pty_driver.py")], { stdio: ["pipe", "pipe", "inherit"] });
  driver.stdin.on("error", () => undefined); // It ended: `exited` says so.
  const order = (message: object): void => {
    driver.stdin.write(`${JSON.stringify(message)}\n`);
  };
  let output = "";
  let matchedUpTo = 0;
  let exit: PtyExit | undefined;
  const decoder = new TextDecoder();
  const started = Promise.withResolvers<number>();
  const exited = Promise.withResolvers<PtyExit>();
  const modesAsked: PromiseWithResolvers<{ raw: boolean; echo: boolean }>[] = [];
  const watchers = new Set<() => void>();

  createInterface({ input: driver.stdout }).on("line", (line) => {
    const message = JSON.parse(line) as DriverMessage; // what pty_driver.py says it writes
    if (message.pid !== undefined) started.resolve(message.pid);
    else if (message.data !== undefined) output += decoder.decode(Buffer.from(message.data, "base64"), { stream: true });
    else if (message.modes !== undefined) modesAsked[message.modes]?.resolve({ raw: message.raw === true, echo: message.echo === true });
    else exited.resolve((exit = { exitCode: message.exit ?? null, signal: message.signal ?? null }));
    for (const watcher of [...watchers]) watcher();
  });
  driver.on("error", started.reject);
  driver.on("exit", () => {
    started.reject(new Error("The pty driver ended before it started the command."));
    exited.resolve(exit ?? { exitCode: null, signal: null });
  });
  const env = testEnv({ TERM: "xterm", ...options.env });
  order({ argv: command, env, cwd: options.cwd ?? null, rows: options.rows ?? 24, cols: options.cols ?? 80 });
  const pid = await started.promise;

  const tryMatch = (pattern: string | RegExp): RegExpExecArray | undefined => {
    const expression = typeof pattern === "string" ? new RegExp(pattern.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")) : pattern;
    const match = expression.exec(output.slice(matchedUpTo));
    if (match === null) return undefined;
    matchedUpTo += match.index + match[0].length;
    return match;
  };

  return {
    pid,
    get output() {
      return output;
    },
    send(text) {
      order({ send: Buffer.from(text).toString("base64") });
    },
    expect(pattern, timeoutMs = 30_000) {
      const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
      const give = (outcome: () => void): void => {
        clearTimeout(limit);
        watchers.delete(look);
        outcome();
      };
      const complain = (why: string): void => {
        give(() => {
          reject(new Error(`${String(pattern)} did not show up: ${why}; shown since the last match: ${JSON.stringify(output.slice(matchedUpTo))}`));
        });
      };
      const look = (): void => {
        const match = tryMatch(pattern);
        if (match !== undefined) give(() => { resolve(match); });
        else if (exit !== undefined) complain(`the command ended with ${exit.exitCode ?? `signal ${exit.signal ?? "?"}`}`);
      };
      const limit = setTimeout(() => { complain(`waited ${timeoutMs} ms`); }, timeoutMs);
      watchers.add(look);
      look();
      return promise;
    },
    resize(rows, cols) {
      order({ resize: [rows, cols] });
    },
    kill(signal) {
      order({ signal: constants.signals[signal] });
    },
    modes() {
      const asked = Promise.withResolvers<{ raw: boolean; echo: boolean }>();
      order({ modes: modesAsked.push(asked) - 1 });
      return asked.promise;
    },
    hangup() {
      order({ hangup: true });
    },
    exited: exited.promise,
    async [Symbol.asyncDispose]() {
      if (driver.exitCode !== null || driver.signalCode !== null) return;
      const gone = new Promise((resolve) => driver.once("exit", resolve));
      driver.stdin.end(); // The driver kills the command when nobody talks to it any more.
      await gone;
    },
  };
}

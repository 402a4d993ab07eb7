import { closeSync, createReadStream, openSync, writeSync } from "node:fs";
import { errnoOf } from "../base/errors.ts";
import { isTerminal } from "../base/terminal.ts";
import type { Io } from "./io.ts";

/**
 * This process's streams. Writes are synchronous on the bare descriptors: making process.stdout costs more than a whole
 * `sampan ps`, and nothing is lost when the process exits.
 */
export function processIo(): Io {
  let interruption: AbortSignal | undefined;
  return {
    env: process.env,
    cwd: () => process.cwd(),
    out: (data) => writeAll(1, data),
    err: (data) => writeAll(2, data),
    isTerminal,
    columns: () => {
      const columns = isTerminal(1) ? process.stdout.columns : isTerminal(2) ? process.stderr.columns : 0;
      return columns > 0 ? columns : 80;
    },
    rows: () => {
      const rows = isTerminal(1) ? process.stdout.rows : isTerminal(2) ? process.stderr.rows : 0;
      return rows > 0 ? rows : 24;
    },
    input: () => createReadStream("", { fd: 0, autoClose: false }),
    readLine,
    nowMs: Date.now,
    interruption: () => (interruption ??= abortOnSignals()),
  };
}

function writeAll(descriptor: number, data: string | Uint8Array): void {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      const errno = errnoOf(error);
      // Someone made the pipe or terminal non-blocking (it is shared with other programs): wait for room.
      if (errno === "EAGAIN") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      // The reader is gone (`sampan ps | head -1`): end as a program killed by SIGPIPE would, without a word.
      else if (errno === "EPIPE") process.exit(141);
      else throw error;
    }
  }
}

async function readLine(options: { readonly hidden?: boolean } = {}): Promise<string | undefined> {
  const { createInterface } = await import("node:readline");
  if (options.hidden === true && isTerminal(0)) return readHidden();
  const lines = createInterface({ input: process.stdin, terminal: false });
  try {
    for await (const line of lines) return line;
    return undefined;
  } finally {
    lines.close();
    process.stdin.pause();
  }
}

/** A password from the terminal itself: raw mode, so that nothing is echoed, restored whatever happens. */
async function readHidden(): Promise<string | undefined> {
  const { ReadStream } = await import("node:tty");
  const descriptor = openSync("/dev/tty", "r");
  const terminal = new ReadStream(descriptor);
  terminal.setRawMode(true);
  let line = "";
  try {
    for await (const chunk of terminal) {
      for (const character of String(chunk)) {
        if (character === "\r" || character === "\n") return line;
        if (character === "\u0003" || (character === "\u0004" && line === "")) return undefined;
        line = character === "\u007f" || character === "\b" ? line.slice(0, -1) : line + character;
      }
    }
    return undefined;
  } finally {
    terminal.setRawMode(false);
    terminal.destroy();
    closeQuietly(descriptor);
  }
}

/** The stream may have closed it already. */
function closeQuietly(descriptor: number): void {
  try {
    closeSync(descriptor);
  } catch (error) {
    if (errnoOf(error) !== "EBADF") throw error;
  }
}

function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => controller.abort(name));
  return controller.signal;
}

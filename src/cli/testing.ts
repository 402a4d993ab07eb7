import type { Io } from "./io.ts";

/** An Io that keeps what is written. */
export interface RecordedIo extends Io {
  readonly written: { out: string; err: string };
}

/** A world for tests: fixed time, given input, nothing of this process. */
export function recordedIo(options: { readonly input?: string; readonly env?: Record<string, string>; readonly terminal?: boolean } = {}): RecordedIo {
  const written = { out: "", err: "" };
  const lines = (options.input ?? "").split("\n");
  const text = (data: string | Uint8Array): string => (typeof data === "string" ? data : Buffer.from(data).toString("utf8"));
  return {
    written,
    env: options.env ?? {},
    cwd: () => "/home/me",
    out: (data) => void (written.out += text(data)),
    err: (data) => void (written.err += text(data)),
    isTerminal: () => options.terminal ?? false,
    columns: () => 80,
    rows: () => 24,
    async *input() {
      yield Buffer.from(options.input ?? "");
    },
    readLine: async () => lines.shift(),
    nowMs: () => 1_700_000_000_000,
    interruption: () => new AbortController().signal,
  };
}

import type { Cancellable } from "./api.ts";

/** What is read of a container's log. */
export interface LogOptions extends Cancellable {
  readonly follow: boolean;
  /** Only the last n records; all where undefined. */
  readonly tail?: number | undefined;
  /** Nanoseconds since the epoch. */
  readonly sinceNs?: bigint | undefined;
  readonly untilNs?: bigint | undefined;
}

export interface LogRecord {
  readonly stream: "stdout" | "stderr";
  /** RFC 3339 with nanoseconds, in UTC. */
  readonly time: string;
  /** One line with its newline, or a part of one. */
  readonly data: Uint8Array;
  /** Labels and variables that `--log-opt labels=…,env=…` asked for, and its tag: of the container, the same for each record. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** How a program in a container ended. */
export interface ExitResult {
  /** 0–255; 128 + signal where a signal ended it. */
  readonly exitCode: number;
  /** The signal that ended it ("SIGKILL"); undefined if it ended by itself. */
  readonly signal: string | undefined;
}

/** How a program in a container ended, and what it wrote. */
export interface ProgramResult extends ExitResult {
  /** As UTF-8; what is none shows as U+FFFD. */
  readonly stdout: string;
  readonly stderr: string;
  /** The same as bytes. */
  readonly stdoutBytes: Uint8Array;
  readonly stderrBytes: Uint8Array;
  /** Milliseconds from the call to its end, as this process saw it. */
  readonly durationMs: number;
}

/** What only a container's own program can tell. */
export interface ContainerEnd {
  /** The container's id. With `keep` it is still there. */
  readonly id: string;
  /** The kernel killed something in it for want of memory. */
  readonly oomKilled: boolean;
  /** What could not be done quite as it was asked for. */
  readonly warnings: readonly string[];
}

/** What `containers.run` resolves to. */
export interface RunResult extends ProgramResult, ContainerEnd {}

/** How a streamed run ended: a RunResult without the output, which has been read already. */
export interface StreamResult extends ExitResult, ContainerEnd {
  readonly durationMs: number;
}

/** A piece of output, as it came. */
export interface OutputChunk {
  readonly stream: "stdout" | "stderr";
  readonly data: Uint8Array;
  /** The same as UTF-8; a character that is cut in two comes whole with the next piece, and what is none at the end as U+FFFD. */
  readonly text: string;
}

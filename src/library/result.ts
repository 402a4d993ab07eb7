/** How a program in a container ended, and what it wrote. */
export interface ProgramResult {
  /** 0–255; 128 + signal where a signal ended it. */
  readonly exitCode: number;
  /** The signal that ended it ("SIGKILL"); undefined if it ended by itself. */
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** The same as bytes. */
  readonly stdoutBytes: Uint8Array;
  readonly stderrBytes: Uint8Array;
}

export interface RunResult extends ProgramResult {
  /** The container's id. With `keep` it is still there. */
  readonly id: string;
  /** The kernel killed something in it for want of memory. */
  readonly oomKilled: boolean;
  /** From the call to its end, as this process saw it. */
  readonly durationMs: number;
  readonly warnings: readonly string[];
}

const SIGNALS = ["HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP",
  "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS"];

/** "SIGTERM" for 15 (signal(7), the numbers that x86-64 and arm64 share); undefined for 0. */
export function signalName(number: number): string | undefined {
  if (number === 0) return undefined;
  const name = SIGNALS[number - 1];
  return name === undefined ? `SIG${number}` : `SIG${name}`;
}

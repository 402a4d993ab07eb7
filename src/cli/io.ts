/** The world as a command sees it. Tests pass their own; `processIo` is this process's. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  cwd(): string;
  out(data: string | Uint8Array): void;
  err(data: string | Uint8Array): void;
  /** Is descriptor 0, 1 or 2 a terminal? */
  isTerminal(descriptor: 0 | 1 | 2): boolean;
  /** The width of the terminal; 80 where there is none. */
  columns(): number;
  /** Of the terminal; 24 where it does not say. */
  rows(): number;
  /** Standard input as it comes. */
  input(): AsyncIterable<Uint8Array>;
  /** One line of standard input without its newline, undefined at its end. `hidden` does not show what is typed. */
  readLine(options?: { readonly hidden?: boolean }): Promise<string | undefined>;
  nowMs(): number;
  /** A signal that aborts on SIGINT or SIGTERM. */
  interruption(): AbortSignal;
}

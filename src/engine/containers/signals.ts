import type { Running } from "../../plan/index.ts";
import type { RunRequest } from "../request.ts";

/** Signals that a person or a supervisor sends to a program; the rest are the runtime's own or mean a fault. */
const FORWARDED = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGCONT", "SIGTSTP", "SIGALRM"] as const;
const NUMBERS: Record<(typeof FORWARDED)[number] | "SIGWINCH", number> = {
  SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGUSR1: 10, SIGUSR2: 12, SIGALRM: 14, SIGTERM: 15, SIGCONT: 18, SIGTSTP: 20, SIGWINCH: 28,
};

/**
 * Passes this process's signals on to the container (`--sig-proxy`), and changes of the window's size with a terminal.
 * With `--sig-proxy=false` they end this process as usual, and the container lives on. Returns what undoes it.
 */
export function forwardSignals(running: Pick<Running, "kill">, request: Pick<RunRequest, "sigProxy" | "tty">): () => void {
  const undo: (() => void)[] = [];
  const on = (name: keyof typeof NUMBERS): void => {
    const handler = (): void => { running.kill(NUMBERS[name]); };
    process.on(name, handler);
    undo.push(() => process.off(name, handler));
  };
  if (request.sigProxy || request.tty) FORWARDED.filter((name) => name !== "SIGTSTP" || request.tty).forEach(on);
  if (request.tty) on("SIGWINCH");
  return () => { undo.forEach((off) => { off(); }); };
}

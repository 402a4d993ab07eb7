import type { Running } from "../plan/index.ts";

const NUMBERS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1, SIGQUIT: 3, SIGUSR1: 10, SIGUSR2: 12, SIGWINCH: 28, SIGCONT: 18 } as const;

/** keel passes on what it is told; we are told in its place. Returns what ends that. */
export function forwardSignals(running: Running): () => void {
  // The keys of a constant, which Object.keys gives as plain strings.
  const listeners = (Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]).map((name) => [name, () => { running.kill(NUMBERS[name]); }] as const);
  for (const [name, listener] of listeners) process.on(name, listener);
  return () => {
    for (const [name, listener] of listeners) process.off(name, listener);
  };
}

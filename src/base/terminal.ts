/**
 * Whether a descriptor is a terminal. node:tty is loaded only when this is asked: it takes all of node:stream with it, which is a fifth
 * of what a short command takes.
 */
export function isTerminal(descriptor: number): boolean {
  return process.getBuiltinModule("node:tty").isatty(descriptor);
}

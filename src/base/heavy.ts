/** Bun's switch for when code is compiled; absent on Node. */
interface JitPolicy {
  readonly Bun?: { readonly gc?: (synchronous: boolean) => void; readonly unsafe?: { readonly setJITPolicy?: (scale: number) => void } };
}

/**
 * Says that much computing follows (a pull, an archive). The executable is built to compile its code late, because most
 * commands end before that pays; this sets the usual threshold. Does nothing elsewhere.
 */
export function expectHeavyWork(): void {
  // Bun's types and Node's do not know each other; the global is the documented way to tell them apart.
  (globalThis as JitPolicy).Bun?.unsafe?.setJITPolicy?.(1);
}

/** Gives back the memory of buffers that are no longer used, where a stream of them has just gone by. Does nothing on Node. */
export function collectMemory(): void {
  (globalThis as JitPolicy).Bun?.gc?.(true);
}

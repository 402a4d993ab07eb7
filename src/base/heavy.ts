/** Bun's switch for when code is compiled; absent on Node. */
interface JitPolicy {
  readonly Bun?: { readonly unsafe?: { readonly setJITPolicy?: (scale: number) => void } };
}

/**
 * Says that much computing follows (a pull, an archive). The executable is built to compile its code late, because most
 * commands end before that pays; this sets the usual threshold. Does nothing elsewhere.
 */
export function expectHeavyWork(): void {
  // Bun's types and Node's do not know each other; the global is the documented way to tell them apart.
  (globalThis as JitPolicy).Bun?.unsafe?.setJITPolicy?.(1);
}

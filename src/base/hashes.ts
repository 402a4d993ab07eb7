/** What Bun hashes with; absent on Node. */
interface BunHashes {
  hash(text: string | Uint8Array): bigint;
  readonly CryptoHasher: { hash(algorithm: HashAlgorithm, bytes: string | Uint8Array, encoding: "hex"): string };
}

export type HashAlgorithm = "sha256" | "sha512";

/**
 * A number for a text, to choose a place for it by; whoever uses the place compares the whole text. Not against anybody who tries. On the
 * way to a container neither node:crypto (2 ms to load) nor a loop over the text (1 ms before anything is compiled) will do, so
 * Bun's own serves where there is one; elsewhere FNV-1a of 32 bits.
 */
export function quickHash(text: string | Uint8Array): number {
  const { Bun } = globalThis as { Bun?: BunHashes };
  if (Bun !== undefined) return Number(Bun.hash(text) & 0xffff_ffffn);
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** The cryptographic hash of bytes, in hexadecimal digits. By Bun's own where there is one: node:crypto takes all of node:stream with it. */
export function hexHash(algorithm: HashAlgorithm, bytes: string | Uint8Array): string {
  const { Bun } = globalThis as { Bun?: BunHashes };
  return Bun?.CryptoHasher.hash(algorithm, bytes, "hex") ?? process.getBuiltinModule("node:crypto").createHash(algorithm).update(bytes).digest("hex");
}

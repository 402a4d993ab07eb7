import { SampanError } from "../base/index.ts";
import { createDigestHash, digestAlgorithm, finishDigest, type Descriptor, type Digest } from "../oci/index.ts";
import type { BlobKeeper } from "./types.ts";

/** Counts and hashes the bytes of one blob, from the first to the last, and lets none through that does not belong. */
export class BlobVerifier {
  readonly #descriptor: Descriptor;
  readonly #hash: { update(chunk: Uint8Array): unknown; digest(): Digest };
  #bytes: number;

  /** With a keeper it begins with what that one has, and leaves the hashing to it. */
  constructor(descriptor: Descriptor, keeper?: BlobKeeper) {
    this.#descriptor = descriptor;
    this.#bytes = keeper?.offset ?? 0;
    this.#hash = keeper === undefined ? runningDigest(descriptor) : { update: () => undefined, digest: () => keeper.digestSoFar() };
  }

  /** Bytes seen so far. */
  get bytes(): number {
    return this.#bytes;
  }

  get remaining(): number {
    return this.#descriptor.size - this.#bytes;
  }

  /** Takes in the next bytes; throws `invalid` before counting any that are beyond the size. */
  update(chunk: Uint8Array): void {
    if (chunk.length > this.remaining) throw sizeMismatch(this.#descriptor, "more bytes came");
    this.#bytes += chunk.length;
    this.#hash.update(chunk);
  }

  /** Throws `invalid` unless exactly the right bytes have been seen. To be called once. */
  finish(): void {
    if (this.remaining !== 0) throw sizeMismatch(this.#descriptor, `only ${this.#bytes} came`);
    const found = this.#hash.digest();
    if (found !== this.#descriptor.digest) {
      throw new SampanError("invalid", `Cannot verify blob "${this.#descriptor.digest}": its content has digest ${found}`, { code: "DIGEST_MISMATCH" });
    }
  }
}

function runningDigest({ digest }: Descriptor): { update(chunk: Uint8Array): unknown; digest(): Digest } {
  const algorithm = digestAlgorithm(digest);
  const hash = createDigestHash(algorithm);
  return { update: (chunk) => hash.update(chunk), digest: () => finishDigest(hash, algorithm) };
}

export function sizeMismatch(descriptor: Descriptor, found: string): SampanError {
  return new SampanError(
    "invalid",
    `Cannot verify blob "${descriptor.digest}": it should have ${descriptor.size} bytes, but ${found}`,
    { code: "SIZE_MISMATCH" },
  );
}

/** Passes bytes on and throws `invalid` at the first that is too many, or at the end if any is missing or wrong. */
export async function* verified(descriptor: Descriptor, bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const verifier = new BlobVerifier(descriptor);
  for await (const chunk of bytes) {
    verifier.update(chunk);
    yield chunk;
  }
  verifier.finish();
}

import type { Hash } from "node:crypto";
import { SampanError } from "../base/index.ts";
import { createDigestHash, digestAlgorithm, finishDigest, type Descriptor } from "../oci/index.ts";

/** Counts and hashes the bytes of one blob, from the first to the last, and lets none through that does not belong. */
export class BlobVerifier {
  readonly #descriptor: Descriptor;
  readonly #hash: Hash;
  #bytes = 0;

  constructor(descriptor: Descriptor) {
    this.#descriptor = descriptor;
    this.#hash = createDigestHash(digestAlgorithm(descriptor.digest));
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
    const found = finishDigest(this.#hash, digestAlgorithm(this.#descriptor.digest));
    if (found !== this.#descriptor.digest) {
      throw new SampanError("invalid", `Cannot verify blob "${this.#descriptor.digest}": its content has digest ${found}`, { code: "DIGEST_MISMATCH" });
    }
  }
}

export function sizeMismatch(descriptor: Descriptor, found: string): SampanError {
  return new SampanError("invalid", `Cannot verify blob "${descriptor.digest}": it should have ${descriptor.size} bytes, but ${found}`, { code: "SIZE_MISMATCH" });
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

import type { Hash } from "node:crypto";
import { hexHash } from "../base/hashes.ts";
import { SampanError, type Brand } from "../base/index.ts";

/** `algorithm:hex`, of an algorithm that we can verify. The only makers are `parseDigest` and `digestOf`. */
export type Digest = Brand<string, "Digest">;

/** The registered algorithms we verify (image-spec descriptor.md, "Registered algorithms"). */
export type DigestAlgorithm = "sha256" | "sha512";

const GRAMMAR = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;

/** Why `text` is no digest that we can verify, in Docker's words; undefined if it is one. */
function problemOf(text: string): string | undefined {
  // The longest is sha512's 135 characters: no need to run a pattern over a megabyte.
  if (text.length > 256 || !GRAMMAR.test(text)) return "invalid checksum digest format";
  const colon = text.indexOf(":");
  const length = hexLengthOf(text.slice(0, colon));
  if (length === undefined) return "unsupported digest algorithm";
  if (text.length - colon - 1 !== length) return "invalid checksum digest length";
  return /^[a-f0-9]+$/.test(text.slice(colon + 1)) ? undefined : "invalid checksum digest format";
}

function hexLengthOf(algorithm: string): number | undefined {
  if (algorithm === "sha256") return 64;
  return algorithm === "sha512" ? 128 : undefined;
}

/** True if `text` is a digest that `parseDigest` accepts. */
export function isDigest(text: unknown): text is Digest {
  return typeof text === "string" && problemOf(text) === undefined;
}

/** Reads untrusted text. Throws `invalid` with go-digest's words, which scripts know. */
export function parseDigest(text: string): Digest {
  const problem = problemOf(text);
  if (problem !== undefined) throw new SampanError("invalid", `Cannot parse digest ${JSON.stringify(text.slice(0, 256))}: ${problem}`);
  // The one place where text becomes a Digest: it has just been checked.
  return text as Digest;
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

/** The hexadecimal part: a file name under `blobs/<algorithm>/`, an image id without its prefix. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** A running hash of the digest's algorithm. node:crypto is loaded on first use, so that parsing costs none of it. */
export function createDigestHash(algorithm: DigestAlgorithm = "sha256"): Hash {
  return process.getBuiltinModule("node:crypto").createHash(algorithm);
}

/** Ends `hash` and names its result. */
export function finishDigest(hash: Hash, algorithm: DigestAlgorithm = "sha256"): Digest {
  return parseDigest(`${algorithm}:${hash.digest("hex")}`);
}

/** The digest of bytes, always of the raw bytes: never of something that was parsed and written again. */
export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = "sha256"): Digest {
  return parseDigest(`${algorithm}:${hexHash(algorithm, bytes)}`);
}

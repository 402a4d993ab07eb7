import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { createDigestHash, digestAlgorithm, digestHex, digestOf, finishDigest, isDigest, parseDigest } from "./digest.ts";

describe("digests", () => {
  test("the digest of bytes is what sha256sum says", () => {
    expect(digestOf("")).toBe(parseDigest("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(String(digestOf(bytes, "sha512"))).toBe(`sha512:${createHash("sha512").update(bytes).digest("hex")}`);
        const running = createDigestHash().update(bytes.subarray(0, 3)).update(bytes.subarray(3));
        expect(finishDigest(running)).toBe(digestOf(bytes));
      }),
    );
  });

  test("parts", () => {
    const digest = digestOf("x", "sha512");
    expect(digestAlgorithm(digest)).toBe("sha512");
    expect(digestHex(digest)).toHaveLength(128);
  });

  test.each([
    ["", "invalid checksum digest format"],
    ["sha256", "invalid checksum digest format"],
    [`sha256:${"A".repeat(64)}`, "invalid checksum digest format"],
    [`sha256:${"a".repeat(63)}`, "invalid checksum digest length"],
    [`sha256:${"a".repeat(64)}\n`, "invalid checksum digest format"],
    [`md5:${"a".repeat(32)}`, "unsupported digest algorithm"],
    [`sha384:${"a".repeat(96)}`, "unsupported digest algorithm"],
    [`sha256:../../../../etc/passwd`, "invalid checksum digest format"],
    [`SHA256:${"a".repeat(64)}`, "invalid checksum digest format"],
    ["x".repeat(100_000), "invalid checksum digest format"],
  ])("refuses %p", (text, words) => {
    expect(isDigest(text)).toBe(false);
    expect(() => parseDigest(text)).toThrow(words);
  });
});

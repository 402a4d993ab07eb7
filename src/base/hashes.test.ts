import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { hexHash, quickHash } from "./hashes.ts";

const texts = ["", "a", "b", "ab", "ba", "é", "x".repeat(100_000)];

test("a whole number of 32 bits, the same for a text and its bytes, another for another", () => {
  for (const hash of texts.map((text) => quickHash(text))) expect(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32).toBe(true);
  expect(texts.map((text) => quickHash(Buffer.from(text)))).toEqual(texts.map((text) => quickHash(text)));
  expect(new Set(texts.map((text) => quickHash(text))).size).toBe(texts.length);
});

test("the same cryptographic hash as node:crypto's", () => {
  for (const algorithm of ["sha256", "sha512"] as const)
    for (const text of texts) {
      const expected = createHash(algorithm).update(text).digest("hex");
      expect([hexHash(algorithm, text), hexHash(algorithm, Buffer.from(text))]).toEqual([expected, expected]);
    }
});

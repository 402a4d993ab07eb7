import { describe, expect, test } from "bun:test";
import { rejection } from "../../../test/support/rejection.ts";
import { randomBytes } from "node:crypto";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { decompress } from "./index.ts";

async function* chunks(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all(bytes: Uint8Array, options = {}, size = 1000): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(decompress(chunks(bytes, size), options)));
}

/** zstd with a checksum of the content, as zstd(1) writes it; Node's default has none. */
function checked(bytes: Uint8Array): Buffer {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
}

const content = Buffer.concat([randomBytes(300_000), Buffer.alloc(700_000, "abc")]);

describe("every compression gives its content back", () => {
  const forms: [string, Buffer][] = [
    ["none", content],
    ["gzip", gzipSync(content)],
    ["zstd", zstdCompressSync(content)],
    ["gzip of two members", Buffer.concat([gzipSync(content.subarray(0, 500_000)), gzipSync(content.subarray(500_000))])],
    ["zstd of two frames", Buffer.concat([zstdCompressSync(content.subarray(0, 500_000)), zstdCompressSync(content.subarray(500_000))])],
    ["zstd with a skippable frame before it", Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]), zstdCompressSync(content)])],
  ];
  for (const [name, bytes] of forms) {
    for (const size of [1000, bytes.length]) {
      test(`${name}, ${size} bytes at a time`, async () => {
        expect((await all(bytes, {}, size)).equals(content)).toBe(true);
      });
    }
  }
  test("one byte at a time", async () => {
    const short = content.subarray(0, 2000);
    expect((await all(gzipSync(short), {}, 1)).equals(short)).toBe(true);
    expect((await all(Buffer.concat([zstdCompressSync(short), checked(short)]), {}, 1)).equals(Buffer.concat([short, short]))).toBe(true);
  });
  test("nothing at all", async () => {
    expect((await all(Buffer.alloc(0))).length).toBe(0);
  });
});

describe("refused", () => {
  for (const [name, bytes] of [["gzip", gzipSync(content)], ["zstd", checked(content)]] as const) {
    test(`${name} cut off`, async () => {
      for (const cut of [7, 20, 5000, bytes.length >> 1, bytes.length - 1]) {
        expect(await rejection(all(bytes.subarray(0, cut)))).toMatchObject({ kind: "invalid", code: "TRUNCATED" });
      }
    });
    test(`${name} damaged`, async () => {
      const damaged = Buffer.from(bytes);
      damaged.fill(0xff, 5000, 5100);
      expect(await rejection(all(damaged))).toMatchObject({ kind: "invalid" });
    });
  }
  test("a second gzip member cut off", async () => {
    const two = Buffer.concat([gzipSync(content), gzipSync(content)]);
      expect(await rejection(all(two.subarray(0, two.length - 100)))).toMatchObject({ code: "TRUNCATED" });
  });
  test("a bomb, without unpacking all of it", async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
      expect(await rejection(all(bomb, { maxBytes: 1_000_000 }))).toMatchObject({ code: "TOO_LARGE" });
  });
  test("compressions we do not read, by name", async () => {
    const xz = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]);
    for (const [name, head] of [["xz", xz], ["bzip2", Buffer.from("BZh91AY")], ["lz4", Buffer.from([0x04, 0x22, 0x4d, 0x18])]] as const)
      expect(String(await rejection(all(head)))).toContain(`${name} is not supported`);
    // Whoever can read one is given all of it.
    expect((await all(xz, { foreign: (_: string, source: AsyncIterable<Uint8Array>) => source })).equals(xz)).toBe(true);
  });
});

test("chunks that are done with give their memory back, and none loses a byte", async () => {
  for (const bytes of [gzipSync(content), zstdCompressSync(content)]) {
    for (const size of [1000, 65_536, bytes.length]) {
      const seen: Buffer[] = [];
      const buffers = new Set<ArrayBufferLike>();
      for await (const chunk of decompress(chunks(bytes, size), { transient: true })) {
        seen.push(Buffer.from(chunk));
        buffers.add(chunk.buffer);
      }
      expect(Buffer.concat(seen).equals(content)).toBe(true);
      // Of 1 MB, all but the last piece.
      expect([...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThan(bytes.length + 2 * 262_144);
    }
  }
});

test("an error of the source comes through unchanged", async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield gzipSync(content).subarray(0, 1000);
    throw new Error("connection lost");
  }
  expect(String(await rejection(Array.fromAsync(decompress(broken()))))).toContain("connection lost");
});

test("leaving early ends the source", async () => {
  let ended = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield gzipSync(randomBytes(100_000));
    } finally {
      ended = true;
    }
  }
  for await (const chunk of decompress(endless())) if (chunk.length > 0) break;
  expect(ended).toBe(true);
});

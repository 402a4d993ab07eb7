/**
 * Mutational fuzzing of the tar reader: archives are damaged at random and read. Whatever the bytes, the reader either finishes or
 * throws its own error, keeps the handler's protocol, hands out no more data than it was given, and takes bounded time.
 *
 * SAMPAN_FUZZ_SECONDS bounds the time (CI gives a minute), SAMPAN_FUZZ_SEED repeats a run.
 */
import { expect, test } from "bun:test";
import { SampanError } from "../../src/base/index.ts";
import { emptyTarEntry, tarHeader, tarPadding, TarReader, tarTrailer, toBytes, type TarEntry } from "../../src/storage/tar/index.ts";

const seconds = Number(process.env["SAMPAN_FUZZ_SECONDS"] ?? 5);
const seed = Number(process.env["SAMPAN_FUZZ_SEED"] ?? Date.now() % 0x7fff_ffff);

/** mulberry32: small, seeded, good enough to pick bytes with. */
function randomFrom(start: number): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below | 0;
  };
}

function corpus(): Buffer[] {
  const member = (fields: Omit<Partial<TarEntry>, "name"> & { name: string }, data = ""): Buffer =>
    Buffer.concat([tarHeader(emptyTarEntry({ size: data.length, ...fields, name: toBytes(fields.name) })), Buffer.from(data), tarPadding(data.length)]);
  const paxed = (records: string, header: Buffer): Buffer => {
    const extended = Buffer.from(member({ name: "p" }, records));
    extended.write("x", 156);
    return Buffer.concat([sum(extended), header]);
  };
  const long = Buffer.from(member({ name: "././@LongLink" }, `${"n".repeat(300)}\0`));
  long.write("L", 156);
  const old = Buffer.from(member({ name: "old" }, "abcdef"));
  old.fill(0, 345, 512).write("S", 156);
  for (const [at, text] of [[386, "00000000000"], [398, "00000000002"], [410, "00000000144"], [422, "00000000004"], [483, "00000000310"]] as const) old.write(text, at);
  return [
    Buffer.concat([member({ name: "d/", type: "directory" }), member({ name: "d/f", mtimeNsec: 5 }, "x".repeat(900)), tarTrailer()]),
    Buffer.concat([member({ name: "é".repeat(80), xattrs: new Map([[toBytes("user.k"), toBytes("v")]]) }, "data"), tarTrailer()]),
    Buffer.concat([sum(long), member({ name: "s", type: "symlink", linkname: toBytes("t".repeat(150)) }), tarTrailer()]),
    Buffer.concat([paxed("22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n27 GNU.sparse.realsize=200\n", member({ name: "s" }, `2\n0\n4\n100\n3\n${"\0".repeat(500)}headend`)), tarTrailer()]),
    Buffer.concat([paxed("23 GNU.sparse.size=200\n28 GNU.sparse.map=0,4,100,3\n", member({ name: "s" }, "headend")), tarTrailer()]),
    Buffer.concat([sum(old), tarTrailer()]),
  ];
}

/** Gives the first header of `archive` a true checksum, so that damage gets past the first line of defence. */
function sum(archive: Buffer, at = 0): Buffer {
  const block = archive.subarray(at, at + 512);
  if (block.length < 512) return archive;
  block.fill(0x20, 148, 156);
  block.write(`${block.reduce((total, byte) => total + byte, 0).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return archive;
}

function mutate(source: Buffer, other: Buffer, random: (below: number) => number): Buffer {
  let archive = Buffer.from(source);
  for (let round = 1 + random(4); round > 0; round--) {
    const at = random(archive.length);
    switch (random(7)) {
      case 0:
        archive[at] = random(256);
        break;
      case 1:
        archive[at] = (archive[at] ?? 0) ^ (1 << random(8));
        break;
      case 2:
        archive.fill([0, 0xff, 0x80, 0x37, 0x20][random(5)] ?? 0, at, Math.min(archive.length, at + random(16)));
        break;
      case 3:
        archive = archive.subarray(0, at);
        break;
      case 4:
        archive = Buffer.concat([archive.subarray(0, at & ~511), other.subarray(random(other.length) & ~511)]);
        break;
      case 5:
        archive.write("xgLKS0125V7"[random(11)] ?? "0", (at & ~511) + 156 < archive.length ? (at & ~511) + 156 : at);
        break;
      default:
        archive.write(String(random(2) === 0 ? random(1 << 30) : random(600)), at);
    }
    if (archive.length === 0) return archive;
    // Most of the time, mend the checksum of every block that looks like a header.
    if (random(8) !== 0) for (let block = 0; block + 512 <= archive.length; block += 512) if (archive.toString("latin1", block + 257, block + 262) === "ustar") sum(archive, block);
  }
  return archive;
}

function check(archive: Buffer, chunkSize: number): string {
  let open = false;
  let given = 0;
  let reached = 0;
  let log = "";
  const reader = new TarReader({
    entry(entry) {
      if (open) throw new Error("entry before done");
      open = true;
      reached = 0;
      if (entry.name.includes("\0") || entry.size < 0 || !Number.isSafeInteger(entry.size)) throw new Error("unchecked field");
      log += `${entry.type} ${entry.name} ${entry.size}\n`;
    },
    data(chunk, offset) {
      if (!open || chunk.length === 0 || offset < reached) throw new Error("data out of order");
      reached = offset + chunk.length;
      given += chunk.length;
    },
    done() {
      if (!open) throw new Error("done without entry");
      open = false;
    },
  });
  try {
    for (let at = 0; at < archive.length; at += chunkSize) reader.write(archive.subarray(at, at + chunkSize));
    reader.end();
    if (open) throw new Error("ended inside a member");
  } catch (error) {
    if (!(error instanceof SampanError) || error.kind !== "invalid") throw error;
    log += error.message.replace(/ \(at byte .*/, "");
  }
  if (given > archive.length) throw new Error("more data than was given");
  return log;
}

test(`the tar reader holds its promises for damaged archives (seed ${seed}, ${seconds} s)`, () => {
  const random = randomFrom(seed);
  const seeds = corpus();
  for (const archive of seeds) expect(check(archive, archive.length)).not.toContain("Cannot");
  const until = performance.now() + seconds * 1000;
  let runs = 0;
  while (performance.now() < until) {
    const source = seeds[random(seeds.length)] ?? Buffer.alloc(0);
    const archive = mutate(source, seeds[random(seeds.length)] ?? source, random);
    const started = performance.now();
    const whole = check(archive, Math.max(1, archive.length));
    // However it is cut into chunks, an archive says the same.
    const pieces = check(archive, 1 + random(700));
    if (whole !== pieces) throw new Error(`chunks change what is read:\n${whole}\n---\n${pieces}\n${archive.toString("base64")}`);
    expect(performance.now() - started).toBeLessThan(1000);
    runs++;
  }
  expect(runs).toBeGreaterThan(100);
}, (seconds + 30) * 1000);

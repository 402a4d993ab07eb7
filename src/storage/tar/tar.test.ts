import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { emptyTarEntry, tarHeader, tarPadding, TarReader, tarTrailer, toBytes, type ByteString, type TarEntry } from "./index.ts";


interface Read {
  entry: TarEntry;
  pieces: [offset: number, data: string][];
  done: boolean;
}

function read(archive: Uint8Array, chunkSize = archive.length, options = {}): Read[] {
  const found: Read[] = [];
  const reader = new TarReader(
    {
      entry: (entry) => void found.push({ entry, pieces: [], done: false }),
      data: (chunk, offset) => {
        const last = found.at(-1);
        if (last === undefined || last.done) throw new Error("data outside a member");
        const before = last.pieces.at(-1);
        const text = Buffer.from(chunk).toString("latin1");
        if (before !== undefined && before[0] + before[1].length === offset) before[1] += text;
        else last.pieces.push([offset, text]);
      },
      done: () => {
        const last = found.at(-1);
        if (last === undefined || last.done) throw new Error("done twice");
        last.done = true;
      },
    },
    options,
  );
  for (let at = 0; at < archive.length; at += Math.max(1, chunkSize)) reader.write(archive.subarray(at, at + chunkSize));
  reader.end();
  return found;
}

function pack(...members: (readonly [TarEntry, string] | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const member of members) {
    if (member instanceof Uint8Array) parts.push(member);
    else parts.push(tarHeader(member[0]), Buffer.from(member[1], "latin1"), tarPadding(member[1].length));
  }
  return Buffer.concat([...parts, tarTrailer()]);
}

function file(name: string, data: string, fields: Partial<TarEntry> = {}): readonly [TarEntry, string] {
  return [emptyTarEntry({ name: toBytes(name), size: data.length, ...fields }), data];
}

/** A header made by hand: `edit` changes the block before the checksum is written. */
function raw(typeflag: string, name: string, size: number, edit: (block: Buffer) => void = () => undefined): Buffer {
  const block = Buffer.from(tarHeader(emptyTarEntry({ name: toBytes(name), size })));
  block.write(typeflag, 156, "latin1");
  edit(block);
  block.fill(0x20, 148, 156);
  block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function pax(typeflag: "x" | "g", ...records: [string, string][]): Buffer {
  const body = Buffer.from(
    records
      .map(([key, value]) => {
        const rest = key.length + value.length + 3;
        let length = rest + 1;
        while (String(length).length + rest !== length) length++;
        return `${length} ${key}=${value}\n`;
      })
      .join(""),
    "latin1",
  );
  return Buffer.concat([raw(typeflag, "PaxHeaders", body.length), body, tarPadding(body.length)]);
}

function gnu(typeflag: "L" | "K", name: string): Buffer {
  const body = Buffer.from(`${name}\0`, "latin1");
  return Buffer.concat([raw(typeflag, "././@LongLink", body.length), body, tarPadding(body.length)]);
}

const names = fc
  .array(fc.stringMatching(/^[a-zA-Z0-9._é\u{1f600}-]{1,60}$/u), { minLength: 1, maxLength: 8 })
  .map((parts) => toBytes(parts.join("/")));
const byteText = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1") as ByteString); // brand: latin1
const entries = fc
  .record({
    name: names,
    type: fc.constantFrom("file" as const, "directory" as const, "symlink" as const, "link" as const, "char" as const, "fifo" as const),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 0xffff_fffe }),
    gid: fc.integer({ min: 0, max: 0xffff_fffe }),
    mtimeSec: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    mtimeNsec: fc.integer({ min: 0, max: 999_999_999 }),
    linkname: names,
    major: fc.integer({ min: 0, max: 4095 }),
    minor: fc.integer({ min: 0, max: 0xfffff }),
    xattrs: fc.option(fc.dictionary(fc.stringMatching(/^user\.[a-z.]{1,20}$/), byteText, { minKeys: 1, maxKeys: 3 }), { nil: undefined }),
    data: fc.uint8Array({ maxLength: 2000 }),
  })
  .map((made): readonly [TarEntry, string] => {
    const data = made.type === "file" ? Buffer.from(made.data).toString("latin1") : "";
    const device = made.type === "char";
    const link = made.type === "symlink" || made.type === "link";
    return [
      emptyTarEntry({
        ...made,
        typeflag: { file: "0", link: "1", symlink: "2", char: "3", directory: "5", fifo: "6" }[made.type],
        name: made.type === "directory" ? (`${made.name}/` as ByteString) : made.name, // brand: plus ASCII
        linkname: link ? made.linkname : toBytes(""),
        major: device ? made.major : 0,
        minor: device ? made.minor : 0,
        size: data.length,
        xattrs: made.xattrs === undefined ? undefined : new Map(Object.entries(made.xattrs).sort() as [ByteString, ByteString][]), // brand: ASCII keys
      }),
      data,
    ];
  });

describe("round trip", () => {
  test("every member is read as it was written, in chunks of any size", () => {
    fc.assert(
      fc.property(fc.array(entries, { maxLength: 6 }), fc.integer({ min: 1, max: 3000 }), (members, chunkSize) => {
        const found = read(pack(...members), chunkSize);
        expect(found.map(({ entry }) => ({ ...entry, data: undefined }))).toEqual(members.map(([entry]) => ({ ...entry, data: undefined })));
        expect(found.map(({ pieces }) => pieces.map(([, text]) => text).join(""))).toEqual(members.map(([, data]) => data));
        expect(found.every(({ done }) => done)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  test("a plain name stays plain ustar, one that is too long or not ASCII becomes PAX", () => {
    expect(tarHeader(file("etc/passwd", "")[0]).length).toBe(512);
    expect(tarHeader(file(`${"d".repeat(120)}/${"n".repeat(90)}`, "")[0]).length).toBe(512);
    expect(tarHeader(file("n".repeat(101), "")[0]).length).toBe(1536);
    expect(tarHeader(file("é", "")[0]).length).toBe(1536);
  });

  test("is deterministic whatever the order of the attributes", () => {
    const one = new Map([[toBytes("user.a"), toBytes("1")], [toBytes("user.b"), toBytes("2")]]);
    const other = new Map([...one].reverse());
    expect(tarHeader(file("f", "", { xattrs: one })[0])).toEqual(tarHeader(file("f", "", { xattrs: other })[0]));
  });

  test("sizes from 8 GiB on survive", () => {
    const header = tarHeader(file("big", "", { size: 2 ** 40 })[0]);
    let size = 0;
    new TarReader({ entry: (entry) => (size = entry.size), data: () => undefined, done: () => undefined }).write(header);
    expect(size).toBe(2 ** 40);
  });
});

describe("GNU and PAX", () => {
  test("GNU long names and links", () => {
    const long = "l/".repeat(200);
    const [found] = read(pack(gnu("L", `${long}name`), gnu("K", `${long}target`), raw("2", "short", 0)));
    expect(found?.entry.name).toBe(toBytes(`${long}name`));
    expect(found?.entry.linkname).toBe(toBytes(`${long}target`));
    // An empty one says nothing.
    expect(read(pack(gnu("L", ""), gnu("K", ""), raw("2", "short", 0, (block) => { block.write("to", 157); }))).map(({ entry }) => [
      entry.name as string,
      entry.linkname as string,
    ])).toEqual([["short", "to"]]);
  });

  test("PAX size decides where the next header is", () => {
    const archive = Buffer.concat([pax("x", ["size", "5"]), raw("0", "a", 0), Buffer.from("hello"), tarPadding(5), raw("0", "b", 0), tarTrailer()]);
    expect(read(archive).map(({ entry, pieces }) => [entry.name as string, pieces])).toEqual([["a", [[0, "hello"]]], ["b", []]]);
  });

  test("a PAX size on a directory is ignored: it has no data", () => {
    const archive = Buffer.concat([pax("x", ["size", "512"]), raw("5", "a/", 0), raw("0", "b", 0), tarTrailer()]);
    expect(read(archive).map(({ entry }) => entry.name as string)).toEqual(["a/", "b"]);
  });

  test("a global header gives owners and times to all that follow, and may not name them", () => {
    const found = read(Buffer.concat([pax("g", ["uid", "7"], ["mtime", "-1.25"]), raw("0", "a", 0), pax("x", ["uid", "8"]), raw("0", "b", 0), tarTrailer()]));
    expect(found.map(({ entry }) => [entry.uid, entry.mtimeSec, entry.mtimeNsec])).toEqual([[7, -2, 750_000_000], [8, -2, 750_000_000]]);
    expect(() => read(Buffer.concat([pax("g", ["path", "x"]), raw("0", "a", 0)]))).toThrow("global header");
    expect(() => read(Buffer.concat([pax("g", ["size", "1"]), raw("0", "a", 0)]))).toThrow("global header");
  });

  test("base-256 numbers, negative times too", () => {
    const [found] = read(
      pack(
        raw("0", "a", 0, (block) => {
          block.fill(0xff, 136, 148);
          block.writeUInt8(0xfe, 147);
          block.fill(0, 108, 116).writeUInt8(0x80, 108);
          block.writeUInt32BE(3_000_000_000, 112);
        }),
      ),
    );
    expect(found?.entry.mtimeSec).toBe(-2);
    expect(found?.entry.uid).toBe(3_000_000_000);
  });

  test("names before POSIX: a trailing slash is a directory, a prefix is not looked at", () => {
    const [found] = read(
      pack(
        raw("\0", "old/", 0, (block) => {
          block.fill(0, 257, 265);
          block.write("not a prefix", 345);
        }),
      ),
    );
    expect([found?.entry.type, found?.entry.name as string]).toEqual(["directory", "old/"]);
  });
});

test("old Go put POSIX's prefix into GNU headers, over two times: it is one if it is no time", () => {
  const name = (at345: string): string | undefined =>
    read(pack(raw("0", "name", 0, (block) => {
      block.write("ustar  \0", 257, "latin1");
      block.fill(0, 345, 500).write(at345, 345, "latin1");
    })))[0]?.entry.name;
  expect(name("a/long/way")).toBe("a/long/way/name");
  expect(name("00000000001\x0000000000002\0")).toBe("name");
  expect(name("\x80\0\0\0\0\0\0\0\0\0\0\x01")).toBe("name");
});

describe("sparse files", () => {
  const pieces: [number, string][] = [[0, "head"], [10, "middle"], [100, "end"]];
  const stored = "headmiddleend";
  const data = Buffer.concat([Buffer.from(stored), tarPadding(stored.length)]);
  const next = raw("0", "next", 0);

  function check(archive: Buffer): void {
    for (const chunkSize of [archive.length, 7, 512, 1000]) {
      const found = read(archive, chunkSize);
      expect(found.map(({ entry }) => [entry.name as string, entry.size, entry.sparse])).toEqual([["sparse", 200, true], ["next", 0, false]]);
      expect(found[0]?.pieces).toEqual(pieces);
    }
  }

  test("0.0", () => {
    const records: [string, string][] = [["GNU.sparse.size", "200"], ["GNU.sparse.numblocks", "3"]];
    for (const [offset, text] of pieces) records.push(["GNU.sparse.offset", String(offset)], ["GNU.sparse.numbytes", String(text.length)]);
    check(Buffer.concat([pax("x", ...records), raw("0", "sparse", stored.length), data, next, tarTrailer()]));
  });

  test("0.1", () => {
    const header = pax("x", ["GNU.sparse.size", "200"], ["GNU.sparse.map", "0,4,10,6,100,3"], ["GNU.sparse.name", "sparse"]);
    check(Buffer.concat([header, raw("0", "GNUSparseFile.1/x", stored.length), data, next, tarTrailer()]));
  });

  test("1.0", () => {
    const map = Buffer.from("3\n0\n4\n10\n6\n100\n3\n");
    const header = pax("x", ["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"], ["GNU.sparse.realsize", "200"], ["GNU.sparse.name", "sparse"]);
    check(Buffer.concat([header, raw("0", "GNUSparseFile.1/x", 512 + stored.length), map, tarPadding(map.length), data, next, tarTrailer()]));
  });

  test("old GNU, with an extension block", () => {
    const extension = Buffer.alloc(512);
    extension.write("00000000144\0", 0);
    extension.write("00000000003\0", 12);
    const header = raw("S", "sparse", stored.length, (block) => {
      block.fill(0, 345, 512);
      block.write("ustar  \0", 257);
      block.write("00000000000\0", 386);
      block.write("00000000004\0", 398);
      block.write("00000000012\0", 410);
      block.write("00000000006\0", 422);
      // Unused descriptors end the list; the next two pieces would stand here.
      block.writeUInt8(1, 482);
      block.write("00000000310\0", 483);
    });
    check(Buffer.concat([header, extension, data, next, tarTrailer()]));
  });

  test("maps that overlap, pass the end, or do not match the data are refused", () => {
    for (const map of ["0,4,2,6,100,3", "0,4,10,6,198,3", "0,4,10,6,100,4", "0,4,10,6,100"]) {
      const header = pax("x", ["GNU.sparse.size", "200"], ["GNU.sparse.map", map]);
      expect(() => read(Buffer.concat([header, raw("0", "s", stored.length), data, tarTrailer()]))).toThrow("Cannot read tar archive");
    }
  });

  test("a 1.0 map may not be endless", () => {
    const header = pax("x", ["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"], ["GNU.sparse.realsize", "200"]);
    const map = Buffer.concat([Buffer.from("9999999\n"), Buffer.alloc(2 ** 21 - 8, "1\n")]);
    expect(() => read(Buffer.concat([header, raw("0", "s", map.length), map, tarTrailer()]))).toThrow("too long");
  });
});

describe("refused", () => {
  const whole = pack(file("a", "x".repeat(700)), file("b", ""));

  test("an archive that stops anywhere but between members", () => {
    for (let cut = 1; cut < 512 + 1024; cut++) {
      expect(() => read(whole.subarray(0, cut))).toThrow("in the middle");
    }
    expect(read(whole.subarray(0, 512 + 1024)).length).toBe(1);
    expect(read(Buffer.alloc(0))).toEqual([]);
  });

  const cases: [string, Buffer, string][] = [
    ["a wrong checksum", Buffer.from(whole).fill(0x42, 0, 1), "checksum"],
    ["something else", Buffer.alloc(1024, "not a tar "), "not a tar header"],
    ["a negative size", raw("0", "a", 0, (block) => block.fill(0xff, 124, 136)), "negative"],
    ["a size beyond all numbers", raw("0", "a", 0, (block) => block.fill(0xff, 124, 136).writeUInt8(0x80, 124)), "out of range"],
    ["an octal field with letters", raw("0", "a", 0, (block) => block.write("12x", 124)), "not a number"],
    ["a PAX size that is negative", Buffer.concat([pax("x", ["size", "-1"]), raw("0", "a", 0)]), "size"],
    ["a PAX size beyond all numbers", Buffer.concat([pax("x", ["size", "99999999999999999999"]), raw("0", "a", 0)]), "size"],
    ["an owner of -1", Buffer.concat([pax("x", ["uid", "4294967295"]), raw("0", "a", 0)]), "owner"],
    ["a PAX path with a NUL", Buffer.concat([pax("x", ["path", "a\0b"]), raw("0", "a", 0)]), "NUL"],
    ["an extended header of 2 MiB", raw("x", "p", 2 << 20), "too long"],
    ["a long name of 8 GiB", raw("L", "p", 2 ** 33 - 1), "too long"],
    ["an extended header with nothing after it", Buffer.concat([pax("x", ["path", "a"]), tarTrailer()]), "after an extended header"],
    ["a header after a block of zeros", Buffer.concat([Buffer.alloc(512), raw("0", "a", 0)]), "follows"],
  ];
  for (const [what, archive, message] of cases) {
    test(what, () => {
      expect(() => read(archive)).toThrow(message);
    });
  }

  test("PAX records whose lengths lie", () => {
    for (const body of ["5 a=b\n", "7 a=b\n", "99 a=b\n", "a=b\n", "6 =bc\n", "6 a=b\n6 a", "0 a=b\n", "4 a\n"]) {
      const bytes = Buffer.from(body);
      const archive = Buffer.concat([raw("x", "p", bytes.length), bytes, tarPadding(bytes.length), raw("0", "a", 0), tarTrailer()]);
      expect(() => read(archive)).toThrow("extended header record");
    }
  });
});

test("what follows the end marker is not looked at", () => {
  expect(read(Buffer.concat([pack(file("a", "")), Buffer.alloc(3000, 0x55)])).length).toBe(1);
});

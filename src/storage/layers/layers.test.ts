import { describe, expect, test } from "bun:test";
import { rejection } from "../../../test/support/rejection.ts";
import fc from "fast-check";
import { SampanError } from "../../base/index.ts";
import { emptyTarEntry, tarHeader, tarPadding, tarTrailer, toBytes, type EntryType, type TarEntry } from "../tar/index.ts";
import {
  applyLayer, DEFAULT_LAYER_LIMITS, diffToTar, inheritDirectories, LayerPlanner, RecorderSink, treeManifest, type DirectoryFacts, type LayerOp,
  type LayerPlannerOptions, type LayerSummary, type LayerView, type TreeEntry,
} from "./index.ts";

type Fields = Partial<Omit<TarEntry, "name" | "linkname" | "xattrs">> & { to?: string; xattrs?: Record<string, string>; data?: string };

function plan(
  entries: [name: string, type?: EntryType, fields?: Fields][], options: LayerPlannerOptions = {}, push?: (op: LayerOp) => void,
): { lines: string[]; summary: LayerSummary } {
  const recorder = new RecorderSink();
  const planner = new LayerPlanner(push ?? ((op) => recorder.push(op)), options);
  for (const [name, type = "file", { to = "", xattrs, data = "", ...fields } = {}] of entries) {
    planner.entry(emptyTarEntry({
      type, mode: type === "directory" ? 0o755 : 0o644, size: data.length, ...fields,
      name: toBytes(name), linkname: toBytes(to),
      xattrs: xattrs === undefined ? undefined : new Map(Object.entries(xattrs).map(([key, value]) => [toBytes(key), toBytes(value)])),
    }));
    if (data !== "") planner.data(Buffer.from(data), 0);
    planner.done();
  }
  const summary = planner.finish();
  return { lines: recorder.lines(), summary };
}

/** Without the directories' own attributes, which every plan ends with. */
function body(lines: string[]): string[] {
  const end = lines.findIndex((line) => line.startsWith("open "));
  return lines.slice(0, lines[end - 1]?.startsWith("enter ") === true ? end - 1 : end);
}

describe("what is made", () => {
  test("the worked example of the protocol", () => {
    const { lines, summary } = plan([["usr/bin/su", "file", { mode: 0o4755, data: "hello", mtimeSec: 1_700_000_000 }]]);
    expect(lines).toEqual([
      'enter ""', "mkdir usr", 'enter "usr"', "mkdir bin", 'enter "usr/bin"', "create su 0755",
      'write "hello" 0', "fchmod 04755", "futimens 1700000000 0", "close",
      'enter "usr"', "open bin", "fchmod 0755", "futimens 0 0", "close",
      'enter ""', "open usr", "fchmod 0755", "futimens 0 0", "close",
      "open .", "fchmod 0755", "futimens 0 0", "close",
    ]);
    expect<readonly string[]>(summary.implicit).toEqual(["", "usr", "usr/bin"]);
  });

  test("owner, then mode, then attributes, then times, of which only the harmless are kept", () => {
    const xattrs = { "security.capability": "cap", "user.a": "1", "trusted.overlay.opaque": "y", "user.overlay.redirect": "/x", "security.selinux": "s" };
    const { lines, summary } = plan([["f", "file", { uid: 1, gid: 2, mode: 0o6755, xattrs }]]);
    expect(body(lines)).toEqual([
      'enter ""', "create f 0755", "fchown 1:2", "fchmod 06755", 'fsetxattr security.capability "cap"', 'fsetxattr user.a "1"', "futimens 0 0", "close",
    ]);
    expect(summary.droppedXattrs).toEqual(["security.selinux", "trusted.overlay.opaque", "user.overlay.redirect"]);
  });

  test("links, devices, FIFOs", () => {
    const { lines } = plan([
      ["s", "symlink", { to: "../../etc/passwd", uid: 5 }], ["f"], ["d/h", "link", { to: "/f" }], ["hs", "link", { to: "s" }],
      ["c", "char", { major: 1, minor: 3, mode: 0o666 }], ["p", "fifo", { mode: 0o1600, gid: 7 }],
    ]);
    expect(body(lines)).toEqual([
      'enter ""', "symlink s ../../etc/passwd", "chown s 5:0", "utimens s 0 0", "create f 0644", "futimens 0 0", "close",
      "mkdir d", 'source ""', 'enter "d"', "link f h", 'source ""', 'enter ""', "link s hs",
      "mknod c char 0666 1:3", "utimens c 0 0", "mknod p fifo 0600 0:0", "chown p 0:7", "chmod p 01600", "utimens p 0 0",
    ]);
  });

  test("the root's own attributes", () => {
    const { lines, summary } = plan([["./", "directory", { mode: 0o700, uid: 3, mtimeSec: 9 }]]);
    expect(lines).toEqual(['enter ""', "open .", "fchown 3:0", "fchmod 0700", "futimens 9 0", "close"]);
    expect(summary.implicit).toEqual([]);
  });

  test("sparse files end where they should", () => {
    expect(body(plan([["f", "file", { data: "x", size: 100, sparse: true }]]).lines)).toContain("truncate 100");
  });
});

describe("the last of a name wins", () => {
  test("file over file, directory over directory, each over the other", () => {
    expect(body(plan([["a"], ["a", "file", { data: "2" }]]).lines)).toEqual([
      'enter ""', "create a 0644", "futimens 0 0", "close", "unlink a", "create a 0644", 'write "2" 0', "futimens 0 0", "close",
    ]);
    expect(body(plan([["d", "directory"], ["d/x", "fifo"], ["d", "directory", { mode: 0o700 }]]).lines)).toEqual([
      'enter ""', "mkdir d", 'enter "d"', "mknod x fifo 0644 0:0", "utimens x 0 0",
    ]);
    expect(body(plan([["d/e/x", "fifo"], ["d", "fifo"]]).lines).slice(-7)).toEqual([
      "unlink x", 'enter "d"', "rmdir e", 'enter ""', "rmdir d", "mknod d fifo 0644 0:0", "utimens d 0 0",
    ]);
    expect(body(plan([["s", "symlink", { to: "/etc" }], ["s", "directory"], ["s/f", "fifo"]]).lines)).toEqual([
      'enter ""', "symlink s /etc", "utimens s 0 0", "unlink s", "mkdir s", 'enter "s"', "mknod f fifo 0644 0:0", "utimens f 0 0",
    ]);
  });

  test("siblings of a replaced parent do not land in the old one", () => {
    const { lines } = plan([["l", "symlink", { to: "a" }], ["l/x", "fifo"], ["l", "directory"], ["l/y", "fifo"]]);
    expect(body(lines).slice(-3)).toEqual(['enter "l"', "mknod y fifo 0644 0:0", "utimens y 0 0"]);
  });
});

describe("symbolic links among the parents lead within the root", () => {
  const cases: [string, string, string][] = [
    ["a relative one", "lib", "lib"],
    ["an absolute one", "/lib", "lib"],
    ["one that climbs", "../../../lib", "lib"],
    ["one through /proc", "/proc/self/root", "proc/self/root"],
  ];
  for (const [what, target, where] of cases) {
    test(what, () => {
      const { lines } = plan([["l", "symlink", { to: target }], ["l/f", "fifo"]]);
      expect(lines.slice(0, lines.indexOf("mknod f fifo 0644 0:0")).at(-1)).toBe(`enter "${where}"`);
    });
  }
  test("a loop is refused", () => {
    expect(() => plan([["a", "symlink", { to: "b" }], ["b", "symlink", { to: "a" }], ["a/f"]])).toThrow("too many levels");
  });
});

describe("whiteouts", () => {
  test("remove what is below, not what is in this layer, whatever the order", () => {
    expect(body(plan([["d/.wh.x"]]).lines)).toEqual(['enter ""', "mkdir d", 'enter "d"', "mknod x char 00 0:0"]);
    for (const order of [[["x"], [".wh.x"]], [[".wh.x"], ["x"]]] as [string][][]) {
      expect(body(plan(order).lines)).toEqual(['enter ""', "create x 0644", "futimens 0 0", "close"]);
    }
  });

  test("a directory removed and made again is opaque, and takes after nothing below", () => {
    for (const order of [[[".wh.d"], ["d/f", "fifo"]], [["d/f", "fifo"], [".wh.d"]]] as [string, EntryType?][][]) {
      const { lines, summary } = plan(order);
      expect(lines).toContain('fsetxattr trusted.overlay.opaque "y"');
      expect<readonly string[]>(summary.opaque).toEqual(["d"]);
      expect<readonly string[]>(summary.implicit).toEqual([""]);
    }
  });

  test("opaque directories, in both spellings of overlayfs; an opaque root is told, not marked", () => {
    expect(plan([["d/.wh..wh..opq"]]).lines).toContain('fsetxattr trusted.overlay.opaque "y"');
    expect(plan([["d/.wh..wh..opq"]], { overlayXattrs: "user" }).lines).toContain('fsetxattr user.overlay.opaque "y"');
    const { lines, summary } = plan([[".wh..wh..opq"], ["d", "directory"]]);
    expect(lines.join()).not.toContain("opaque");
    expect(summary.opaqueRoot).toBe(true);
  });

  test("a 0/0 device of the archive is the whiteout that overlayfs takes it for", () => {
    expect(body(plan([["x", "char", { mode: 0o666, uid: 4 }]]).lines)).toEqual(['enter ""', "mknod x char 00 0:0"]);
  });

  test("below a file that took a directory's place they have nothing to do", () => {
    for (const order of [[["d", "fifo"], ["d/.wh.x"]], [["d/.wh.x"], ["d", "fifo"]]] as [string, EntryType?][][]) {
      expect(body(plan(order).lines).slice(-2)).toEqual(["mknod d fifo 0644 0:0", "utimens d 0 0"]);
    }
  });

  test("aufs's metadata is passed over", () => {
    expect(body(plan([[".wh..wh.aufs"], [".wh..wh.plnk", "directory"], [".wh..wh.plnk/1.2", "file", { data: "x" }], [".wh..wh.orph/x"]]).lines)).toEqual([]);
  });
});

describe("refused", () => {
  const cases: [string, [string, EntryType?, Fields?][], string][] = [
    ["a name that climbs out", [["../x"]], "out of the root"],
    ["one that climbs out later", [["a/../../x"]], "out of the root"],
    ["an absolute one that climbs", [["/../x"]], "out of the root"],
    ["a hard link that climbs out", [["x", "link", { to: "../etc/passwd" }]], "out of the root"],
    ["a hard link to what is not there", [["x", "link", { to: "/etc/passwd" }]], "not in this layer"],
    ["a hard link through a symbolic link out of the root", [["s", "symlink", { to: "../../etc" }], ["x", "link", { to: "s/passwd" }]], "not in this layer"],
    ["a hard link to a directory", [["d", "directory"], ["x", "link", { to: "d" }]], "to a directory"],
    ["a hard link to itself", [["x"], ["x", "link", { to: "./x" }]], "itself"],
    ["a hard link that replaces its target's directory", [["d/x"], ["d", "link", { to: "d/x" }]], "not in this layer"],
    ["a whiteout of nothing", [[".wh."]], "whiteout"],
    ["a whiteout of .", [["d/.wh.."]], "whiteout"],
    ["a whiteout of ..", [["d/.wh..."]], "whiteout"],
    ["something inside a whiteout", [[".wh.d/x"]], "inside a whiteout"],
    ["something inside an opaque marker", [[".wh..wh..opq/x"]], "inside a whiteout"],
    ["a root that is a symbolic link", [["./", "symlink", { to: "/" }]], "root"],
    ["a root that is a file", [["/"]], "root"],
    ["a file as parent", [["f"], ["f/x"]], "not a directory"],
    ["a component that is too long", [["n".repeat(256)]], "more than 255"],
    ["a path that is too long", [["d/".repeat(2047) + "xx"]], "too long"],
    ["a symlink without target", [["s", "symlink"]], "target"],
    ["a device that does not exist", [["c", "char", { major: 4096, minor: 1 }]], "does not exist"],
    ["an unknown type", [["v", "unknown", { typeflag: "V" }]], "not supported"],
  ];
  for (const [what, entries, message] of cases) {
    test(what, () => {
      expect(() => plan(entries)).toThrow(message);
    });
  }
  test("more than the limits allow", () => {
    expect(() => plan([["a"], ["b"]], { limits: { ...DEFAULT_LAYER_LIMITS, entries: 1 } })).toThrow("more than 1 entries");
    expect(() =>
      plan([["s", "symlink", { to: "x".repeat(4000) }]], { limits: { ...DEFAULT_LAYER_LIMITS, metadataBytes: 4000 } })).toThrow("names and attributes");
    expect(() => plan([[
      "d", "directory", { xattrs: { "user.a": "x".repeat(4000) } },
    ]], { limits: { ...DEFAULT_LAYER_LIMITS, metadataBytes: 4000 } })).toThrow("names and attributes");
    expect(() => plan([["./".repeat(5000)]])).toThrow("too long");
    expect(() => plan([["a", "file", { size: 2 ** 50 }]])).toThrow("more than");
  });
});

/** A file system that fails wherever the kernel would, and wherever the sink's protocol is broken. */
class ModelDisk {
  readonly root = new Map<string, unknown>();
  #d: Map<string, unknown> | undefined;
  #s: Map<string, unknown> | undefined;
  #open = false;

  push = (op: LayerOp): void => {
    const name = "name" in op && op.op !== "fsetxattr" ? op.name : "x";
    if (name === "" || name === ".." || (name === "." && op.op !== "open") || name.includes("/") || name.length > 255)
      throw new Error(`bad name in ${JSON.stringify(op)}`);
    switch (op.op) {
      case "enter":
        this.#d = this.#walk(op.path);
        return;
      case "source":
        this.#s = this.#walk(op.path);
        return;
      case "mkdir":
        return this.#add(op.name, new Map());
      case "create":
        this.#begin();
        return this.#add(op.name, "file");
      case "open":
        this.#begin();
        if (op.name !== "." && !(this.#d?.get(op.name) instanceof Map)) throw new Error("ENOTDIR");
        return;
      case "write":
      case "truncate":
      case "fchown":
      case "fchmod":
      case "fsetxattr":
      case "futimens":
        if (!this.#open) throw new Error("EBADF");
        return;
      case "close":
        if (!this.#open) throw new Error("EBADF");
        this.#open = false;
        return;
      case "symlink":
      case "mknod":
        return this.#add(op.name, op.op);
      case "link": {
        const from = this.#s?.get(op.from);
        if (from === undefined || from instanceof Map) throw new Error("ENOENT");
        return this.#add(op.name, from);
      }
      case "chmod":
      case "chown":
      case "utimens":
        if (this.#d?.has(op.name) !== true || (op.op === "chmod" && this.#d.get(op.name) !== "mknod")) throw new Error("ENOENT");
        return;
      case "unlink":
        if (this.#d?.has(op.name) !== true || this.#d.get(op.name) instanceof Map) throw new Error("ENOENT");
        this.#d.delete(op.name);
        return;
      case "rmdir": {
        const node = this.#d?.get(op.name);
        if (!(node instanceof Map) || node.size > 0) throw new Error("ENOTEMPTY");
        this.#d?.delete(op.name);
      }
    }
  };

  #begin(): void {
    if (this.#open) throw new Error("two files open");
    this.#open = true;
  }

  #add(name: string, node: unknown): void {
    if (this.#d === undefined || this.#d.has(name)) throw new Error("EEXIST");
    this.#d.set(name, node);
  }

  #walk(path: string): Map<string, unknown> {
    let node: unknown = this.root;
    for (const part of path === "" ? [] : path.split("/")) node = node instanceof Map ? node.get(part) : undefined;
    if (!(node instanceof Map)) throw new Error(`ENOTDIR "${path}"`);
    return node as Map<string, unknown>; // only such maps are ever put in
  }
}

test("whatever the entries, no call of the plan can fail or leave the root", () => {
  const part = fc.constantFrom("a", "b", "c", ".", "..", "", ".wh.a", ".wh..wh..opq", "l");
  const path = fc.array(part, { maxLength: 4 }).map((parts) => parts.join("/"));
  const kind = fc.constantFrom<EntryType>("file", "directory", "symlink", "link", "fifo", "char");
  fc.assert(
    fc.property(fc.array(fc.tuple(path, kind, path), { maxLength: 12 }), (entries) => {
      const disk = new ModelDisk();
      const planner = new LayerPlanner(disk.push);
      for (const [name, type, to] of entries) {
        try {
          planner.entry(emptyTarEntry({ name: toBytes(name), type, linkname: toBytes(to) }));
          planner.done();
        } catch (error) {
          // A refusal ends the plan in life; here it only skips, which asks even more of the model.
          if (!(error instanceof SampanError)) throw error;
        }
      }
      planner.finish();
    }),
    { numRuns: 3000 },
  );
});

test("a stream that is not the layer it was called is refused", async () => {
  const archive = Buffer.concat([tarHeader(emptyTarEntry({ name: toBytes("a"), size: 1 })), Buffer.from("x"), tarPadding(1), tarTrailer()]);
  async function* source(): AsyncGenerator<Uint8Array> {
    yield archive.subarray(0, 600);
    yield archive.subarray(600);
  }
  const { diffId } = await applyLayer(source(), new RecorderSink());
  expect(await applyLayer(source(), new RecorderSink(), { diffId })).toMatchObject({ diffId, files: 1, bytes: 1 });
  const other = diffId.replace(/.$/, (last) => (last === "0" ? "1" : "0")) as typeof diffId; // still a digest
  expect(await rejection(applyLayer(source(), new RecorderSink(), { diffId: other }))).toMatchObject({ kind: "invalid", code: "DIFF_ID_MISMATCH" });
});

describe("implicit directories take after the layers below", () => {
  const facts: DirectoryFacts = { mode: 0o1777, uid: 1, gid: 2, mtimeSec: 3, mtimeNsec: 4 };
  const view = (directories: Record<string, DirectoryFacts | "hidden">, opaque: string[] = []): LayerView => ({
    directory: async (path) => directories[path] ?? "silent",
    opaque: (path) => opaque.includes(path),
  });
  async function inherited(below: LayerView[], name = "tmp/x"): Promise<string[]> {
    const sink = new RecorderSink();
    await inheritDirectories(plan([[name]]).summary, below, sink);
    return sink.lines();
  }

  test("the nearest that knows, through those that do not", async () => {
    expect(await inherited([view({}), view({ tmp: facts }), view({ tmp: { ...facts, uid: 9 } })])).toEqual([
      'enter "tmp"', "open .", "fchown 1:2", "fchmod 01777", "futimens 3 4", "close",
    ]);
  });
  test("not past a file, a whiteout or an opaque directory", async () => {
    expect(await inherited([view({ tmp: "hidden" }), view({ tmp: facts })])).toEqual([]);
    expect(await inherited([view({}, [""]), view({ tmp: facts })])).toEqual([]);
    expect(await inherited([view({}, ["tmp"]), view({ tmp: facts })])).not.toEqual([]);
  });
  test("not when this layer hides everything", async () => {
    const sink = new RecorderSink();
    await inheritDirectories(plan([[".wh..wh..opq"], ["tmp/x"]]).summary, [view({ tmp: facts, "": facts })], sink);
    expect(sink.lines()).toEqual([]);
  });
});

describe("commit", () => {
  const file = (path: string, fields: Partial<Omit<TreeEntry, "path" | "xattrs">> & { data?: string; xattrs?: Record<string, string> } = {}): TreeEntry => ({
    type: "file", mode: 0o644, uid: 0, gid: 0, size: fields.data?.length ?? 0, mtimeSec: 0, mtimeNsec: 0, major: 0, minor: 0, target: toBytes(""), ...fields,
    path: toBytes(path),
    xattrs: new Map(Object.entries(fields.xattrs ?? {}).map(([key, value]) => [toBytes(key), toBytes(value)])),
    async *open() {
      yield Buffer.from(fields.data ?? "");
    },
  });
  const tree = (...entries: TreeEntry[]): { walk(): AsyncGenerator<TreeEntry> } => ({
    async *walk() {
      yield* entries;
    },
  });

  test("what was unpacked is what is packed again", async () => {
    const upper = tree(
      file("", { type: "directory", mode: 0o755 }),
      file("d", { type: "directory", mode: 0o755, xattrs: { "trusted.overlay.opaque": "y", "trusted.overlay.origin": "?" } }),
      file("d/f", { data: "hello", inode: "1", xattrs: { "user.a": "b" } }), file("d/g", { data: "hello", inode: "1" }),
      file("gone", { type: "char" }), file("sock", { type: "socket" }),
    );
    const sink = new RecorderSink();
    const summary = await applyLayer(diffToTar(upper), sink);
    expect(body(sink.lines())).toEqual([
      'enter ""', "mkdir d", 'enter "d"', "create f 0644", 'write "hello" 0', 'fsetxattr user.a "b"', "futimens 0 0", "close", 'source "d"', "link f g",
      'enter ""', "mknod gone char 00 0:0",
    ]);
    expect(sink.lines()).toContain('fsetxattr trusted.overlay.opaque "y"');
    expect<readonly string[]>(summary.opaque).toEqual(["d"]);
    expect((await applyLayer(diffToTar(upper), new RecorderSink())).diffId).toBe(summary.diffId);
  });

  test("what a layer cannot say is refused", async () => {
    const drain = (entry: TreeEntry): Promise<Uint8Array[]> => Array.fromAsync(diffToTar(tree(entry)));
    expect(String(await rejection(drain(file(".wh.x"))))).toContain('begin with ".wh."');
    expect(String(await rejection(drain(file("d", { type: "directory", xattrs: { "trusted.overlay.redirect": "/e" } }))))).toContain("another layer");
    expect(String(await rejection(drain(file("f", { data: "abc", size: 4 }))))).toContain("changed while");
    expect(String(await rejection(drain(file("f", { data: "abc", size: 2 }))))).toContain("changed while");
  });

  test("the manifest tells trees apart by any fact", async () => {
    const base = { data: "x", xattrs: { "user.a": "1" } };
    const one = await treeManifest(tree(file("f", base)));
    expect(one).toEqual(['"f" file 0644 0:0 size=1 mtime=0.000000000 user.a=31 sha256=2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881']);
    for (const change of [{ mode: 0o600 }, { uid: 1 }, { mtimeNsec: 1 }, { data: "y" }, { xattrs: {} }, { inode: "1" }]) {
      expect(await treeManifest(tree(file("f", { ...base, ...change })))).not.toEqual(one);
    }
  });
});

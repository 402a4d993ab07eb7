/** A registry that lies, and layers made to break out, through the command line. Needs root. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { digestOf, encodeIndex, encodeJson, encodeManifest, MEDIA_TYPE } from "../../src/oci/index.ts";
import { emptyTarEntry, tarHeader, tarPadding, tarTrailer, toBytes, type TarEntry } from "../../src/storage/tar/index.ts";
import { createSandbox, removeTree, type Sandbox } from "../support/index.ts";
import { namesIn } from "../support/images.ts";
import { startRegistry, type TestRegistry } from "../support/registry/index.ts";

let dir: string;
let registry: TestRegistry;
let sandbox: Sandbox;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "image-hostile-"));
});
afterAll(() => { removeTree(dir); });
beforeEach(async () => {
  registry = await startRegistry();
  sandbox = createSandbox();
});
afterEach(async () => {
  await sandbox[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

interface Member extends Partial<Omit<TarEntry, "name" | "linkname">> {
  readonly name: string;
  readonly linkname?: string;
  readonly content?: string;
}

function tarOf(members: readonly Member[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const { name, linkname = "", content = "", ...rest } of members) {
    const body = Buffer.from(content);
    parts.push(tarHeader(emptyTarEntry({ size: body.length, ...rest, name: toBytes(name), linkname: toBytes(linkname) })), body, tarPadding(body.length));
  }
  return Buffer.concat([...parts, tarTrailer()]);
}

/** An image of one layer, given as what is sent and what its config says of it. */
function offer(blob: Uint8Array, options: { diffOf?: Uint8Array; mediaType?: string; size?: number } = {}): string {
  const config = encodeJson({ os: "linux", architecture: "amd64", config: { Cmd: ["sh"] }, rootfs: { type: "layers", diff_ids: [digestOf(options.diffOf ?? blob)] } });
  const manifest = encodeManifest({
    config: { mediaType: MEDIA_TYPE.ociConfig, digest: digestOf(config), size: config.length },
    layers: [{ mediaType: options.mediaType ?? MEDIA_TYPE.ociLayer, digest: digestOf(blob), size: options.size ?? blob.length }],
  });
  for (const bytes of [config, blob]) registry.addBlob("evil", bytes);
  registry.addManifest("evil", manifest.raw, manifest.mediaType, "1");
  return `${registry.host}/evil:1`;
}

/** Refused in one sentence, with nothing made: no image, no layer, and nothing that is kept for later. */
async function refused(name: string, why: RegExp): Promise<void> {
  const { exitCode, stdout, stderr } = await sandbox.sampan(["pull", "-q", name], { timeoutMs: 120_000 });
  expect(stderr).toMatch(why);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
  expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
  expect(await sandbox.ok(["images", "-aq"])).toBe("");
  expect(namesIn(`${sandbox.root}/layers`).filter((entry) => entry !== "locks")).toEqual([]);
  expect(namesIn(`${sandbox.root}/images/blobs/sha256`)).toEqual([]);
  for (const left of namesIn(`${sandbox.root}/images/ingest`)) expect(readFileSync(`${sandbox.root}/images/ingest/${left}`).length).toBe(0);
}

describe("layers (attack 7)", () => {
  const outside = (): string => join(dir, "outside");
  const escape = (): string => `${"../".repeat(20)}${outside().slice(1)}`;
  const cases: readonly [string, () => readonly Member[], RegExp][] = [
    ["climbs out by ..", () => [{ name: escape(), content: "x" }], /leads out of the root/],
    ["a hard link to a file outside", () => [{ name: "link", type: "link", linkname: escape() }], /leads out of the root/],
    ["a hard link to an absolute path", () => [{ name: "link", type: "link", linkname: "/etc/shadow" }], /not in this layer/],
    ["a hard link through a chain of links", () => [{ name: "a", type: "symlink", linkname: "/etc" }, { name: "b", type: "symlink", linkname: "a" }, { name: "link", type: "link", linkname: "b/shadow" }], /not in this layer/],
    ["a link to itself in the way", () => [{ name: "loop", type: "symlink", linkname: "loop" }, { name: "loop/file", content: "x" }], /too many levels/],
    ["a whiteout of ..", () => [{ name: ".wh..." }], /whiteout of nothing/],
    ["a whiteout of nothing", () => [{ name: ".wh." }], /whiteout of nothing/],
    ["a file inside a whiteout", () => [{ name: ".wh.a/b", content: "x" }], /inside a whiteout/],
    ["the root as a file", () => [{ name: "./", type: "file" }], /root can only be a directory/],
    ["a path that is too long", () => [{ name: "d/".repeat(3000) + "f", content: "x" }], /too long/],
  ];
  for (const [what, members, why] of cases) {
    test(what, async () => {
      await refused(offer(tarOf(members())), why);
      expect(existsSync(outside())).toBe(false);
    }, 30_000);
  }

  test("absolute names, and writing through a symbolic link, stay in the image", async () => {
    writeFileSync(outside(), "untouched");
    const name = offer(tarOf([
      { name: "/abs", content: "in the root" }, { name: "out", type: "symlink", linkname: dir }, { name: "out/outside", content: "through" },
      { name: "up", type: "symlink", linkname: "../../../../.." }, { name: "up/above", content: "at the top" },
    ]));
    await sandbox.ok(["pull", "-q", name]);
    const [layer = ""] = namesIn(`${sandbox.root}/layers`).filter((entry) => entry.length === 64);
    const files = `${sandbox.root}/layers/${layer}/fs`;
    expect([readFileSync(`${files}/abs`, "utf8"), readFileSync(`${files}${dir}/outside`, "utf8"), readFileSync(`${files}/above`, "utf8")]).toEqual(["in the root", "through", "at the top"]);
    expect(readFileSync(outside(), "utf8")).toBe("untouched");
    rmSync(outside());
  }, 30_000);

  test("attributes that speak to overlayfs or the host are not set", async () => {
    const xattrs = new Map([["trusted.overlay.redirect", "/etc"], ["user.overlay.opaque", "y"], ["security.selinux", "x"], ["user.note", "kept"]].map(([name = "", value = ""]) => [toBytes(name), toBytes(value)] as const));
    await sandbox.ok(["pull", "-q", offer(tarOf([{ name: "d", type: "directory", mode: 0o755, xattrs }, { name: "f", content: "x", xattrs }]))]);
    const [layer = ""] = namesIn(`${sandbox.root}/layers`).filter((entry) => entry.length === 64);
    const { runOk } = await import("../support/index.ts");
    const found = await runOk(["sh", "-c", `getfattr -d -m - --absolute-names ${sandbox.root}/layers/${layer}/fs/d ${sandbox.root}/layers/${layer}/fs/f | grep = | sort -u`]);
    expect(found).toBe('user.note="kept"\n');
  }, 30_000);

  const good = tarOf([{ name: "file", content: "x".repeat(100_000) }]);
  const noise = tarOf([{ name: "file", content: randomBytes(100_000).toString("hex") }]);
  const gzip = (bytes: Uint8Array): Buffer => gzipSync(bytes);
  const MIDDLE = gzip(Buffer.concat([good, Buffer.alloc(1 << 20)]));

  test("another content than the config promises (diff ID)", () => refused(offer(good, { diffOf: Buffer.from("other") }), /diff ID/), 30_000);
  test("gzip that ends in the middle", () => refused(offer(gzip(noise).subarray(0, 50_000), { diffOf: noise, mediaType: MEDIA_TYPE.ociLayerGzip }), /ends too early|corrupt/), 30_000);
  test("gzip that is corrupt", () => { const bytes = Buffer.from(MIDDLE); bytes.fill(0xff, 40, 80); return refused(offer(bytes, { diffOf: good, mediaType: MEDIA_TYPE.ociLayerGzip }), /corrupt|ends too early/); }, 30_000);
  test("something after the end of gzip", () => refused(offer(Buffer.concat([gzip(good), Buffer.alloc(300_000, "junk")]), { diffOf: good, mediaType: MEDIA_TYPE.ociLayerGzip }), /after the end|corrupt/), 30_000);
  test("a tar that ends in the middle", () => refused(offer(good.subarray(0, 50_000)), /ends|truncated|cut/i), 30_000);
  test("compressed as nobody knows", () => refused(offer(Buffer.from("fd377a585a0000", "hex")), /xz is not supported/), 30_000);
  test("a media type that is no layer", () => refused(offer(good, { mediaType: "application/vnd.example.thing" }), /not a layer's/), 30_000);
  test("a bomb: what it unpacks to is bounded by what it may say", async () => {
    // 3 TB of zeros are claimed; the claim alone is refused.
    const header = tarHeader(emptyTarEntry({ name: toBytes("bomb"), size: 3e12 }));
    await refused(offer(gzip(header), { diffOf: header, mediaType: MEDIA_TYPE.ociLayerGzip }), /unpacks to more than/);
  }, 30_000);
});

describe("registries (attack 8)", () => {
  const good = tarOf([{ name: "file", content: "hello" }]);

  test("other bytes than the digest says", async () => {
    const name = offer(good);
    registry.hostile.blobBytes = (honest) => Buffer.from(honest).fill(0x41, 10, 15);
    await refused(name, /digest/);
    registry.hostile.blobBytes = (honest) => honest;
    // Nothing of the lie was kept: the honest answer is taken.
    await sandbox.ok(["pull", "-q", name]);
  }, 30_000);
  test("more bytes than promised", async () => {
    const name = offer(good);
    registry.hostile.blobBytes = (honest) => Buffer.concat([honest, Buffer.alloc(100)]);
    await refused(name, /should have \d+ bytes/);
  }, 30_000);
  test("a blob without an end", async () => {
    const name = offer(good);
    registry.hostile.endless = "blob";
    await refused(name, /should have \d+ bytes|more bytes/);
  }, 30_000);
  test("a manifest without an end", async () => {
    const name = offer(good);
    registry.hostile.endless = "manifest";
    await refused(name, /bytes/);
  }, 30_000);
  test("a manifest with another digest than it announces", async () => {
    const name = offer(good);
    registry.hostile.digestHeader = digestOf("something else");
    // By HEAD it says one thing; asked for that very thing it has nothing, or something else.
    await refused(name, /digest|not found/);
  }, 30_000);
  test("a document that is a manifest to one reader and an index to another (CVE-2021-41190)", async () => {
    const name = offer(good);
    const manifest = registry.manifests.get("evil")?.get("1");
    if (manifest === undefined) throw new Error("no manifest");
    const both = encodeJson({ ...(JSON.parse(Buffer.from(manifest.bytes).toString()) as object), manifests: [] }); // ours
    registry.addManifest("evil", both, manifest.mediaType, "1");
    await refused(name, /does not belong/);
    registry.addManifest("evil", manifest.bytes, MEDIA_TYPE.ociIndex, "1");
    await refused(name, /calls itself/);
  }, 30_000);
  test("an index that promises another size", async () => {
    offer(good);
    const manifest = registry.manifests.get("evil")?.get("1");
    if (manifest === undefined) throw new Error("no manifest");
    const index = encodeIndex([{ mediaType: manifest.mediaType, digest: digestOf(manifest.bytes), size: manifest.bytes.length + 1, platform: { os: "linux", architecture: "amd64" } }]);
    registry.addManifest("evil", index.raw, index.mediaType, "index");
    await refused(`${registry.host}/evil:index`, /bytes/);
  }, 30_000);
  test("schema 1", async () => {
    registry.addManifest("evil", encodeJson({ schemaVersion: 1, name: "evil", tag: "1", fsLayers: [], history: [] }), MEDIA_TYPE.dockerSchema1, "1");
    await refused(`${registry.host}/evil:1`, /schema 1/);
  }, 30_000);
  test("a layer that is to be fetched from elsewhere (CVE-2020-15157)", async () => {
    await using elsewhere = await startRegistry();
    const config = encodeJson({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digestOf(good)] } });
    registry.addBlob("evil", config);
    elsewhere.addBlob("evil", good);
    const manifest = encodeManifest({
      config: { mediaType: MEDIA_TYPE.ociConfig, digest: digestOf(config), size: config.length },
      layers: [{ mediaType: MEDIA_TYPE.ociLayer, digest: digestOf(good), size: good.length, urls: [`${elsewhere.url}/v2/evil/blobs/${digestOf(good)}`] }],
    });
    registry.addManifest("evil", manifest.raw, manifest.mediaType, "1");
    await refused(`${registry.host}/evil:1`, /blob|not found/i);
    expect(elsewhere.requests).toEqual([]);
  }, 30_000);
  test("the same layer twice, and a config for another number of layers", async () => {
    const config = encodeJson({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digestOf(good)] } });
    const layer = { mediaType: MEDIA_TYPE.ociLayer, digest: digestOf(good), size: good.length };
    for (const bytes of [config, good]) registry.addBlob("evil", bytes);
    const manifest = encodeManifest({ config: { mediaType: MEDIA_TYPE.ociConfig, digest: digestOf(config), size: config.length }, layers: [layer, layer] });
    registry.addManifest("evil", manifest.raw, manifest.mediaType, "1");
    await refused(`${registry.host}/evil:1`, /1 diff IDs for the 2 layers/);
    const twice = encodeJson({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digestOf(good), digestOf(good)] } });
    registry.addBlob("evil", twice);
    const honest = encodeManifest({ config: { mediaType: MEDIA_TYPE.ociConfig, digest: digestOf(twice), size: twice.length }, layers: [layer, layer] });
    registry.addManifest("evil", honest.raw, honest.mediaType, "1");
    await sandbox.ok(["pull", "-q", `${registry.host}/evil:1`]);
    expect(namesIn(`${sandbox.root}/layers`).filter((entry) => entry.length === 64).length).toBe(2);
  }, 30_000);
});

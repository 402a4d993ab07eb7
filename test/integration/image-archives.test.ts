import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, type Digest } from "../../src/oci/digest.ts";
import { descriptorOf, encodeIndex } from "../../src/oci/manifest.ts";
import { MEDIA_TYPE } from "../../src/oci/media-types.ts";
import { openContentStore, type ContentStore } from "../../src/storage/content/index.ts";
import { tarFormat } from "../../src/storage/tar/index.ts";
import { runOk } from "../support/command.ts";
import { rejection } from "../support/rejection.ts";
import { appendLayer, copyDocument, createImage, emptyConfig, loadArchive, loadLayout, openImage, openLayout, randomImage, writeArchive, writeLayout, type Image } from "../../src/images/index.ts";

let dir = "";
let stores = 0;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sampan-images-"));
});

afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

function newStore(): Promise<ContentStore> {
  return openContentStore(`${dir}/store${++stores}`);
}

async function newImage(): Promise<Image> {
  return randomImage(await newStore(), tarFormat, { layers: 2 });
}

function pack(files: Record<string, string | Uint8Array>): string {
  const path = `${dir}/${++stores}.tar`;
  const parts = Object.entries(files).flatMap(([name, content]) => [tarFormat.header(name, content.length), Buffer.from(content), tarFormat.padding(content.length)]);
  writeFileSync(path, Buffer.concat([...parts, tarFormat.trailer()]));
  return path;
}

describe("what is saved can be loaded", () => {
  for (const kind of ["docker", "oci"] as const) {
    test(`as ${kind} archive, of several images with several names`, async () => {
      const images = [{ image: await newImage(), names: ["localhost/a:1", "localhost/a:2"] }, { image: await newImage(), names: [] }];
      const path = `${dir}/a.tar`;
      const bytes = Buffer.concat(await Array.fromAsync(writeArchive(images, kind, tarFormat)));
      writeFileSync(path, bytes);
      expect(Buffer.concat(await Array.fromAsync(writeArchive(images, kind, tarFormat))).equals(bytes)).toBe(true);
      const store = await newStore();
      const loaded = await loadArchive(path, store, tarFormat);
      const named = loaded.flatMap(({ names, manifests }) => (names.length === 0 ? [""] : names).map((name) => `${name} ${manifests[0]?.config.digest ?? ""}`));
      expect(named.sort()).toEqual(images.flatMap(({ image, names }) => (names.length === 0 ? [""] : names).map((name) => `${name} ${image.config.imageId}`)).sort());
      for (const { descriptor } of loaded) for (const layer of (await openImage(store, descriptor)).manifest.layers) expect(store.has(layer.digest)).toBe(true);
    });
  }

  test("under the whole name for containerd, which completes none, and as it was said for skopeo", async () => {
    const path = `${dir}/b.tar`;
    writeFileSync(path, Buffer.concat(await Array.fromAsync(writeArchive([{ image: await newImage(), names: ["a:1"] }], "docker", tarFormat))));
    const index = JSON.parse(await runOk(["tar", "-xOf", path, "index.json"])) as { manifests: unknown[] };
    expect(index.manifests).toMatchObject([{ annotations: { "io.containerd.image.name": "docker.io/library/a:1", "org.opencontainers.image.ref.name": "a:1" } }]);
  });

  test("as a directory, which is not written over", async () => {
    const image = await newImage();
    await writeLayout(`${dir}/layout`, [{ image, names: ["localhost/a:1"] }]);
    const [loaded] = await loadLayout(await openLayout(`${dir}/layout`), await newStore());
    expect([loaded?.names, loaded?.descriptor.digest]).toEqual([["localhost/a:1"], image.manifest.digest]);
    expect(await rejection(writeLayout(`${dir}/layout`, [{ image, names: ["localhost/a:1"] }]))).toMatchObject({ kind: "already-exists" });
  });
});

describe("a docker-archive", () => {
  const layer = Buffer.concat([tarFormat.header("f", 0), tarFormat.trailer()]);
  const config = JSON.stringify(appendLayer(emptyConfig({ os: "linux", architecture: "amd64" }), digestOf(layer), {}));
  const manifest = (change: object = {}): string => JSON.stringify([{ Config: "c.json", RepoTags: ["x:1"], Layers: ["l/layer.tar"], ...change }]);

  test("may hold compressed layers, whatever they are called", async () => {
    const zipped = gzipSync(layer);
    const store = await newStore();
    const [loaded] = await loadArchive(pack({ "manifest.json": manifest(), "./c.json": config, "l/layer.tar": zipped }), store, tarFormat);
    expect(loaded?.manifests[0]?.layers).toEqual([{ mediaType: MEDIA_TYPE.ociLayerGzip, digest: digestOf(zipped), size: zipped.length }]);
    expect(loaded?.manifests[0]?.config.digest).toBe(digestOf(config));
  });

  const refused: [string, Record<string, string | Uint8Array>, string][] = [
    ["nothing that is known", { readme: "" }, "neither manifest.json nor index.json"],
    ["a missing layer", { "manifest.json": manifest(), "c.json": config }, `no file "l/layer.tar"`],
    ["a missing config", { "manifest.json": manifest(), "l/layer.tar": layer }, `no file "c.json"`],
    ["fewer layers than diff IDs", { "manifest.json": manifest({ Layers: [] }), "c.json": config }, "1 diff IDs for the 0 layers"],
    ["a layer that is not the config's", { "manifest.json": manifest(), "c.json": config, "l/layer.tar": Buffer.from(layer).fill(1, 600) }, "digest"],
    ["a manifest that is no list", { "manifest.json": "{}" }, "not a list"],
    ["a manifest that is no JSON", { "manifest.json": "[" }, "manifest.json"],
    ["layers that are no strings", { "manifest.json": manifest({ Layers: [1] }), "c.json": config }, "Layers"],
  ];
  for (const [what, files, message] of refused) {
    test(`with ${what} is refused`, async () => {
      expect(String(await rejection(loadArchive(pack(files), await newStore(), tarFormat)))).toContain(message);
    });
  }
});

test("an index is copied with those of its platforms that are there", async () => {
  const store = await newStore();
  const image = await randomImage(store, tarFormat);
  const index = encodeIndex([descriptorOf(image.manifest), { mediaType: MEDIA_TYPE.ociManifest, digest: digestOf("elsewhere"), size: 9 }]);
  await store.put(index.raw, index.mediaType);
  const other = await newStore();
  expect((await copyDocument(descriptorOf(index), store, other)).map(({ digest }) => digest)).toEqual([image.manifest.digest]);
  expect(other.has(index.digest)).toBe(true);
  expect(await rejection(openImage(other, descriptorOf(index)))).toMatchObject({ kind: "unsupported" });
});

test("a blob that is not what its descriptor says does not come in", async () => {
  const image = await newImage();
  const liar = { ...image.blobs, has: () => true, get: image.blobs.get.bind(image.blobs), async *read() { yield Buffer.from("something else"); } };
  expect(await rejection(copyDocument(descriptorOf(image.manifest), liar, await newStore()))).toMatchObject({ kind: "invalid" });
});

test("a blob that the disk has changed does not go out: neither in an archive nor in a directory", async () => {
  const image = await newImage();
  const changed = (blob: Buffer): Buffer => Buffer.from(blob.map((byte, index) => (index === 100 ? byte ^ 1 : byte)));
  const blobs = { ...image.blobs, has: () => true, get: image.blobs.get.bind(image.blobs), read: async function* (digest: Digest) { yield changed(Buffer.concat(await Array.fromAsync(image.blobs.read(digest)))); } };
  const damaged = { ...image, blobs };
  for (const kind of ["docker", "oci"] as const) expect(await rejection(Array.fromAsync(writeArchive([{ image: damaged, names: [] }], kind, tarFormat)))).toMatchObject({ kind: "invalid", code: "DIGEST_INVALID" });
  expect(await rejection(writeLayout(`${dir}/out`, [{ image: damaged, names: [] }]))).toMatchObject({ code: "DIGEST_INVALID" });
  expect(existsSync(`${dir}/out`)).toBe(false);
});

test("a config whose diff IDs are not its layers is no image", async () => {
  const config = appendLayer(emptyConfig({ os: "linux", architecture: "amd64" }), digestOf("x"), {});
  expect(await rejection(createImage(await newStore(), config, []))).toMatchObject({ kind: "invalid" });
});

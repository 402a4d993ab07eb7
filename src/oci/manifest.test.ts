import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SampanError } from "../base/index.ts";
import { digestOf } from "./digest.ts";
import { encodeIndex, encodeManifest, LAYERS_MAX, MANIFEST_BYTES_MAX, parseManifest, requireRunnable } from "./manifest.ts";
import { layerCompression, MEDIA_TYPE } from "./media-types.ts";
import { choosePlatform, offeredPlatforms } from "./platform-choice.ts";

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const descriptor = (text: string, mediaType: string = MEDIA_TYPE.ociLayerGzip) => ({ mediaType, digest: digestOf(text), size: text.length });
const MANIFEST = {
  schemaVersion: 2,
  mediaType: MEDIA_TYPE.ociManifest,
  config: descriptor("{}", MEDIA_TYPE.ociConfig),
  layers: [descriptor("a"), descriptor("bb")],
};
const INDEX = {
  schemaVersion: 2,
  mediaType: MEDIA_TYPE.ociIndex,
  manifests: [
    { ...descriptor("m1", MEDIA_TYPE.ociManifest), platform: { os: "linux", architecture: "amd64" } },
    { ...descriptor("m2", MEDIA_TYPE.ociManifest), platform: { os: "linux", architecture: "arm64", variant: "v8" } },
    { ...descriptor("att", MEDIA_TYPE.ociManifest), platform: { os: "unknown", architecture: "unknown" } },
  ],
};

describe("manifests", () => {
  test("raw bytes, digest and size are of what was received, spaces and unknown fields included", () => {
    const raw = bytes(`  ${JSON.stringify({ ...MANIFEST, "org.example": 1 }, null, 3)}\n`);
    const parsed = parseManifest(raw, `${MEDIA_TYPE.ociManifest}; charset=utf-8`);
    expect(parsed.kind).toBe("manifest");
    expect(parsed.raw).toBe(raw);
    expect(parsed.digest).toBe(digestOf(raw));
    expect(parsed.size).toBe(raw.length);
  });

  test("Docker's schema 2 and OCI's are one vocabulary", () => {
    const docker = parseManifest(bytes({ ...MANIFEST, mediaType: MEDIA_TYPE.dockerManifest }), MEDIA_TYPE.dockerManifest);
    expect(docker).toMatchObject({ kind: "manifest", layers: [{ size: 1 }, { size: 2 }] });
    expect(parseManifest(bytes({ ...INDEX, mediaType: MEDIA_TYPE.dockerManifestList }))).toMatchObject({ kind: "index" });
  });

  test("a generic content type leaves the word to the document; none at all is refused", () => {
    expect(parseManifest(bytes(MANIFEST), "application/json").mediaType).toBe(MEDIA_TYPE.ociManifest);
    const { mediaType: _, ...unnamed } = MANIFEST;
    expect(parseManifest(bytes(unnamed), MEDIA_TYPE.ociManifest).kind).toBe("manifest");
    expect(() => parseManifest(bytes(unnamed), "application/json")).toThrow(`media type "application/json" is not supported`);
    expect(() => parseManifest(bytes(MANIFEST), "text/html")).toThrow("was announced as");
  });

  test.each([
    ["index fields in a manifest", { ...MANIFEST, manifests: INDEX.manifests }, MEDIA_TYPE.ociManifest],
    ["manifest fields in an index", { ...INDEX, layers: MANIFEST.layers }, MEDIA_TYPE.ociIndex],
    ["config in an index", { ...INDEX, config: MANIFEST.config }, MEDIA_TYPE.ociIndex],
    ["fsLayers", { ...MANIFEST, fsLayers: [] }, MEDIA_TYPE.ociManifest],
    ["a manifest announced as an index", MANIFEST, MEDIA_TYPE.ociIndex],
    ["an index announced as a manifest", INDEX, MEDIA_TYPE.ociManifest],
    ["Docker's announced as OCI's", { ...MANIFEST, mediaType: MEDIA_TYPE.dockerManifest }, MEDIA_TYPE.ociManifest],
    ["a second spelling that Go would read", { ...MANIFEST, Layers: [] }, MEDIA_TYPE.ociManifest],
    ["no schemaVersion", { ...MANIFEST, schemaVersion: undefined }, MEDIA_TYPE.ociManifest],
    ["schemaVersion 3", { ...MANIFEST, schemaVersion: 3 }, MEDIA_TYPE.ociManifest],
    ["no config", { ...MANIFEST, config: undefined }, MEDIA_TYPE.ociManifest],
    ["config of null", { ...MANIFEST, config: null }, MEDIA_TYPE.ociManifest],
    ["no layers", { ...MANIFEST, layers: undefined }, MEDIA_TYPE.ociManifest],
    ["layers of an object", { ...MANIFEST, layers: {} }, MEDIA_TYPE.ociManifest],
    ["a layer of null", { ...MANIFEST, layers: [null] }, MEDIA_TYPE.ociManifest],
    ["a negative size", { ...MANIFEST, layers: [{ ...descriptor("a"), size: -1 }] }, MEDIA_TYPE.ociManifest],
    ["a broken size", { ...MANIFEST, layers: [{ ...descriptor("a"), size: 1.5 }] }, MEDIA_TYPE.ociManifest],
    ["a size beyond 2^53", { ...MANIFEST, layers: [{ ...descriptor("a"), size: 2 ** 53 }] }, MEDIA_TYPE.ociManifest],
    ["a size in words", { ...MANIFEST, layers: [{ ...descriptor("a"), size: "1" }] }, MEDIA_TYPE.ociManifest],
    ["a digest that is a path", { ...MANIFEST, layers: [{ ...descriptor("a"), digest: "sha256:../../x" }] }, MEDIA_TYPE.ociManifest],
    ["a media type that is a header", { ...MANIFEST, layers: [{ ...descriptor("a"), mediaType: "a/b\r\nX: y" }] }, MEDIA_TYPE.ociManifest],
    ["too many layers", { ...MANIFEST, layers: Array.from({ length: LAYERS_MAX + 1 }, () => descriptor("a")) }, MEDIA_TYPE.ociManifest],
    ["an array", [], MEDIA_TYPE.ociManifest],
    ["broken JSON", "{", MEDIA_TYPE.ociManifest],
    ["a byte order mark", `\uFEFF${JSON.stringify(MANIFEST)}`, MEDIA_TYPE.ociManifest],
  ])("refuses %s", (_, document, contentType) => {
    expect(() => parseManifest(bytes(document), contentType)).toThrow(/^Cannot read (manifest|index)/);
  });

  test("127 layers are an image", () => {
    expect(parseManifest(bytes({ ...MANIFEST, layers: Array.from({ length: 127 }, () => descriptor("a")) }))).toMatchObject({ kind: "manifest" });
  });

  test("refuses more than 4 MiB before parsing", () => {
    expect(() => parseManifest(new Uint8Array(MANIFEST_BYTES_MAX + 1), MEDIA_TYPE.ociManifest)).toThrow("more than the 4194304 allowed");
  });

  test("schema 1 is refused with a sentence", () => {
    const schema1 = { schemaVersion: 1, name: "a", tag: "b", fsLayers: [], history: [], signatures: [] };
    for (const type of [MEDIA_TYPE.dockerSchema1, MEDIA_TYPE.dockerSchema1Signed, "application/json"]) {
      expect(() => parseManifest(bytes(schema1), type)).toThrow("schema 1");
    }
  });

  test("artifacts are read but not run", () => {
    const chart = parseManifest(bytes({ ...MANIFEST, config: descriptor("{}", "application/vnd.cncf.helm.config.v1+json") }));
    if (chart.kind !== "manifest") throw new Error("not a manifest");
    expect(() => requireRunnable(chart)).toThrow("not a container image");
  });

  test("__proto__ is a key like any other", () => {
    const raw = bytes(`{"schemaVersion":2,"annotations":{"__proto__":"x"},"config":${JSON.stringify(MANIFEST.config)},"layers":[]}`);
    const parsed = parseManifest(raw, MEDIA_TYPE.ociManifest);
    expect(Object.hasOwn(parsed.annotations, "__proto__")).toBe(true);
    expect(() => parseManifest(bytes(`{"__proto__":${JSON.stringify(MANIFEST)}}`), MEDIA_TYPE.ociManifest)).toThrow();
  });

  test("what is encoded is read back", () => {
    const manifest = encodeManifest({ config: MANIFEST.config, layers: MANIFEST.layers, annotations: { a: "b" } });
    expect(parseManifest(manifest.raw, manifest.mediaType)).toEqual(manifest);
    const index = encodeIndex(INDEX.manifests);
    expect(parseManifest(index.raw)).toEqual(index);
  });

  test("no input makes anything but a SampanError", () => {
    const keys = fc.constantFrom("schemaVersion", "mediaType", "config", "layers", "manifests", "annotations", "digest", "size", "platform", "__proto__");
    const leaf = fc.oneof(fc.constantFrom(2, -1, null, "", MEDIA_TYPE.ociManifest, MEDIA_TYPE.ociIndex, String(digestOf("a"))), fc.double());
    const { tree } = fc.letrec((tie) => ({ tree: fc.oneof({ depthSize: "small" }, leaf, fc.array(tie("tree")), fc.dictionary(keys, tie("tree"))) }));
    const input = fc.oneof(fc.uint8Array(), tree.map(bytes), fc.dictionary(keys, tree).map((extra) => bytes({ ...MANIFEST, ...extra })));
    fc.assert(
      fc.property(input, fc.constantFrom(MEDIA_TYPE.ociManifest, MEDIA_TYPE.ociIndex, "application/json", undefined), (raw, type) => {
        try {
          const parsed = parseManifest(raw, type);
          expect(parsed.digest).toBe(digestOf(raw));
        } catch (error) {
          expect(error).toBeInstanceOf(SampanError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("choice of platform", () => {
  const index = parseManifest(bytes(INDEX));
  if (index.kind !== "index") throw new Error("not an index");

  test("takes what fits, never an attestation", () => {
    expect(choosePlatform(index, { os: "linux", architecture: "arm64" }).digest).toBe(digestOf("m2"));
    expect(offeredPlatforms(index)).toHaveLength(2);
  });

  test("lists what is offered when nothing fits", () => {
    expect(() => choosePlatform(index, {
      os: "linux",
      architecture: "s390x",
    })).toThrow("no matching manifest for linux/s390x in the manifest list entries; offered: linux/amd64, linux/arm64/v8");
  });

  test("an entry without a platform is the last resort", () => {
    const bare = encodeIndex([descriptor("any", MEDIA_TYPE.ociManifest), ...INDEX.manifests]);
    expect(choosePlatform(bare, { os: "linux", architecture: "amd64" }).digest).toBe(digestOf("m1"));
    expect(choosePlatform(bare, { os: "linux", architecture: "s390x" }).digest).toBe(digestOf("any"));
  });
});

test("compression of layers", () => {
  expect(layerCompression(MEDIA_TYPE.ociLayer)).toBe("none");
  expect(layerCompression(MEDIA_TYPE.ociLayerZstd)).toBe("zstd");
  expect(layerCompression("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")).toBe("gzip");
  expect(layerCompression("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")).toBe("gzip");
  expect(layerCompression("application/vnd.oci.image.layer.v1.tar+xz")).toBeUndefined();
});

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { makeImage, startRegistry, type TestRegistry } from "../../test/support/registry/index.ts";
import { digestOf, MEDIA_TYPE, parseReference, type Descriptor } from "../oci/index.ts";
import { createRegistryClient, type BlobSource, type RegistryClient, type RegistryProgress } from "./index.ts";

const RETRY = { attempts: 4, baseDelayMs: 1, maxDelayMs: 4, maxRetryAfterMs: 2000 };
const content = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => (i * 13 + (i >> 9)) & 255));
const descriptor: Descriptor = { mediaType: MEDIA_TYPE.ociLayer, digest: digestOf(content), size: content.length };
const sourceOf = (bytes: Buffer): BlobSource => ({
  async *open(offset) {
    for (let at = offset; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
  },
});

let registry: TestRegistry;
let client: RegistryClient;
const ref = (rest = "app:1") => parseReference(`${registry.host}/${rest}`);
const stored = (): Uint8Array | undefined => registry.blobs.get("app")?.get(descriptor.digest);
async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

beforeEach(async () => {
  registry = await startRegistry({ auth: { kind: "token", username: "ann", password: "secret" } });
  client = createRegistryClient({
    retry: RETRY,
    env: {},
    credentials: { get: () => Promise.resolve({ kind: "password", username: "ann", password: "secret" }) },
  });
});
afterEach(async () => {
  await client[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

describe("pushing blobs", () => {
  test.each([undefined, 300_000])("in pieces of %p", async (chunkBytes) => {
    const seen: RegistryProgress[] = [];
    expect(await client.pushBlob(ref(), descriptor, sourceOf(content), { chunkBytes, onProgress: (it) => seen.push(it) })).toBe("uploaded");
    expect(Buffer.compare(stored() ?? Buffer.alloc(0), content)).toBe(0);
    expect(registry.count(/^PATCH/)).toBe(chunkBytes === undefined ? 0 : 4);
    expect(seen.at(-1)).toEqual({ kind: "transfer", digest: descriptor.digest, doneBytes: content.length, totalBytes: content.length });
    expect(registry.uploads.size).toBe(0);
  });

  test("what is there is not sent again", async () => {
    registry.addBlob("app", content);
    expect(await client.pushBlob(ref(), descriptor, sourceOf(content))).toBe("exists");
    expect(registry.count(/^(POST|PUT|PATCH) \/v2/)).toBe(0);
  });

  test("what another repository has is mounted, and sent if that does not work", async () => {
    registry.addBlob("other", content);
    expect(await client.pushBlob(ref(), descriptor, sourceOf(content), { mountFrom: ["none", "other"] })).toBe("uploaded");
    registry.blobs.get("app")?.clear();
    expect(await client.pushBlob(ref(), descriptor, sourceOf(content), { mountFrom: ["other"] })).toBe("mounted from other");
    expect(stored()).toBeDefined();
    expect(registry.requests.some(({ url }) => url.includes("scope=repository%3Aapp%3Apull%2Cpush&scope=repository%3Aother%3Apull"))).toBe(true);
    registry.blobs.get("app")?.clear();
    registry.hostile.noMount = true;
    expect(await client.pushBlob(ref(), descriptor, sourceOf(content), { mountFrom: ["other"] })).toBe("uploaded");
    // The upload that came instead of the mount is the one that is used.
    expect(registry.uploads.size).toBe(0);
  });

  test.each<[string, { chunkBytes?: number; forgetUploads?: boolean; breakUploads: number }]>([
    ["whole", { breakUploads: 1 }],
    ["in pieces", { chunkBytes: 300_000, breakUploads: 3 }],
    ["and the registry has forgotten it", { breakUploads: 2, forgetUploads: true }],
  ])("broken uploads are taken up again: %s", async (_, { chunkBytes, ...faults }) => {
    Object.assign(registry.hostile, { breakUploadAfterBytes: 200_000, ...faults });
    const seen: RegistryProgress[] = [];
    expect(await client.pushBlob(ref(), descriptor, sourceOf(content), { chunkBytes, onProgress: (it) => seen.push(it) })).toBe("uploaded");
    expect(Buffer.compare(stored() ?? Buffer.alloc(0), content)).toBe(0);
    expect(seen.filter(({ kind }) => kind === "retry")).toHaveLength(faults.breakUploads);
    expect(registry.uploads.size).toBe(0);
  });

  test("but not for ever", async () => {
    Object.assign(registry.hostile, { breakUploadAfterBytes: 1, breakUploads: 1000, forgetUploads: true });
    expect(await failureOf(client.pushBlob(ref(), descriptor, sourceOf(content)))).toMatchObject({ kind: "unavailable" });
    expect(stored()).toBeUndefined();
  });

  test("a source that is not what it should be is found out, and the upload withdrawn", async () => {
    for (const [wrong, code] of [
      [Buffer.alloc(content.length), "DIGEST_MISMATCH"],
      [content.subarray(1), "SIZE_MISMATCH"],
      [Buffer.concat([content, content]), "SIZE_MISMATCH"],
    ] as const) {
      expect(await failureOf(client.pushBlob(ref(), descriptor, sourceOf(wrong)))).toMatchObject({ kind: "invalid", code });
      expect(stored()).toBeUndefined();
      expect(registry.uploads.size).toBe(0);
    }
  });

  test("a source that fails, and a cancelled upload", async () => {
    const broken: BlobSource = { async *open() { yield content.subarray(0, 10); throw new Error("disk on fire"); } };
    expect(await failureOf(client.pushBlob(ref(), descriptor, broken))).toMatchObject({ message: expect.stringContaining("disk on fire") as string });
    const controller = new AbortController();
    const slow: BlobSource = { async *open() { yield content.subarray(0, 10); controller.abort(); yield content.subarray(10); } };
    expect(await failureOf(client.pushBlob(ref(), descriptor, slow, { signal: controller.signal }))).toMatchObject({ kind: "cancelled" });
    expect(stored()).toBeUndefined();
    expect(registry.uploads.size).toBe(0);
  });

  test("refused", async () => {
    await using anonymous = createRegistryClient({ retry: RETRY, env: {} });
    expect(await failureOf(anonymous.pushBlob(ref(), descriptor, sourceOf(content)))).toMatchObject({
      kind: "denied",
      message: `Cannot push "${registry.host}/app:1": unauthorized: authentication required`,
    });
  });
});

describe("pushing manifests", () => {
  test("under a tag, a digest, or both; the bytes are kept as they are", async () => {
    const { manifest } = makeImage();
    await client.pushManifest(ref("app:1"), manifest);
    await client.pushManifest(ref("app"), manifest);
    expect(registry.count(/^PUT/)).toBe(2);
    const kept = registry.manifests.get("app");
    expect([...(kept?.keys() ?? [])].sort()).toEqual(["1", manifest.digest]);
    expect((await client.resolve(ref("app:1"))).manifest).toEqual(manifest);
    expect(await failureOf(client.pushManifest(ref(`app@${digestOf("x")}`), manifest))).toMatchObject({ code: "DIGEST_MISMATCH" });
  });

  test("a registry that stores something else is found out", async () => {
    registry.hostile.digestHeader = digestOf("x");
    expect(await failureOf(client.pushManifest(ref(), makeImage().manifest))).toMatchObject({ code: "DIGEST_MISMATCH" });
  });
});

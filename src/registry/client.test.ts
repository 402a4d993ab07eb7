import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { startRegistry, makeImage, makeIndex, type RegistryAuth, type TestRegistry } from "../../test/support/registry/index.ts";
import { digestOf, MEDIA_TYPE, parseReference, type Descriptor } from "../oci/index.ts";
import { createRegistryClient, parseRegistriesConfig, type Credential, type RegistryClient, type RegistryProgress } from "./index.ts";

const RETRY = { attempts: 4, baseDelayMs: 1, maxDelayMs: 4, maxRetryAfterMs: 2000 };
const USER: Credential = { kind: "password", username: "ann", password: "s3cret:with:colons" };
const AUTH = { username: "ann", password: "s3cret:with:colons" };

let registry: TestRegistry;
let client: RegistryClient;
const ref = (rest: string) => parseReference(`${registry.host}/${rest}`);
const connect = (credential?: Credential): RegistryClient => createRegistryClient({
  retry: RETRY,
  env: {},
  ...(credential === undefined ? {} : { credentials: { get: () => Promise.resolve(credential) } }),
});
async function restart(auth: RegistryAuth, credential?: Credential): Promise<void> {
  await registry[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
  registry = await startRegistry({ auth });
  client = connect(credential);
}
async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

beforeEach(async () => {
  registry = await startRegistry();
  client = connect();
});
afterEach(async () => {
  await client[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

describe("resolving", () => {
  test("a tag names a manifest", async () => {
    const image = makeImage({ docker: true });
    image.into(registry, "a/b", "latest");
    const found = await client.resolve(ref("a/b"));
    expect(found.manifest).toEqual(image.manifest);
    expect(found.root.digest).toBe(image.manifest.digest);
    expect(found.reference.tag).toBe("latest");
    expect(await client.head(ref("a/b"))).toEqual(found.root);
  });

  test("an index, an index within, a platform by its variant", async () => {
    const [amd, arm] = [makeImage(), makeImage({ platform: { os: "linux", architecture: "arm", variant: "v6" } })];
    for (const image of [amd, arm]) image.into(registry, "multi");
    const inner = makeIndex([
      { image: amd, platform: { os: "linux", architecture: "amd64" } },
      { image: arm, platform: { os: "linux", architecture: "arm", variant: "v6" } },
    ]);
    registry.addManifest("multi", inner.raw, inner.mediaType, "inner");
    const outer = makeIndex([{ image: { ...amd, manifest: inner as never }, platform: { os: "linux", architecture: "arm", variant: "v7" } }]);
    registry.addManifest("multi", outer.raw, outer.mediaType, "outer");
    const found = await client.resolve(ref("multi:inner"), { platform: { os: "linux", architecture: "arm", variant: "v7" } });
    expect(found.manifest.digest).toBe(arm.manifest.digest);
    expect(found.root.digest).toBe(inner.digest);
    expect(found.platform).toMatchObject({ architecture: "arm", variant: "v6" });
    const nested = await client.resolve(ref("multi:outer"), { platform: { os: "linux", architecture: "arm", variant: "v7" } });
    expect(nested.indexes.map(({ digest }) => digest)).toEqual([outer.digest, inner.digest]);
    expect(
      String(await failureOf(client.resolve(ref("multi:inner"), { platform: { os: "linux", architecture: "s390x" } }))),
    ).toMatch("offered: linux/amd64, linux/arm/v6");
  });

  test("by digest, sha512 too", async () => {
    const image = makeImage();
    image.into(registry, "a", "1");
    const long = digestOf(image.manifest.raw, "sha512");
    registry.manifests.get("a")?.set(long, { bytes: image.manifest.raw, mediaType: image.manifest.mediaType });
    for (const digest of [image.manifest.digest, long]) expect((await client.resolve(ref(`a@${digest}`))).root.digest).toBe(digest);
  });

  test("an unchanged image costs one HEAD; a changed one only what changed", async () => {
    const image = makeImage();
    image.into(registry, "a", "1");
    const readLocal = (digest: string): Promise<Uint8Array | undefined> =>
      Promise.resolve(digest === String(image.manifest.digest) ? image.manifest.raw : undefined);
    expect((await client.resolve(ref("a:1"), { readLocal })).manifest.digest).toBe(image.manifest.digest);
    expect(registry.count(/manifests/)).toBe(1);
    expect(registry.count(/^HEAD /)).toBe(1);
    const rotten = await client.resolve(ref("a:1"), { readLocal: () => Promise.resolve(new Uint8Array(3)) });
    expect(rotten.manifest.digest).toBe(image.manifest.digest);
    registry.hostile.noHead = true;
    expect((await client.resolve(ref("a:1"), { readLocal })).manifest.digest).toBe(image.manifest.digest);
  });

  test.each<[string, string]>([
    ["a:none", `manifest for HOST/a:none not found: manifest unknown`],
    ["none", `manifest for HOST/none:latest not found: manifest unknown`],
  ])("what is not there: %p", async (name, words) => {
    makeImage().into(registry, "a", "1");
    expect(await failureOf(client.resolve(ref(name)))).toMatchObject({
      kind: "not-found",
      code: "MANIFEST_UNKNOWN",
      message: expect.stringContaining(words.replaceAll("HOST", registry.host)) as string,
    });
  });

  test("nobody there", async () => {
    expect(await failureOf(client.resolve(parseReference("127.0.0.1:1/a")))).toMatchObject({
      kind: "unavailable",
      message: `Cannot pull "127.0.0.1:1/a:latest": connection refused by 127.0.0.1:1`,
    });
    expect(String(await failureOf(client.resolve(parseReference("no-such-host.invalid/a"))))).toMatch(
      /Cannot pull "no-such-host.invalid\/a:latest": (no such host|the name of) "no-such-host.invalid"/,
    );
  });
});

describe("blobs", () => {
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 255));
  let descriptor: Descriptor;
  beforeEach(() => {
    descriptor = { mediaType: MEDIA_TYPE.ociLayer, digest: registry.addBlob("a", content), size: content.length };
  });

  test("come whole, with progress", async () => {
    const seen: RegistryProgress[] = [];
    expect(Buffer.compare(await bytesOf(client.openBlob(ref("a"), descriptor, { onProgress: (it) => seen.push(it) })), content)).toBe(0);
    expect(seen.at(-1)).toEqual({ kind: "transfer", digest: descriptor.digest, doneBytes: content.length, totalBytes: content.length });
  });

  test.each([true, false])("broken connections are resumed; ranges known: %p", async (ranges) => {
    Object.assign(registry.hostile, { breakAfterBytes: 70_000, breaks: 3, noRange: !ranges });
    if (!ranges) registry.hostile.breaks = 1;
    const seen: RegistryProgress[] = [];
    expect(Buffer.compare(await bytesOf(client.openBlob(ref("a"), descriptor, { onProgress: (it) => seen.push(it) })), content)).toBe(0);
    expect(seen.filter(({ kind }) => kind === "retry").length).toBe(ranges ? 3 : 1);
    const ranged = registry.requests.filter(({ headers }) => headers["range"] !== undefined);
    expect(ranged[0]?.headers["range"]).toMatch(/^bytes=[1-9]\d*-$/);
  });

  test("what is held already is neither fetched nor passed on again, but counts for the digest", async () => {
    const keep = async (held: Buffer): Promise<Buffer> => {
      const kept = [held];
      const keeper = { get offset() { return Buffer.concat(kept).length; }, digestSoFar: () => digestOf(Buffer.concat(kept)) };
      for await (const chunk of client.openBlob(ref("a"), descriptor, { keeper })) kept.push(Buffer.from(chunk));
      return Buffer.concat(kept.slice(1));
    };
    expect(Buffer.compare(await keep(content.subarray(0, 200_000)), content.subarray(200_000))).toBe(0);
    expect(registry.requests.at(-1)?.headers["range"]).toBe("bytes=200000-");
    expect(await keep(content)).toHaveLength(0);
    const poisoned = Buffer.from(content.subarray(0, 1000)).fill(1);
    expect(await failureOf(keep(poisoned))).toMatchObject({ code: "DIGEST_MISMATCH" });
    expect(await failureOf(keep(Buffer.concat([content, poisoned])))).toMatchObject({ code: "SIZE_MISMATCH" });
  });

  test("a reader that stops early leaves nothing running", async () => {
    for await (const _ of client.openBlob(ref("a"), descriptor)) break;
    expect(Buffer.compare(await bytesOf(client.openBlob(ref("a"), descriptor)), content)).toBe(0);
  });

  test("cancelled in the middle, while waiting, and before", async () => {
    for (const when of ["before", "middle", "waiting"]) {
      const controller = new AbortController();
      if (when === "before") controller.abort();
      if (when === "waiting") {
        Object.assign(registry.hostile, { hang: "blob", breakAfterBytes: 10 });
        setTimeout(() => controller.abort(), 50);
      }
      const read = async (): Promise<void> => {
        for await (const _ of client.openBlob(ref("a"), descriptor, { signal: controller.signal })) if (when === "middle") controller.abort();
      };
      expect(await failureOf(read())).toMatchObject({ kind: "cancelled", message: expect.stringMatching(/Cannot pull /) as string });
    }
  });

  test("an empty blob", async () => {
    const digest = registry.addBlob("a", new Uint8Array());
    expect(await bytesOf(client.openBlob(ref("a"), { ...descriptor, digest, size: 0 }))).toHaveLength(0);
  });

  test("follows a redirect to where the bytes are", async () => {
    await using other = await startRegistry();
    other.addBlob("store", content);
    registry.hostile.redirectBlobs = `${other.url}/v2/store/blobs/%s`;
    expect(Buffer.compare(await bytesOf(client.openBlob(ref("a"), descriptor)), content)).toBe(0);
  });
});

describe("busy registries", () => {
  test("429 and 5xx are waited out, as long as the server says", async () => {
    makeImage().into(registry, "a", "1");
    registry.hostile.failNext.push({ path: /manifests/, status: 429, retryAfter: "1" }, { path: /manifests/, status: 503 });
    const seen: RegistryProgress[] = [];
    const start = performance.now();
    await client.resolve(ref("a:1"), { onProgress: (it) => seen.push(it) });
    expect(performance.now() - start).toBeGreaterThan(950);
    expect(seen).toMatchObject([{ kind: "retry", attempt: 2, delayMs: 1000, reason: "status 429" }, { kind: "retry", attempt: 3, reason: "status 503" }]);
  });

  test("but not for ever", async () => {
    registry.hostile.failNext.push({ path: /manifests/, status: 502, times: 100 });
    expect(await failureOf(client.resolve(ref("a:1")))).toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("status 502 after 4 attempts") as string,
    });
    registry.hostile.failNext = [{ path: /manifests/, status: 429, retryAfter: "3600", times: 100 }];
    const before = registry.requests.length;
    expect(await failureOf(client.resolve(ref("a:1")))).toMatchObject({ kind: "unavailable", message: expect.stringContaining("toomanyrequests") as string });
    expect(registry.requests.length - before).toBeLessThanOrEqual(1);
  });

  test("a refusal is not asked again", async () => {
    registry.hostile.failNext.push({ path: /manifests/, status: 400 });
    expect(await failureOf(client.resolve(ref("a:1")))).toMatchObject({ kind: "invalid" });
    expect(registry.count(/manifests/)).toBe(1);
  });
});

describe("credentials", () => {
  test("basic", async () => {
    await restart({ kind: "basic", ...AUTH }, USER);
    makeImage().into(registry, "a", "1");
    await client.resolve(ref("a:1"));
    await using anonymous = connect();
    expect(await failureOf(anonymous.resolve(ref("a:1")))).toMatchObject({
      kind: "denied",
      message: expect.stringContaining(`pull access denied for ${registry.host}/a, repository does not exist or may require "sampan login"`) as string,
    });
  });

  test("one token per repository, however many requests at once", async () => {
    await restart({ kind: "token", ...AUTH }, USER);
    const image = makeImage();
    image.into(registry, "a", "1");
    const found = await client.resolve(ref("a:1"));
    await Promise.all(found.manifest.layers.map((layer) => bytesOf(client.openBlob(ref("a"), layer))));
    expect(registry.count(/^GET \/token/)).toBe(1);
    expect(registry.requests.find(({ url }) => url.startsWith("/token"))?.url).toBe("/token?service=test&scope=repository%3Aa%3Apull&account=ann");
  });

  test("a token that has run out is renewed", async () => {
    await restart({ kind: "token", ...AUTH, expiresIn: 1 }, USER);
    makeImage().into(registry, "a", "1");
    await client.resolve(ref("a:1"));
    await client.resolve(ref("a:1"));
    expect(registry.count(/^GET \/token/)).toBe(1);
    await Bun.sleep(600);
    await client.resolve(ref("a:1"));
    expect(registry.count(/^GET \/token/)).toBe(2);
  });

  test("anonymous tokens; wrong passwords; refresh tokens", async () => {
    await restart({ kind: "token", ...AUTH, anonymousPull: true, refreshToken: "refresh" });
    makeImage().into(registry, "a", "1");
    await client.resolve(ref("a:1"));
    await using wrong = connect({ kind: "password", username: "ann", password: "wrong" });
    expect(await failureOf(wrong.resolve(ref("a:1")))).toMatchObject({
      kind: "denied",
      message: expect.stringContaining("unauthorized: incorrect username or password") as string,
    });
    await using refreshed = connect({ kind: "identity-token", token: "refresh" });
    await refreshed.resolve(ref("a:1"));
    expect(registry.count(/^POST \/token/)).toBe(1);
  });

  test("verifying: accepted, refused, exchanged for a refresh token", async () => {
    await restart({ kind: "token", ...AUTH, refreshToken: "refresh" });
    expect(await client.verifyCredential(registry.host, USER)).toEqual({ identityToken: "refresh" });
    expect(await failureOf(client.verifyCredential(registry.host, { ...USER, password: "wrong" }))).toMatchObject({
      kind: "denied",
      message: `Cannot log in to "${registry.host}": unauthorized: incorrect username or password`,
    });
    await restart({ kind: "basic", ...AUTH });
    expect(await client.verifyCredential(registry.host, USER)).toEqual({});
    expect(await failureOf(client.verifyCredential(registry.host, { ...USER, password: "wrong" }))).toMatchObject({
      kind: "denied",
      message: expect.stringContaining("unauthorized: authentication required") as string,
    });
  });
});

describe("mirrors", () => {
  test("are asked first, and left for the registry when they do not have it", async () => {
    await using mirror = await startRegistry();
    const image = makeImage();
    image.into(registry, "app", "1");
    image.into(mirror, "hub/app", "1");
    const config = parseRegistriesConfig(`[[registry]]\nprefix = "origin.example"\nlocation = "${registry.host}"\n[[registry.mirror]]\nlocation = "127.0.0.1:1"\n[[registry.mirror]]\nlocation = "${mirror.host}/hub"\n`);
    await using mirrored = createRegistryClient({ config, retry: RETRY, env: {} });
    const seen: RegistryProgress[] = [];
    const found = await mirrored.resolve(parseReference("origin.example/app:1"), { onProgress: (it) => seen.push(it) });
    expect(seen).toMatchObject([{ kind: "fallback", from: "127.0.0.1:1", to: mirror.host }]);
    expect(registry.requests).toHaveLength(0);
    const layer = found.manifest.layers[0];
    if (layer === undefined) throw new Error("no layer");
    mirror.blobs.get("hub/app")?.delete(layer.digest);
    expect(digestOf(await bytesOf(mirrored.openBlob(parseReference("origin.example/app:1"), layer)))).toBe(layer.digest);
    expect(registry.count(/blobs/)).toBe(1);
  });
});

describe("listing", () => {
  test("tags, over several pages", async () => {
    for (const tag of ["1", "2", "3", "4", "5"]) makeImage().into(registry, "a", tag);
    expect(await client.listTags(ref("a"))).toEqual(["1", "2", "3", "4", "5"]);
    expect(String(await failureOf(client.listTags(ref("none"))))).toMatch("name unknown: repository name not known to registry");
  });

  test("search falls back on the catalog", async () => {
    for (const name of ["web/nginx", "web/apache", "nginx-extra"]) makeImage().into(registry, name, "1");
    expect((await client.search(registry.host, "nginx")).map(({ name }) => name)).toEqual([`${registry.host}/nginx-extra`, `${registry.host}/web/nginx`]);
    expect(await client.search(registry.host, "nginx", { limit: 1 })).toHaveLength(1);
  });

  test("search by Docker's protocol, whatever nonsense is among the results", async () => {
    registry.hostile.searchAnswer = { results: [
      null,
      5,
      { name: "nginx", description: "a\u001b[2Jb", star_count: 7, is_official: true, is_automated: false },
      { name: 3 },
      { name: "x", star_count: "many" },
    ] };
    expect(await client.search(registry.host, "ngi nx&n=1", { limit: 10 })).toEqual([
      { name: "nginx", description: "a [2Jb", starCount: 7, isOfficial: true, isAutomated: false },
      { name: "x", description: "", starCount: 0, isOfficial: false, isAutomated: false },
    ]);
    expect(registry.requests.at(-1)?.url).toBe("/v1/search?q=ngi+nx%26n%3D1&n=10");
    registry.hostile.searchAnswer = { results: "none" };
    expect(await failureOf(client.search(registry.host, "x"))).toMatchObject({ kind: "invalid" });
  });

  test("ping", async () => {
    await client.ping(registry.host);
    expect(await failureOf(client.ping("127.0.0.1:1"))).toMatchObject({ kind: "unavailable" });
  });
});

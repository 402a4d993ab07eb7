import { createServer, type Server } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { makeImage, makeIndex, startRegistry, type Hostile, type TestImage, type TestRegistry } from "../../test/support/registry/index.ts";
import { SampanError } from "../base/index.ts";
import { digestOf, encodeJson, MEDIA_TYPE, parseReference, type Descriptor } from "../oci/index.ts";
import { createRegistryClient, type Credential, type RegistryClient } from "./index.ts";

// What a registry can do to those who pull from it: attack 8 of the list of attacks. Each case has an honest twin in
// client.test.ts, which shows that it is the attack that fails.

const RETRY = { attempts: 3, baseDelayMs: 1, maxDelayMs: 2, maxRetryAfterMs: 100 };
const TIMEOUTS = { headerMs: 150, idleMs: 150, documentMs: 300 };
const USER: Credential = { kind: "password", username: "ann", password: "secret" };

let registry: TestRegistry;
let client: RegistryClient;
let image: TestImage;
let layer: Descriptor;
const ref = (rest = "a:1") => parseReference(`${registry.host}/${rest}`);

/** The error, which has to be ours and one sentence; anything else fails the test. */
async function failureOf(work: Promise<unknown>): Promise<SampanError> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof SampanError)) throw error;
    expect(error.message).toMatch(/^Cannot (pull|push|log in to|list tags of) "[^\n]*$/);
    return error;
  }
  throw new Error("it did not fail");
}

/** Reads a blob, keeping count even where it ends in an error. */
async function read(descriptor: Descriptor): Promise<{ bytes: number; error: SampanError }> {
  let bytes = 0;
  const error = await failureOf(
    (async () => {
      for await (const chunk of client.openBlob(ref(), descriptor)) bytes += chunk.length;
    })(),
  );
  return { bytes, error };
}

beforeEach(async () => {
  registry = await startRegistry();
  client = createRegistryClient({ retry: RETRY, timeouts: TIMEOUTS, env: {} });
  image = makeImage({ layers: [Buffer.alloc(100_000, "L")] });
  image.into(registry, "a", "1");
  const [first] = image.manifest.layers;
  if (first === undefined) throw new Error("no layer");
  layer = first;
});
afterEach(async () => {
  await client[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

describe("manifests", () => {
  const other = makeImage({ layers: [Buffer.from("other")] }).manifest;

  test("another one than the digest asked for", async () => {
    registry.hostile.manifestBytes = other.raw;
    expect((await failureOf(client.resolve(ref(`a@${image.manifest.digest}`)))).code).toBe("DIGEST_MISMATCH");
    registry.hostile.digestHeader = "";
    expect((await failureOf(client.resolve(ref(`a@${image.manifest.digest}`)))).code).toBe("DIGEST_MISMATCH");
  });

  test("another one than Docker-Content-Digest says", async () => {
    registry.hostile.digestHeader = other.digest;
    expect((await failureOf(client.resolve(ref()))).code).toBe("DIGEST_MISMATCH");
  });

  test("another one by GET than by HEAD", async () => {
    registry.hostile.digestHeader = other.digest;
    expect((await failureOf(client.resolve(ref(), { readLocal: () => Promise.resolve(undefined) }))).kind).toMatch(/invalid|not-found/);
  });

  test("of a type that it is not", async () => {
    for (const type of [MEDIA_TYPE.ociIndex, MEDIA_TYPE.dockerManifest, "text/html"]) {
      registry.hostile.manifestType = type;
      expect((await failureOf(client.resolve(ref()))).code).toBe("MEDIA_TYPE_MISMATCH");
    }
  });

  test("of another type or size than the index says (CVE-2021-41190)", async () => {
    const honest = makeIndex([{ image, platform: { os: "linux", architecture: "amd64" } }]);
    const entry = honest.manifests[0];
    for (const [lie, code] of [
      [{ mediaType: MEDIA_TYPE.dockerManifest }, "MEDIA_TYPE_MISMATCH"],
      [{ mediaType: MEDIA_TYPE.ociIndex }, "MEDIA_TYPE_MISMATCH"],
      [{ size: image.manifest.size + 1 }, "SIZE_MISMATCH"],
    ] as const) {
      registry.addManifest(
        "a",
        encodeJson({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: [{ ...entry, ...lie }] }),
        MEDIA_TYPE.ociIndex,
        "lie",
      );
      expect((await failureOf(client.resolve(ref("a:lie"), { platform: { os: "linux", architecture: "amd64" } }))).code).toBe(code);
    }
  });

  test("both a manifest and an index (CVE-2021-41190)", async () => {
    const both = encodeJson({ schemaVersion: 2, config: image.manifest.config, layers: image.manifest.layers, manifests: [] });
    for (const type of [MEDIA_TYPE.ociManifest, MEDIA_TYPE.ociIndex]) {
      registry.addManifest("a", both, type, "both");
      expect((await failureOf(client.resolve(ref("a:both")))).message).toContain("CVE-2021-41190");
    }
  });

  test("an index that leads round in a circle, or too deep", async () => {
    let inner = makeIndex([{ image, platform: { os: "linux", architecture: "amd64" } }]);
    for (let depth = 0; depth < 5; depth++) {
      registry.addManifest("a", inner.raw, inner.mediaType, "deep");
      inner = makeIndex([{ image: { ...image, manifest: inner as never }, platform: { os: "linux", architecture: "amd64" } }]);
    }
    expect((await failureOf(client.resolve(ref("a:deep"), { platform: { os: "linux", architecture: "amd64" } }))).message).toContain("nested");
  });

  test("of schema 1", async () => {
    registry.addManifest(
      "a",
      encodeJson({ schemaVersion: 1, name: "a", tag: "old", architecture: "amd64", fsLayers: [], history: [] }),
      MEDIA_TYPE.dockerSchema1Signed,
      "old",
    );
    expect(await failureOf(client.resolve(ref("a:old")))).toMatchObject({
      kind: "unsupported",
      code: "SCHEMA1",
      hint: expect.stringContaining("push the image again") as string,
    });
  });

  test("huge: announced, and without end", async () => {
    registry.hostile.manifestBytes = Buffer.alloc(5 * 1024 * 1024, " ");
    expect((await failureOf(client.resolve(ref()))).code).toBe("TOO_LARGE");
    delete registry.hostile.manifestBytes;
    const before = process.memoryUsage().rss;
    for (const endless of ["manifest", "error"] as const) {
      registry.hostile.endless = endless;
      const error = await failureOf(client.resolve(ref()));
      if (endless === "manifest") expect(error.code).toBe("TOO_LARGE");
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  });

  test("never, or a byte at a time", async () => {
    registry.hostile.hang = "manifest";
    expect((await failureOf(client.resolve(ref()))).message).toContain("did not answer in time (3 attempts)");
    delete registry.hostile.hang;
    registry.hostile.dripMs = 20;
    const start = performance.now();
    expect((await failureOf(client.resolve(ref()))).message).toContain("takes too long");
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  test("with words that would drive the terminal", async () => {
    registry.manifests.clear();
    registry.hostile.failNext.push({ path: /manifests/, status: 403 });
    registry.addManifest("a", encodeJson({ schemaVersion: 2, mediaType: "x/\x1b[2J" }), "x/\x1b[2J".replace("\x1b", ""), "1");
    const { message } = await failureOf(client.resolve(ref()));
    expect(message).not.toMatch(/[\x00-\x1f]/);
  });
});

describe("blobs", () => {
  test.each<[string, Partial<Hostile>, string]>([
    ["other bytes of the same size", { blobBytes: (honest) => Buffer.alloc(honest.length, "X") }, "DIGEST_MISMATCH"],
    ["one byte more, announced", { blobBytes: (honest) => Buffer.concat([honest, Buffer.from("x")]) }, "SIZE_MISMATCH"],
    ["one byte more, unannounced", { blobBytes: (honest) => Buffer.concat([honest, Buffer.from("x")]), blobChunked: true }, "SIZE_MISMATCH"],
    ["fewer bytes, announced", { blobBytes: (honest) => honest.subarray(1) }, "SIZE_MISMATCH"],
    ["fewer bytes, unannounced", { blobBytes: (honest) => honest.subarray(0, 5000), blobChunked: true }, "SIZE_MISMATCH"],
    ["a Content-Length that is too large", { blobContentLength: 200_000 }, "SIZE_MISMATCH"],
    ["a Content-Length that is too small", { blobContentLength: 50_000 }, "SIZE_MISMATCH"],
    ["a Content-Length of the right size over fewer bytes", { blobBytes: (honest) => honest.subarray(0, 5000), blobContentLength: 100_000 }, "SIZE_MISMATCH"],
    ["no end", { endless: "blob" }, "SIZE_MISMATCH"],
    ["another range than was asked for", { breakAfterBytes: 10_000, breaks: 1, wrongRange: true }, "SIZE_MISMATCH"],
    ["a cut, every time, without ranges", { breakAfterBytes: 10_000, breaks: 1000, noRange: true }, "TRUNCATED"],
    ["a crumb per connection", { breakAfterBytes: 1, breaks: 1000 }, "TRUNCATED"],
    ["a body that stops, every time", { breakAfterBytes: 10_000, hang: "blob", noRange: true }, "TRUNCATED"],
  ])("%s", async (_, lie, code) => {
    Object.assign(registry.hostile, lie);
    const { bytes, error } = await read(layer);
    expect(error.code).toBe(code);
    expect(bytes).toBeLessThanOrEqual(layer.size);
  }, 20_000);

  test("that are not there", async () => {
    const missing = { ...layer, digest: digestOf("missing") };
    expect((await read(missing)).error).toMatchObject({ kind: "not-found", message: expect.stringContaining("blob unknown to registry") as string });
  });

  test("with urls elsewhere: nobody goes there (CVE-2020-15157)", async () => {
    await using thief = await startThief();
    const foreign = {
      ...layer,
      digest: digestOf("foreign"),
      mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
      urls: [`${thief.url}/layer`],
    };
    expect((await read(foreign)).error.kind).toBe("not-found");
    expect(thief.seen).toEqual([]);
  });
});

/** Another host (another port is another origin) that writes down what it is sent. */
async function startThief(
  status = 200,
  body = "{}",
  headers: Record<string, string> = {},
): Promise<AsyncDisposable & { url: string; seen: Record<string, unknown>[] }> {
  const seen: Record<string, unknown>[] = [];
  const server: Server = createServer((request, response) => {
    seen.push({ url: request.url, ...request.headers });
    request.resume();
    response.writeHead(status, headers);
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { url: `http://127.0.0.1:${address.port}`, seen, [Symbol.asyncDispose]: async () => void (server.closeAllConnections(), server.close()) };
}

describe("credentials", () => {
  const restart = async (kind: "basic" | "token"): Promise<void> => {
    await registry[Symbol.asyncDispose]();
    await client[Symbol.asyncDispose]();
    registry = await startRegistry({ auth: { kind, username: "ann", password: "secret" } });
    client = createRegistryClient({
      retry: RETRY,
      timeouts: TIMEOUTS,
      env: {},
      credentials: { get: async (domain) => (domain === registry.host ? USER : undefined) },
    });
    image.into(registry, "a", "1");
  };

  test.each(["basic", "token"] as const)("stay behind when a request is redirected to another origin (%s)", async (kind) => {
    await restart(kind);
    await using thief = await startThief(200, "not the blob");
    registry.hostile.redirectBlobs = `${thief.url}/blob`;
    await read(layer);
    registry.hostile.redirectManifests = `${thief.url}/manifest`;
    await failureOf(client.resolve(ref()));
    expect(thief.seen.length).toBeGreaterThanOrEqual(2);
    for (const headers of thief.seen) expect(headers["authorization"]).toBeUndefined();
    expect(registry.requests.at(-1)?.headers["authorization"]).toBeDefined();
  });

  test.each(["basic", "token"] as const)("are not asked for by the target of a redirect, nor for its token server (%s)", async (kind) => {
    await restart(kind);
    await using tokens = await startThief(200, `{"token":"stolen"}`);
    for (const challenge of [`Basic realm="give"`, `Bearer realm="${tokens.url}/token",service="x"`]) {
      await using thief = await startThief(401, "{}", { "www-authenticate": challenge });
      registry.hostile.redirectBlobs = `${thief.url}/blob`;
      await read(layer);
      expect(thief.seen.length).toBeGreaterThan(0);
      for (const headers of thief.seen) expect(headers["authorization"]).toBeUndefined();
    }
    expect(tokens.seen).toEqual([]);
  });

  test("do not follow a token server's redirect", async () => {
    await restart("token");
    await using thief = await startThief(200, `{"token":"stolen"}`);
    await using relay = await startThief(307, "", { location: `${thief.url}/token` });
    registry.hostile.realm = `${relay.url}/token`;
    await failureOf(client.resolve(ref()));
    expect(relay.seen[0]?.["authorization"]).toMatch(/^Basic /);
    expect(thief.seen.length).toBeGreaterThan(0);
    for (const headers of thief.seen) expect(headers["authorization"]).toBeUndefined();
  });

  test.each([
    ["http://tokens.example/token", "not asked over TLS"],
    ["http://10.0.0.1/token", "not asked over TLS"],
    ["file:///etc/passwd", "not asked over TLS"],
    ["https://user:pass@tokens.example/", "carries a user"],
    ["not a url", "not a URL"],
    ["", "not a URL"],
  ])("a token server at %p is refused", async (realm, words) => {
    await restart("token");
    registry.hostile.realm = realm;
    const error = await failureOf(client.resolve(ref()));
    expect(error).toMatchObject({ kind: "denied", code: "TOKEN_REALM_REFUSED" });
    expect(error.message).toContain(words);
  });

  test("a token server without end, or with a token that would break the header", async () => {
    await restart("token");
    registry.hostile.endless = "token";
    expect((await failureOf(client.resolve(ref()))).code).toBe("TOO_LARGE");
    delete registry.hostile.endless;
    for (const token of ["x\r\nInjected: yes", "", 5, null, "x".repeat(70_000)]) {
      registry.hostile.tokenBody = JSON.stringify({ token });
      expect((await failureOf(client.resolve(ref()))).code).toBe("TOKEN_INVALID");
    }
  });

  test("are not in any message", async () => {
    await restart("basic");
    registry.hostile.failNext.push({ path: /manifests/, status: 403 });
    const error = await failureOf(client.resolve(ref()));
    expect(`${error.message}${error.hint ?? ""}${String(error.stack)}`).not.toContain("secret");
  });

  test("do not go with an upload that is kept elsewhere", async () => {
    await restart("basic");
    await using thief = await startThief(201);
    registry.hostile.uploadLocation = `${thief.url}/upload`;
    const content = Buffer.from("new");
    await client.pushBlob(ref(), { mediaType: MEDIA_TYPE.ociLayer, digest: digestOf(content), size: content.length }, { async *open(
      offset,
    ) { yield content.subarray(offset); } });
    expect(thief.seen).toHaveLength(1);
    expect(thief.seen[0]?.["authorization"]).toBeUndefined();
  });

  test("do not go to a next page on another host", async () => {
    await restart("basic");
    await using thief = await startThief();
    registry.hostile.nextPage = `${thief.url}/next`;
    expect((await failureOf(client.listTags(ref()))).message).toContain("another host");
    expect(thief.seen).toEqual([]);
  });
});

describe("redirects", () => {
  test("in a circle end", async () => {
    registry.hostile.redirectBlobs = `${registry.url}/v2/a/blobs/%s`;
    expect((await read(layer)).error.code).toBe("REDIRECT_REFUSED");
  });

  test.each(["file:///etc/passwd", "ftp://127.0.0.1/x", "http://user:pw@127.0.0.1:1/", "javascript:0", "http://["])("to %p are refused", async (target) => {
    registry.hostile.redirectBlobs = target;
    expect((await read(layer)).error.code).toBe("REDIRECT_REFUSED");
  });
});

test("a list of tags without end is left", async () => {
  registry.hostile.nextPage = "/v2/a/tags/list?again";
  expect((await failureOf(client.listTags(ref()))).message).toContain("more than 1000 pages");
});

import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createServer, request as httpRequest, type Server } from "node:http";
import { connect } from "node:net";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chainIds, digestOf, encodeIndex, parseImageConfig, parsePlatform, parseReference, requireMatchingLayers, type Descriptor, type Reference } from "../../src/oci/index.ts";
import { createRegistryClient, login, openDockerConfig, parseRegistriesConfig, type RegistryClient, type ResolvedImage } from "../../src/registry/index.ts";
import { makeCertificate, startDebianRegistry, type DebianRegistry } from "../support/registry/debian.ts";
import { makeImage, startRegistry } from "../support/registry/index.ts";

// Against Debian's docker-registry, with images that skopeo, umoci and buildah made and pushed, and back.

const exec = promisify(execFile);
let folder: string;
let registry: DebianRegistry;
let client: RegistryClient;

const run = async (command: string, ...args: string[]): Promise<string> => (await exec(command, args, { maxBuffer: 64 << 20, env: { ...process.env, HOME: folder, REGISTRY_AUTH_FILE: join(folder, "auth.json") } })).stdout;
const skopeo = (...args: string[]): Promise<string> => run("skopeo", "--insecure-policy", ...args);
const buildah = (...args: string[]): Promise<string> => run("buildah", "--root", join(folder, "graph"), "--runroot", join(folder, "run"), "--storage-driver", "vfs", ...args);
const ref = (rest: string, host = registry.host): Reference => parseReference(`${host}/${rest}`);

async function readBlob(reference: Reference, descriptor: Descriptor, from = client): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of from.openBlob(reference, descriptor)) parts.push(part);
  return Buffer.concat(parts);
}

/** Everything of an image, checked once more by other means than the client's. */
async function pullAll(reference: Reference, image: ResolvedImage, from = client): Promise<Buffer[]> {
  const blobs: Buffer[] = [];
  for (const descriptor of [image.manifest.config, ...image.manifest.layers]) {
    const bytes = await readBlob(reference, descriptor, from);
    expect(`sha256:${createHash("sha256").update(bytes).digest("hex")}`).toBe(descriptor.digest);
    blobs.push(bytes);
  }
  return blobs;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sampan-registry-"));
  await writeFile(join(folder, "auth.json"), "{}");
  registry = await startDebianRegistry(join(folder, "open"));
  client = createRegistryClient({ env: {} });
}, 30_000);
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe("what others pushed", () => {
  test("umoci's image by skopeo, as OCI and as Docker schema 2", async () => {
    const layout = join(folder, "layout");
    await run("umoci", "init", "--layout", layout);
    await run("umoci", "new", "--image", `${layout}:t`);
    const tree = join(folder, "tree");
    await mkdir(tree);
    for (const layer of ["one", "two"]) {
      await writeFile(join(tree, layer), randomBytes(200_000));
      await run("umoci", "insert", "--image", `${layout}:t`, tree, `/${layer}`);
    }
    await run("umoci", "config", "--image", `${layout}:t`, "--config.cmd", "sh", "--config.env", "A=b");
    for (const format of ["oci", "v2s2"]) {
      await skopeo("copy", "--dest-tls-verify=false", "--format", format, `oci:${layout}:t`, `docker://${registry.host}/umoci/${format}:1`);
      const reference = ref(`umoci/${format}:1`);
      const image = await client.resolve(reference);
      const raw = await skopeo("inspect", "--tls-verify=false", "--raw", `docker://${registry.host}/umoci/${format}:1`);
      expect(Buffer.from(image.manifest.raw).toString()).toBe(raw);
      const [config = Buffer.alloc(0)] = await pullAll(reference, image);
      const parsed = parseImageConfig(config);
      requireMatchingLayers(parsed.config, image.manifest.layers);
      expect(parsed.config.config).toMatchObject({ Cmd: ["sh"], Env: expect.arrayContaining(["A=b"]) as string[] });
      expect(chainIds(parsed.config.rootfs.diff_ids)).toHaveLength(2);
      expect(JSON.parse(await skopeo("inspect", "--tls-verify=false", `docker://${registry.host}/umoci/${format}:1`))).toMatchObject({ Digest: image.root.digest, Layers: image.manifest.layers.map(({ digest }) => digest) });
    }
  }, 60_000);

  test("buildah's manifest list of three platforms", async () => {
    await writeFile(join(folder, "hello"), "hello\n");
    await buildah("manifest", "create", "multi");
    for (const arch of ["amd64", "arm64", "arm"]) {
      const container = (await buildah("from", "--arch", arch, "scratch")).trim();
      await buildah("copy", container, join(folder, "hello"), `/hello-${arch}`);
      await buildah("config", "--arch", arch, ...(arch === "arm" ? ["--variant", "v7"] : []), container);
      await buildah("commit", "--manifest", "multi", container);
    }
    await buildah("manifest", "push", "--all", "--tls-verify=false", "multi", `docker://${registry.host}/multi:1`);
    const digests = new Set<string>();
    for (const platform of ["linux/amd64", "linux/arm64/v8", "linux/arm/v7"]) {
      const image = await client.resolve(ref("multi:1"), { platform: parsePlatform(platform) });
      const [config = Buffer.alloc(0)] = await pullAll(ref("multi:1"), image);
      expect(parseImageConfig(config).config.architecture).toBe(platform.split("/")[1] ?? "");
      digests.add(image.manifest.digest);
    }
    expect(digests.size).toBe(3);
    const error = await client.resolve(ref("multi:1"), { platform: parsePlatform("linux/s390x") }).catch((it: unknown) => it);
    expect(String(error)).toMatch(/no matching manifest for linux\/s390x .*; offered: linux\/amd64, linux\/arm64(\/v8)?, linux\/arm(\/v7)?/);
  }, 120_000);

  test("what is not there is said in Docker's words", async () => {
    const error = await client.resolve(ref("umoci/none:1")).catch((it: unknown) => it);
    expect(error).toMatchObject({ kind: "not-found", message: expect.stringContaining("manifest unknown") as string });
    expect(await client.listTags(ref("umoci/none")).catch((it: unknown) => it)).toMatchObject({ kind: "not-found" });
  });

  test("tags and catalog", async () => {
    expect(await client.listTags(ref("multi"))).toEqual(["1"]);
    expect((await client.search(registry.host, "umoci")).map(({ name }) => name)).toEqual([`${registry.host}/umoci/oci`, `${registry.host}/umoci/v2s2`]);
  });
});

describe("what we push", () => {
  test.each([undefined, 100_000])("skopeo pulls, byte for byte (pieces of %p)", async (chunkBytes) => {
    const repository = `ours${chunkBytes ?? ""}`;
    const image = makeImage({ layers: [randomBytes(350_000), randomBytes(10)] });
    const reference = ref(`${repository}:1`);
    const blobs = [image.config, ...image.layers];
    for (const [index, descriptor] of [image.manifest.config, ...image.manifest.layers].entries()) {
      const bytes = blobs[index] ?? new Uint8Array();
      const source = { async *open(offset: number) { yield bytes.subarray(offset); } };
      expect(await client.pushBlob(reference, descriptor, source, { chunkBytes })).toBe("uploaded");
      expect(await client.pushBlob(reference, descriptor, source)).toBe("exists");
      expect(await client.pushBlob(ref(`mounted/${repository}`), descriptor, source, { mountFrom: [repository] })).toBe(`mounted from ${repository}`);
    }
    await client.pushManifest(reference, image.manifest);
    await client.pushManifest(ref(`${repository}:index`), encodeIndex([{ mediaType: image.manifest.mediaType, digest: image.manifest.digest, size: image.manifest.size, platform: { os: "linux", architecture: "amd64" } }]));
    expect(await skopeo("inspect", "--tls-verify=false", "--raw", `docker://${registry.host}/${repository}:1`)).toBe(Buffer.from(image.manifest.raw).toString());
    const target = join(folder, `pulled-${repository}`);
    await skopeo("copy", "--src-tls-verify=false", "--all", `docker://${registry.host}/${repository}:1`, `dir:${target}`);
    for (const bytes of blobs) expect(Buffer.compare(await readFile(join(target, digestOf(bytes).slice("sha256:".length))), bytes)).toBe(0);
    expect((await client.resolve(ref(`${repository}:index`), { platform: parsePlatform("linux/amd64") })).manifest).toEqual(image.manifest);
  }, 60_000);

  test("a manifest whose blobs are missing is refused by the registry, and the reason told", async () => {
    const { manifest } = makeImage({ layers: [randomBytes(20)] });
    expect(await client.pushManifest(ref("incomplete:1"), manifest).catch((it: unknown) => it)).toMatchObject({ code: "MANIFEST_BLOB_UNKNOWN" });
  });
});

describe("with a password", () => {
  test("pull and push only for those who have it; login keeps what is right", async () => {
    await using guarded = await startDebianRegistry(join(folder, "guarded"), { user: { name: "ann", password: "pa:ss" } });
    const store = openDockerConfig({ DOCKER_CONFIG: join(folder, "docker") });
    await using knowing = createRegistryClient({ env: {}, credentials: store });
    const image = makeImage();
    const [layer] = image.manifest.layers;
    if (layer === undefined) throw new Error("no layer");
    const push = (by: RegistryClient): Promise<unknown> => by.pushBlob(ref("a:1", guarded.host), layer, { async *open() { yield image.layers[0] ?? new Uint8Array(); } });
    expect(await push(client).catch((it: unknown) => it)).toMatchObject({ kind: "denied", message: expect.stringContaining("unauthorized: authentication required") as string });
    expect(await login(knowing, store, guarded.host, "ann", "wrong").catch((it: unknown) => it)).toMatchObject({ kind: "denied" });
    await login(knowing, store, guarded.host, "ann", "pa:ss");
    // What has once been refused was refused to the one who had no credentials yet.
    await using after = createRegistryClient({ env: {}, credentials: store });
    expect(await push(after)).toBe("uploaded");
    expect(Buffer.compare(await readBlob(ref("a:1", guarded.host), layer, after), Buffer.from(image.layers[0] ?? []))).toBe(0);
    expect(await run("skopeo", "login", "--get-login", "--authfile", store.file, guarded.host)).toBe("ann\n");
  }, 30_000);
});

describe("over TLS", () => {
  test("verified with the authority that is named, unverified where that is allowed, refused otherwise", async () => {
    const tls = await makeCertificate(folder);
    await using secure = await startDebianRegistry(join(folder, "tls"), { tls });
    const port = secure.host.split(":")[1] ?? "";
    const from = (host: string, options: Parameters<typeof createRegistryClient>[0]): Promise<unknown> => {
      const its = createRegistryClient({ env: {}, ...options });
      return its.ping(host).then(() => "fine", (it: unknown) => it).finally(() => its[Symbol.asyncDispose]());
    };
    expect(await from(secure.host, {})).toBe("fine");
    expect(await from(secure.host, { tlsVerify: false })).toBe("fine");
    expect(await from(secure.host, { tlsVerify: true })).toMatchObject({ kind: "unavailable", message: expect.stringMatching(/^Cannot reach "127.0.0.1:\d+": the certificate of 127.0.0.1:\d+ is not trusted/) as string });
    const config = parseRegistriesConfig(`[[registry]]\nlocation = "localhost:${port}"\nca = "${tls.certFile}"\ninsecure = false\n`);
    expect(await from(`localhost:${port}`, { config })).toBe("fine");
    // A registry that speaks no TLS is not fallen back to when TLS was asked for.
    expect(await from(registry.host, { tlsVerify: true })).toMatchObject({ message: expect.stringContaining("does not speak TLS") as string });
    expect(await from(registry.host, { tlsVerify: false })).toBe("fine");
  }, 30_000);

  test("a redirect to plain HTTP is refused, and so is an upload there", async () => {
    const { certFile, keyFile } = await makeCertificate(folder);
    await using secure = await startRegistry({ tls: { key: await readFile(keyFile, "utf8"), cert: await readFile(certFile, "utf8") } });
    await using plain = await startRegistry();
    const image = makeImage();
    image.into(secure, "a", "1");
    image.into(plain, "a", "1");
    const [layer] = image.manifest.layers;
    if (layer === undefined) throw new Error("no layer");
    expect(await readBlob(ref("a:1", secure.host), layer)).toHaveLength(layer.size);
    secure.hostile.redirectBlobs = `${plain.url}/v2/a/blobs/%s`;
    expect(await readBlob(ref("a:1", secure.host), layer).catch((it: unknown) => it)).toMatchObject({ code: "REDIRECT_REFUSED" });
    secure.hostile.uploadLocation = `${plain.url}/v2/a/blobs/uploads/x`;
    const bytes = randomBytes(10);
    const pushed = client.pushBlob(ref("a", secure.host), { ...layer, digest: digestOf(bytes), size: 10 }, { async *open() { yield bytes; } });
    expect(await pushed.catch((it: unknown) => it)).toMatchObject({ code: "UPLOAD_LOCATION" });
    expect(plain.requests).toEqual([]);
  }, 30_000);
});

describe("through a proxy", () => {
  /** Takes every name to be this machine: what is asked for under "registry.test" is on loopback. */
  async function startProxy(): Promise<AsyncDisposable & { url: string; seen: string[]; authorizations: (string | undefined)[] }> {
    const seen: string[] = [];
    const authorizations: (string | undefined)[] = [];
    const server: Server = createServer((request, response) => {
      seen.push(`${request.method ?? ""} ${request.url ?? ""}`);
      authorizations.push(request.headers["proxy-authorization"]);
      const to = new URL(request.url ?? "");
      const onward = httpRequest({ host: "127.0.0.1", port: to.port, path: to.pathname + to.search, method: request.method, headers: request.headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      request.pipe(onward);
    });
    server.on("connect", (request, socket, head: Buffer) => {
      seen.push(`CONNECT ${request.url ?? ""}`);
      authorizations.push(request.headers["proxy-authorization"]);
      const onward = connect(Number((request.url ?? "").split(":")[1]), "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        onward.write(head);
        onward.pipe(socket).pipe(onward);
      });
      onward.on("error", () => socket.destroy());
      socket.on("error", () => onward.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return { url: `http://me:pw@127.0.0.1:${address.port}`, seen, authorizations, [Symbol.asyncDispose]: async () => void (server.closeAllConnections(), server.close()) };
  }

  test("plain HTTP in the absolute form, TLS by CONNECT with the certificate of the registry checked", async () => {
    await using proxy = await startProxy();
    const { certFile, keyFile } = await makeCertificate(folder);
    await using plain = await startRegistry();
    await using secure = await startRegistry({ tls: { key: await readFile(keyFile, "utf8"), cert: await readFile(certFile, "utf8") } });
    const image = makeImage({ layers: [randomBytes(500_000)] });
    for (const server of [plain, secure]) image.into(server, "a", "1");
    const at = (host: string): string => `registry.test:${host.split(":")[1] ?? ""}`;
    const config = parseRegistriesConfig(`[[registry]]\nlocation = "${at(plain.host)}"\ninsecure = true\n[[registry]]\nlocation = "${at(secure.host)}"\nca = "${certFile}"\n`);
    await using proxied = createRegistryClient({ config, env: { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url } });
    for (const server of [plain, secure]) await pullAll(ref("a:1", at(server.host)), await proxied.resolve(ref("a:1", at(server.host))), proxied);
    expect(proxy.seen).toContain(`GET http://${at(plain.host)}/v2/a/manifests/1`);
    expect(proxy.seen).toContain(`CONNECT ${at(secure.host)}`);
    expect(new Set(proxy.authorizations)).toEqual(new Set([`Basic ${Buffer.from("me:pw").toString("base64")}`]));
    await using strict = createRegistryClient({ env: { HTTPS_PROXY: proxy.url } });
    expect(await strict.ping(at(secure.host)).catch((it: unknown) => it)).toMatchObject({ message: expect.stringContaining("is not trusted") as string });
  }, 30_000);
});

test("the same client runs on Node", async () => {
  const { certFile, keyFile } = await makeCertificate(folder);
  await using secure = await startRegistry({ tls: { key: await readFile(keyFile, "utf8"), cert: await readFile(certFile, "utf8") } });
  makeImage({ layers: [randomBytes(300_000)] }).into(secure, "a", "1");
  Object.assign(secure.hostile, { breakAfterBytes: 100_000, breaks: 2 });
  const program = join(folder, "program.ts");
  const root = join(import.meta.dirname, "../..");
  await writeFile(
    program,
    `import { parseReference } from "${root}/src/oci/index.ts";
import { createRegistryClient } from "${root}/src/registry/index.ts";
const client = createRegistryClient({ env: {} });
for (const text of process.argv.slice(2)) {
  const reference = parseReference(text);
  const image = await client.resolve(reference, { platform: { os: "linux", architecture: "amd64" } });
  for (const layer of image.manifest.layers) {
    let bytes = 0;
    for await (const chunk of client.openBlob(reference, layer)) bytes += chunk.length;
    if (bytes !== layer.size) throw new Error("wrong size");
  }
  await client.pushManifest({ ...reference, tag: "again" }, image.manifest);
}
await client[Symbol.asyncDispose]();
console.log("fine");
`,
  );
  const built = await Bun.build({ entrypoints: [program], outdir: join(folder, "node"), target: "node", naming: "program.mjs" });
  expect(built.success).toBe(true);
  expect(await run("node", join(folder, "node", "program.mjs"), `${secure.host}/a:1`, `${registry.host}/multi:1`)).toBe("fine\n");
}, 30_000);

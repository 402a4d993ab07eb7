import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rejection } from "../../../test/support/rejection.ts";
import { spawn, type ChildProcess } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../oci/digest.ts";
import { encodeIndex, encodeManifest } from "../../oci/manifest.ts";
import { MEDIA_TYPE } from "../../oci/media-types.ts";
import { acquireLock, openContentStore, REF_NAME, tryLock, type ContentStore } from "./index.ts";

let root = "";
let store: ContentStore;
const children: ChildProcess[] = [];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "sampan-content-"));
  store = await openContentStore(`${root}/store`);
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

/** Another process with the store open; resolves with its first line of output. */
async function elsewhere(code: string): Promise<{ child: ChildProcess; line: string }> {
  const script = `import { openContentStore, acquireLock } from ${JSON.stringify(`${import.meta.dir}/index.ts`)};
    const store = await openContentStore(${JSON.stringify(`${root}/store`)}); ${code}`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const [data] = (await once(child.stdout, "data")) as [Buffer]; // "data" of a stream without encoding
  return { child, line: data.toString().trim() };
}

async function receive(bytes: Uint8Array, digest = digestOf(bytes)): Promise<void> {
  await using ingest = await store.ingest(digest, bytes.length);
  ingest?.write(bytes.subarray(ingest.offset));
  await ingest?.commit();
}

async function image(layers: Uint8Array[]): Promise<ReturnType<typeof encodeManifest>> {
  for (const layer of layers) await receive(layer);
  const config = await store.put(Buffer.from(JSON.stringify({ layers: layers.length, r: Math.random() })), MEDIA_TYPE.ociConfig);
  const manifest = encodeManifest({ config, layers: layers.map((layer) => ({ mediaType: MEDIA_TYPE.ociLayer, digest: digestOf(layer), size: layer.length })) });
  await store.put(manifest.raw, manifest.mediaType);
  return manifest;
}

describe("blobs", () => {
  test("come out as they went in", async () => {
    const bytes = randomBytes(1_000_000);
    await receive(bytes);
    expect(store.has(digestOf(bytes))).toBe(true);
    expect(Buffer.from(await store.get(digestOf(bytes))).equals(bytes)).toBe(true);
    expect(Buffer.concat(await Array.fromAsync(store.read(digestOf(bytes), 300_000))).equals(bytes.subarray(300_000))).toBe(true);
    expect(store.usage()).toEqual({ blobs: 1, bytes: bytes.length, partialBytes: 0 });
    expect(await store.ingest(digestOf(bytes), bytes.length)).toBeUndefined();
  });

  test("an interrupted one goes on where it was", async () => {
    const bytes = randomBytes(100_000);
    {
      await using ingest = await store.ingest(digestOf(bytes), bytes.length);
      ingest?.write(bytes.subarray(0, 40_000));
    }
    expect(store.usage().partialBytes).toBe(40_000);
    await using again = await store.ingest(digestOf(bytes), bytes.length);
    if (again === undefined) throw new Error("it is not there yet");
    expect(again.offset).toBe(40_000);
    expect(Buffer.concat(await Array.fromAsync(again.received())).equals(bytes.subarray(0, 40_000))).toBe(true);
    again.write(bytes.subarray(40_000));
    await again.commit();
    expect(Buffer.from(await store.get(digestOf(bytes))).equals(bytes)).toBe(true);
  });

  test("a wrong digest, too few and too many bytes are refused, and poison is not resumed", async () => {
    const bytes = randomBytes(1000);
    const digest = digestOf(bytes);
    expect(await rejection(receive(randomBytes(1000), digest))).toMatchObject({ kind: "invalid", code: "DIGEST_INVALID" });
    expect(store.usage().partialBytes).toBe(0);
    {
      await using ingest = await store.ingest(digest, 1000);
      expect(() => ingest?.write(randomBytes(1001))).toThrow("more than the 1000 bytes");
      expect(await rejection(ingest?.commit() ?? Promise.resolve())).toMatchObject({ code: "SIZE_INVALID" });
    }
    expect(store.has(digest)).toBe(false);
    await receive(bytes);
  });

  test("one that the disk has changed is not handed out", async () => {
    const { digest } = await store.put(Buffer.from("{}"), MEDIA_TYPE.ociConfig);
    const path = `${root}/store/blobs/sha256/${digest.slice(7)}`;
    chmodSync(path, 0o600);
    writeFileSync(path, "[]");
    expect(await rejection(store.get(digest))).toMatchObject({ code: "DIGEST_INVALID" });
    truncateSync(path, 0);
    expect(await rejection(store.get(digest))).toMatchObject({ code: "DIGEST_INVALID" });
    expect(store.delete(digest)).toBe(true);
    expect(await rejection(store.get(digest))).toMatchObject({ kind: "not-found", code: "BLOB_UNKNOWN" });
  });

  test("one of the same is received at a time, the others find it there", async () => {
    const bytes = randomBytes(10_000);
    let received = 0;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        await using ingest = await store.ingest(digestOf(bytes), bytes.length);
        if (ingest === undefined) return;
        received++;
        for (let at = 0; at < bytes.length; at += 1000) {
          ingest.write(bytes.subarray(at, at + 1000));
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        await ingest.commit();
      }),
    );
    expect(received).toBe(1);
  });
});

describe("locks", () => {
  test("exclude other processes, and end with them, however they end", async () => {
    const path = `${root}/store/locks/x.lock`;
    const { child } = await elsewhere(`globalThis.lock = await acquireLock(${JSON.stringify(path)}); console.log("held"); setInterval(() => 0, 1000)`);
    expect(tryLock(path)).toBeUndefined();
    expect(String(await rejection(acquireLock(path, AbortSignal.timeout(30))))).toContain("");
    const waiting = acquireLock(path);
    child.kill("SIGKILL");
    using lock = await waiting;
    expect(tryLock(path)).toBeUndefined();
    lock.release();
    using again = tryLock(path);
    expect(again).toBeDefined();
  });

  test("a partial blob of a killed process is resumed by the next", async () => {
    const bytes = randomBytes(5000);
    const file = `${root}/bytes`;
    writeFileSync(file, bytes);
    const { child } = await elsewhere(`const bytes = (await import("node:fs")).readFileSync(${JSON.stringify(file)});
      const ingest = await store.ingest("${digestOf(bytes)}", 5000); ingest.write(bytes.subarray(0, 2000)); console.log("wrote"); setInterval(() => 0, 1000)`);
    setTimeout(() => child.kill("SIGKILL"), 20);
    await using ingest = await store.ingest(digestOf(bytes), 5000);
    expect(ingest?.offset).toBe(2000);
    ingest?.write(bytes.subarray(2000));
    await ingest?.commit();
    expect(store.has(digestOf(bytes))).toBe(true);
  });
});

describe("references", () => {
  test("are index.json's entries", async () => {
    const one = await image([randomBytes(10)]);
    const two = await image([randomBytes(10)]);
    const name = "docker.io/library/a:latest";
    await store.setReference(name, { mediaType: one.mediaType, digest: one.digest, size: one.size });
    await store.setReference("b", { mediaType: two.mediaType, digest: two.digest, size: two.size, annotations: { other: "kept" } });
    await store.setReference(name, { mediaType: two.mediaType, digest: two.digest, size: two.size });
    const index = JSON.parse(readFileSync(`${root}/store/index.json`, "utf8")) as { manifests: { digest: string; annotations: object }[] }; // written by us
    expect(index.manifests.map(({ digest, annotations }) => [digest, annotations])).toEqual([
      [two.digest, { other: "kept", [REF_NAME]: "b" }],
      [two.digest, { [REF_NAME]: name }],
    ]);
    expect(await store.removeReference("b")).toBe(true);
    expect(await store.removeReference("b")).toBe(false);
    expect(store.references().map((reference) => reference.name)).toEqual([name]);
    expect(readFileSync(`${root}/store/oci-layout`, "utf8")).toBe(`{"imageLayoutVersion":"1.0.0"}`);
  });

  test("to what is not there are refused", async () => {
    expect(await rejection(store.setReference("a", { mediaType: MEDIA_TYPE.ociManifest, digest: digestOf("x"), size: 1 }))).toMatchObject({ kind: "not-found" });
  });

  test("written by many at once, none is lost", async () => {
    const { digest, size, mediaType } = await image([]);
    await Promise.all(Array.from({ length: 20 }, (_, index) => store.setReference(`n${index}`, { mediaType, digest, size })));
    expect(store.references().length).toBe(20);
    expect(readdirSync(`${root}/store`).filter((name) => name.startsWith("index.json"))).toEqual(["index.json"]);
  });
});

describe("gc", () => {
  test("keeps what index.json, the caller and leases need, and takes the rest", async () => {
    const layers = Array.from({ length: 4 }, () => randomBytes(100));
    const named = await image([layers[0] ?? randomBytes(1)]);
    await store.setReference("a", { mediaType: named.mediaType, digest: named.digest, size: named.size });
    const rooted = await image([layers[1] ?? randomBytes(1)]);
    const index = encodeIndex([
      { mediaType: rooted.mediaType, digest: rooted.digest, size: rooted.size },
      { mediaType: MEDIA_TYPE.ociManifest, digest: digestOf("never pulled"), size: 12 },
    ]);
    const root = await store.put(index.raw, index.mediaType);
    await using lease = await store.lease();
    await lease.add([digestOf(layers[2] ?? "")]);
    await receive(layers[2] ?? randomBytes(1));
    await receive(layers[3] ?? randomBytes(1));

    const roots = (): typeof root[] => [root];
    expect(await store.gc({ roots, dryRun: true })).toEqual({ deleted: [digestOf(layers[3] ?? "")], bytes: 100 });
    expect(store.list().length).toBe(9);
    expect((await store.gc({ roots })).deleted).toEqual([digestOf(layers[3] ?? "")]);
    expect(layers.slice(0, 3).every((layer) => store.has(digestOf(layer)))).toBe(true);

    await lease[Symbol.asyncDispose]();
    expect((await store.gc()).deleted.length).toBe(5);
    expect(store.has(named.digest)).toBe(true);
  });

  test("a lease lasts as long as its process", async () => {
    const bytes = randomBytes(100);
    await receive(bytes);
    const { child } = await elsewhere(`const lease = await store.lease(); await lease.add(["${digestOf(bytes)}"]); console.log("leased"); setInterval(() => lease, 1000)`);
    expect((await store.gc()).deleted).toEqual([]);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect((await store.gc()).deleted).toEqual([digestOf(bytes)]);
    expect(readdirSync(`${root}/store/leases`)).toEqual([]);
  });

  test("the lock of a lease that was never written goes with the next sweep; a living lease keeps its own", async () => {
    await using lease = await store.lease();
    writeFileSync(`${root}/store/leases/${"a".repeat(64)}.lock`, "");
    await store.gc();
    expect(readdirSync(`${root}/store/leases`).sort()).toEqual([lease.id, `${lease.id}.lock`]);
  });

  test("an index.json that was never finished goes with the next sweep", async () => {
    writeFileSync(`${root}/store/index.json.0123456789abcdef`, "{");
    const before = readFileSync(`${root}/store/index.json`, "utf8");
    await store.gc();
    expect(readdirSync(`${root}/store`).filter((name) => /^(index|oci)/.test(name)).sort()).toEqual(["index.json", "oci-layout"]);
    expect(readFileSync(`${root}/store/index.json`, "utf8")).toBe(before);
  });

  test("half a blob goes only when asked for, and not while it is being received", async () => {
    const bytes = randomBytes(100);
    {
      await using ingest = await store.ingest(digestOf(bytes), 100);
      ingest?.write(bytes.subarray(0, 50));
      await store.gc({ partial: true });
      expect(store.usage().partialBytes).toBe(50);
    }
    await store.gc();
    expect(store.usage().partialBytes).toBe(50);
    expect((await store.gc({ partial: true })).bytes).toBe(50);
    expect(store.usage().partialBytes).toBe(0);
    expect(existsSync(`${root}/store/locks/store.lock`)).toBe(true);
  });
});

/** The image store under processes that share it, and that are killed. Needs root. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { appendLayer, createImage, emptyConfig } from "../../src/images/index.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { MEDIA_TYPE } from "../../src/oci/media-types.ts";
import { parseManifest } from "../../src/oci/manifest.ts";
import { hostPlatform } from "../../src/oci/platform.ts";
import { openContentStore } from "../../src/storage/content/index.ts";
import { tarFormat } from "../../src/storage/tar/index.ts";
import { createSandbox, removeTree, run, runOk, SAMPAN, type Sandbox } from "../support/index.ts";
import { namesIn } from "../support/images.ts";
import { startRegistry, type TestRegistry } from "../support/registry/index.ts";

let dir: string;
let registry: TestRegistry;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "image-store-"));
  registry = await startRegistry();
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  removeTree(dir);
});

/** Layers of several files each; as many as `layers` has numbers, which are bytes per file. */
async function pushMade(repository: string, layers: readonly number[], seed: readonly Buffer[] = []): Promise<string> {
  const store = await openContentStore(join(dir, repository.replaceAll("/", "-")));
  let config = emptyConfig(hostPlatform());
  const descriptors = [];
  for (const [index, bytes] of layers.entries()) {
    const parts: Uint8Array[] = [];
    for (let file = 0; file < 20; file++) {
      const content = seed[index] ?? randomBytes(bytes);
      parts.push(tarFormat.header(`layer${index}/file${file}`, content.length), content, tarFormat.padding(content.length));
    }
    const tar = Buffer.concat([...parts, tarFormat.trailer()]);
    descriptors.push(await store.put(gzipSync(tar, { level: 1 }), MEDIA_TYPE.ociLayerGzip));
    config = appendLayer(config, digestOf(tar), { created_by: `layer ${index}` });
  }
  const { manifest } = await createImage(store, config, descriptors);
  for (const { digest } of [manifest.config, ...manifest.layers]) registry.addBlob(repository, await store.get(digest, 1 << 30));
  registry.addManifest(repository, manifest.raw, manifest.mediaType, "1");
  return `${registry.host}/${repository}:1`;
}

/** What is on disk and is accounted for by nothing. */
function leftovers(sandbox: Sandbox): string[] {
  const layers = namesIn(`${sandbox.root}/layers`).filter((name) => name.endsWith(".new"));
  return [...layers, ...namesIn(`${sandbox.root}/images/ingest`), ...namesIn(`${sandbox.root}/images/leases`), ...namesIn(sandbox.state).filter((name) => /^(plan|session)\./.test(name))];
}

describe("twenty pulls of one image at once", () => {
  test("are one download and one unpack, and all say the same", async () => {
    const name = await pushMade("parallel", [20_000, 50_000, 10_000]);
    await using sandbox = createSandbox();
    await sandbox.ok(["images"]);
    registry.requests.length = 0;
    const pulls = await Promise.all(Array.from({ length: 20 }, () => sandbox.sampan(["pull", "-q", name], { timeoutMs: 120_000 })));
    expect(pulls.map(({ exitCode, stderr }) => ({ exitCode, stderr }))).toEqual(Array.from({ length: 20 }, () => ({ exitCode: 0, stderr: "" })));
    const blobs = registry.requests.filter(({ method, url }) => method === "GET" && url.includes("/blobs/")).map(({ url }) => url);
    const layerBlobs = new Set([...(registry.manifests.get("parallel")?.values() ?? [])].flatMap(({ bytes }) => (JSON.parse(Buffer.from(bytes).toString()) as { layers: { digest: string }[] }).layers.map(({ digest }) => digest))); // ours
    for (const digest of layerBlobs) expect(blobs.filter((url) => url.endsWith(digest)).length).toBe(1);
    expect(namesIn(`${sandbox.root}/layers`).filter((entry) => entry.length === 64).length).toBe(3);
    expect(leftovers(sandbox)).toEqual([]);
    // Each unpacked layer is what its diff ID says, as the store has taken it in once.
    const history = (await sandbox.ok(["history", "--format", "{{.Size}}", "--human=false", name])).split("\n");
    expect(history).toEqual(["200000", "1000000", "400000"]);
  }, 180_000);
});

test("a first layer that is slow to come does not keep those above it from coming", async () => {
  const name = await pushMade("slow", [1_000, 1_000, 1_000, 1_000, 1_000, 1_000]);
  const manifest = [...(registry.manifests.get("slow")?.values() ?? [])].map(({ bytes }) => parseManifest(bytes, MEDIA_TYPE.ociManifest))[0];
  if (manifest?.kind !== "manifest") throw new Error("not what was pushed");
  const [first, ...others] = manifest.layers.map(({ digest }) => digest);
  const { promise, resolve } = Promise.withResolvers<void>();
  registry.hostile.late = { digest: first ?? "", until: promise };
  await using sandbox = createSandbox();
  const pulled = sandbox.sampan(["pull", "-q", name], { timeoutMs: 50_000 });
  const isHere = (digest: string): boolean => existsSync(`${sandbox.root}/images/blobs/sha256/${digest.slice(7)}`);
  const until = performance.now() + 40_000;
  while (!others.every(isHere) && performance.now() < until) await new Promise((next) => setTimeout(next, 20));
  const early = others.filter(isHere).length;
  // None has its name before the one beneath it has.
  const named = namesIn(`${sandbox.root}/layers`).filter((entry) => entry.length === 64);
  resolve();
  expect([early, named, (await pulled).exitCode]).toEqual([5, [], 0]);
}, 60_000);

describe("kill -9 during a pull", () => {
  test("at random points: the next pull succeeds, and nothing is orphaned", async () => {
    const name = await pushMade("killed", [100_000, 300_000, 50_000, 200_000]);
    const until = performance.now() + 45_000;
    await using reference = createSandbox();
    const started = performance.now();
    await reference.ok(["pull", "-q", name]);
    const wholeMs = performance.now() - started;
    await using sandbox = createSandbox();
    let kills = 0;
    for (; kills < 50 && performance.now() < until; kills++) {
      const child = sandbox.start(["pull", "-q", name]);
      const ended = new Promise<void>((resolve) => child.once("exit", () => { resolve(); }));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * wholeMs));
      child.kill("SIGKILL");
      await ended;
      // Not each time from where the last one got: half of them begin with nothing but what the crashes left.
      if (kills % 2 === 0) continue;
      await sandbox.ok(["pull", "-q", name], { timeoutMs: 60_000 });
      const files = await runOk(["sh", "-c", `cd ${sandbox.root}/layers && cat */fs/*/* | sha256sum`]);
      expect(files).toBe(await runOk(["sh", "-c", `cd ${reference.root}/layers && cat */fs/*/* | sha256sum`]));
      await sandbox.ok(["rmi", name]);
    }
    expect(kills).toBeGreaterThan(10);
    await sandbox.ok(["pull", "-q", name]);
    await sandbox.ok(["rmi", name]);
    await sandbox.ok(["image", "prune", "-f"]);
    expect(leftovers(sandbox)).toEqual([]);
    expect(namesIn(`${sandbox.root}/layers`).sort()).toEqual(["locks"]);
    expect(namesIn(`${sandbox.root}/images/blobs/sha256`)).toEqual([]);
    // keel ends with its caller: nothing of it is left either.
    expect(await runOk(["sh", "-c", `for p in /proc/[0-9]*; do readlink $p/exe; done 2>/dev/null | grep -c "^${sandbox.state}/" || true`])).toBe("0\n");
  }, 180_000);

  test("a broken download is resumed, not begun again", async () => {
    const name = await pushMade("resumed", [400_000]);
    await using sandbox = createSandbox();
    Object.assign(registry.hostile, { breakAfterBytes: 3_000_000, hang: "blob" });
    const child = sandbox.start(["pull", "-q", name]);
    const ended = new Promise<void>((resolve) => child.once("exit", () => { resolve(); }));
    const partial = async (): Promise<number> => Number((await runOk(["sh", "-c", `cat ${sandbox.root}/images/ingest/* 2>/dev/null | wc -c`])).trim());
    while ((await partial()) < 1_000_000) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGKILL");
    await ended;
    const held = await partial();
    Object.assign(registry.hostile, { breakAfterBytes: undefined, hang: undefined });
    registry.requests.length = 0;
    await sandbox.ok(["pull", "-q", name]);
    const ranges = registry.requests.flatMap(({ headers }) => (headers["range"] === undefined ? [] : [headers["range"]]));
    expect(ranges).toEqual([`bytes=${held}-`]);
  }, 60_000);

  test("Ctrl-C ends at once with what came kept for the next time", async () => {
    const name = await pushMade("interrupted", [400_000]);
    await using sandbox = createSandbox();
    Object.assign(registry.hostile, { breakAfterBytes: 2_000_000, hang: "blob" });
    const child = sandbox.start(["pull", name]);
    const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => { resolve(code); }));
    while (namesIn(`${sandbox.root}/images/ingest`).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    Object.assign(registry.hostile, { breakAfterBytes: undefined, hang: undefined });
    expect(namesIn(`${sandbox.root}/layers`).filter((entry) => entry.endsWith(".new"))).toEqual([]);
    expect(namesIn(`${sandbox.root}/images/ingest`).length).toBe(1);
    await sandbox.ok(["pull", "-q", name]);
    expect(leftovers(sandbox)).toEqual([]);
  }, 60_000);
});

describe("removing", () => {
  test("layers that another image has stay, those of the last go, and the disk is empty in the end", async () => {
    const shared = randomBytes(50_000);
    const [one, two] = [await pushMade("one", [1, 1], [shared, randomBytes(1000)]), await pushMade("two", [1, 1], [shared, randomBytes(1000)])];
    await using sandbox = createSandbox();
    await sandbox.ok(["pull", "-q", one]);
    await sandbox.ok(["pull", "-q", two]);
    const layers = (): number => namesIn(`${sandbox.root}/layers`).filter((name) => name.length === 64).length;
    expect(layers()).toBe(3);
    const removed = await sandbox.ok(["rmi", one]);
    expect(removed.match(/^Untagged: /gm)?.length).toBe(2);
    expect(removed.match(/^Deleted: sha256:/gm)?.length).toBe(2);
    expect(layers()).toBe(2);
    await sandbox.ok(["rmi", two]);
    expect([layers(), namesIn(`${sandbox.root}/images/blobs/sha256`)]).toEqual([0, []]);
  }, 60_000);

  test("cut short in the middle, leaves no name on half a layer: the next pull makes it anew", async () => {
    const name = await pushMade("cut", [10_000]);
    await using sandbox = createSandbox();
    await sandbox.ok(["pull", "-q", name]);
    const sum = (): Promise<string> => runOk(["sh", "-c", `cat ${sandbox.root}/layers/*/fs/*/* | sha256sum`]);
    const before = await sum();
    // A file that cannot be removed, in here alone: as good as a kill at that moment.
    const script = `f=$(ls ${sandbox.root}/layers/*/fs/*/file7) && mount --bind $f $f && "$0" rmi ${name}`;
    const cut = await run(["unshare", "-m", "--propagation", "private", "sh", "-c", script, SAMPAN], { env: sandbox.env });
    expect(cut.exitCode).toBe(1);
    expect(namesIn(`${sandbox.root}/layers`).filter((entry) => entry.length === 64)).toEqual([]);
    await sandbox.ok(["pull", "-q", name]);
    expect(await sum()).toBe(before);
    await sandbox.ok(["rmi", name]);
    await sandbox.ok(["image", "prune", "-f"]);
    expect(namesIn(`${sandbox.root}/layers`)).toEqual(["locks"]);
  }, 60_000);

  test("is refused while a container needs it, in Docker's words", async () => {
    await using sandbox = createSandbox();
    const tar = join(dir, "busybox.tar");
    await runOk(["sh", "-c", `mkdir -p ${dir}/bb/bin && cp /bin/busybox ${dir}/bb/bin/ && ln -sf busybox ${dir}/bb/bin/sleep && tar -C ${dir}/bb -cf ${tar} .`]);
    const id = await sandbox.ok(["import", tar, "used:1"]);
    const short = id.slice(7, 19);
    const container = await sandbox.ok(["run", "-d", "--name", "user", "--network", "none", "used:1", "sleep", "60"]);
    const byName = await sandbox.sampan(["rmi", "used:1"]);
    expect([byName.exitCode, byName.stderr]).toEqual([1, expect.stringContaining(`conflict: unable to remove repository reference "used:1" (must force) - container ${container.slice(0, 12)} is using its referenced image ${short}`) as string]);
    const byId = await sandbox.sampan(["rmi", "-f", short]);
    expect([byId.exitCode, byId.stderr]).toEqual([1, expect.stringContaining(`conflict: unable to delete ${short} (cannot be forced) - image is being used by running container ${container.slice(0, 12)}`) as string]);
    expect((await sandbox.sampan(["image", "prune", "-af"])).stdout).toContain("Total reclaimed space: 0B");
    await sandbox.ok(["kill", "user"]);
    await sandbox.ok(["wait", "user"]);
    const stopped = await sandbox.sampan(["rmi", short]);
    expect(stopped.stderr).toContain(`conflict: unable to delete ${short} (must be forced) - image is being used by stopped container`);
    // Forced: the image goes, its files stay for the container, and with the container they go.
    expect(await sandbox.ok(["rmi", "-f", "used:1"])).toBe(`Untagged: used:1\nDeleted: ${id}`);
    expect(await sandbox.ok(["images", "-aq"])).toBe("");
    await sandbox.ok(["start", "user"]);
    expect(await sandbox.ok(["exec", "user", "busybox", "echo", "works"])).toBe("works");
    await sandbox.ok(["rm", "-f", "user"]);
    expect(await sandbox.ok(["events", "--since", "1h", "--until", "0s", "--filter", "type=image", "--format", "{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.name}}"])).toBe(`import ${id} used:1\nuntag ${id} ${id}\ndelete ${id} ${id}`);
    expect(existsSync(`${sandbox.root}/layers/${id.slice(7)}`)).toBe(false);
    expect(namesIn(`${sandbox.root}/layers`).filter((name) => name.length === 64)).toEqual([]);
  }, 60_000);

  test("one of several names only takes the name", async () => {
    await using sandbox = createSandbox();
    await sandbox.ok(["import", join(dir, "busybox.tar"), "many:1"]);
    await sandbox.ok(["tag", "many:1", "many:2"]);
    expect(await sandbox.ok(["rmi", "many:1"])).toBe("Untagged: many:1");
    expect(await sandbox.ok(["images", "--format", "{{.Repository}}:{{.Tag}}"])).toBe("many:2");
    expect((await sandbox.sampan(["rmi", "nothing"])).stderr).toContain("No such image: nothing:latest");
  }, 30_000);
});

test("what df says of images is what du finds", async () => {
  const name = await pushMade("measured", [30_000, 70_000]);
  await using sandbox = createSandbox();
  await sandbox.ok(["pull", "-q", name]);
  const line = JSON.parse((await sandbox.ok(["system", "df", "--format", "json"])).split("\n")[0] ?? "") as { Type: string; Size: string }; // our own output
  const du = Number((await runOk(["du", "-s", "--block-size=1", `${sandbox.root}/images`, `${sandbox.root}/layers`])).split("\n").filter(Boolean).reduce((sum, row) => sum + Number(row.split("\t")[0]), 0));
  const [, number = "", unit = ""] = /^([\d.]+)(\w+)$/.exec(line.Size) ?? [];
  const bytes = Number(number) * ({ B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }[unit] ?? Number.NaN);
  expect(Math.abs(bytes - du) / du).toBeLessThan(0.02);
  expect(readFileSync(`${sandbox.root}/images/oci-layout`, "utf8")).toContain("1.0.0");
}, 60_000);

test("a full disk: one sentence, and nothing half-made", async () => {
  const name = await pushMade("large", [400_000, 400_000]);
  await using sandbox = createSandbox();
  // A store of 12 MB, seen only in here.
  const script = `mount -t tmpfs -o size=12m none ${sandbox.dir} && "$0" pull -q ${name}; echo "rc=$?"; "$0" images -aq; find ${sandbox.root}/layers -name '*.new'`;
  const { stdout, stderr } = await run(["unshare", "-m", "--propagation", "private", "sh", "-c", script, SAMPAN], { env: sandbox.env, timeoutMs: 60_000 });
  expect(stdout).toBe("rc=1\n");
  expect(stderr).toMatch(/^sampan: Cannot .*no space left on device.*\n.*prune/i);
  // One large file: its last piece is cut short, or its blob's is refused, whichever comes first.
  const importing = `mount -t tmpfs -o size=12m none ${sandbox.dir} && head -c 30000000 /dev/zero >${dir}/big && tar -C ${dir} -c big | "$0" import - big:1; echo "rc=$?"; rm ${dir}/big`;
  const imported = await run(["unshare", "-m", "--propagation", "private", "sh", "-c", importing, SAMPAN], { env: sandbox.env, timeoutMs: 60_000 });
  expect(imported.stdout).toBe("rc=1\n");
  expect(imported.stderr).toMatch(/^Importing\nsampan: Cannot .*no space left on device.*\n.*prune.*\n$/);
}, 60_000);

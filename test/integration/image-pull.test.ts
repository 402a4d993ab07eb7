/** What others pushed to Debian's docker-registry, pulled, and compared file by file with what umoci unpacks. Needs root. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { descriptorOf, encodeIndex, encodeManifest, MEDIA_TYPE, parseManifest } from "../../src/oci/index.ts";
import { openContentStore } from "../../src/storage/content/index.ts";
import { treeManifest } from "../../src/storage/layers/index.ts";
import { createSandbox, debianRootfs, dockerRegistry, removeTree, runOk, type DockerRegistry, type Sandbox } from "../support/index.ts";
import { diskTree, mountLayers } from "../support/layer-disk.ts";
import { skopeoCopy, umociBusybox, umociImage, WHITEOUT_STEPS } from "../support/images.ts";

let dir: string;
let registry: DockerRegistry;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "image-pull-"));
  registry = await dockerRegistry(join(dir, "registry"));
}, 30_000);
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  removeTree(dir);
});

interface Inspected {
  Id: string;
  Architecture: string;
  RepoDigests: string[];
  GraphDriver: { Data: { LowerDir?: string; UpperDir: string } };
}

async function inspect(sandbox: Sandbox, name: string): Promise<Inspected> {
  const [image] = JSON.parse(await sandbox.ok(["image", "inspect", name])) as Inspected[]; // our own output
  if (image === undefined) throw new Error("inspect gave nothing");
  return image;
}

/** All that an image's files are, as overlayfs shows its layers. */
async function filesOf(sandbox: Sandbox, name: string): Promise<string[]> {
  const { UpperDir, LowerDir } = (await inspect(sandbox, name)).GraphDriver.Data;
  const layers = [UpperDir, ...(LowerDir?.split(":") ?? [])].reverse();
  // overlayfs wants two directories where nothing is to be written.
  const nothing = mkdtempSync(join(dir, "nothing-"));
  const point = mkdtempSync(join(dir, "mount-"));
  await using mounted = await mountLayers([nothing, ...layers], point);
  return await treeManifest(diskTree(mounted.root));
}

async function unpackedByUmoci(layout: string, tag = "t"): Promise<string[]> {
  const bundle = `${mkdtempSync(join(dir, "umoci-"))}/bundle`;
  await runOk(["umoci", "unpack", "--image", `${layout}:${tag}`, bundle], { timeoutMs: 60_000 });
  return await treeManifest(diskTree(`${bundle}/rootfs`));
}

/** The same image with its layers compressed by libzstd. `from` is skopeo's "dir:", decompressed. */
async function zstdLayout(from: string, to: string): Promise<string> {
  const manifest = JSON.parse(await Bun.file(join(from, "manifest.json")).text()) as { config: { digest: string }; layers: { digest: string }[] }; // skopeo's
  const store = await openContentStore(to);
  const layers = [];
  for (const { digest } of manifest.layers) {
    layers.push(await store.put(zstdCompressSync(await Bun.file(join(from, digest.slice(7))).bytes()), MEDIA_TYPE.ociLayerZstd));
  }
  const config = await store.put(await Bun.file(join(from, manifest.config.digest.slice(7))).bytes(), MEDIA_TYPE.ociConfig);
  const encoded = encodeManifest({ config, layers });
  await store.put(encoded.raw, encoded.mediaType);
  await store.setReference("t", descriptorOf(encoded));
  return to;
}

describe("the unpacked tree is umoci's, byte for byte", () => {
  test("three layers with whiteouts, opaque directories, every type of file", async () => {
    const layout = await umociImage(join(dir, "whiteouts"), WHITEOUT_STEPS);
    await skopeoCopy(`oci:${layout}:t`, `docker://${registry.host}/umoci/whiteouts:1`);
    await using sandbox = createSandbox();
    await sandbox.ok(["pull", "-q", `${registry.host}/umoci/whiteouts:1`]);
    expect(await filesOf(sandbox, `${registry.host}/umoci/whiteouts:1`)).toEqual(await unpackedByUmoci(layout));
  }, 120_000);

  test("the same as Docker schema 2, and compressed with zstd", async () => {
    const layout = await umociImage(join(dir, "formats"), WHITEOUT_STEPS.slice(0, 2));
    await skopeoCopy(`oci:${layout}:t`, `docker://${registry.host}/umoci/formats:docker`, "--format", "v2s2");
    // Recompressed by hand: skopeo would find the gzip layer in the registry and take that.
    await runOk(["sh", "-c", `skopeo --insecure-policy copy -q oci:${layout}:t dir:${dir}/plain --dest-decompress `]);
    const zstd = await zstdLayout(`${dir}/plain`, join(dir, "zstd"));
    await skopeoCopy(`oci:${zstd}:t`, `docker://${registry.host}/umoci/zstd:zstd`);
    const raw = JSON.parse(await runOk(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${registry.host}/umoci/zstd:zstd`])) as { layers: { mediaType: string }[] }; // a manifest
    expect(raw.layers.map(({ mediaType }) => mediaType)).toEqual([MEDIA_TYPE.ociLayerZstd, MEDIA_TYPE.ociLayerZstd]);
    const expected = await unpackedByUmoci(layout);
    await using sandbox = createSandbox();
    for (const name of ["formats:docker", "zstd:zstd"]) {
      await sandbox.ok(["pull", "-q", `${registry.host}/umoci/${name}`]);
      expect(await filesOf(sandbox, `${registry.host}/umoci/${name}`)).toEqual(expected);
    }
    // The same layers, however compressed, are unpacked once.
    expect(readdirSync(`${sandbox.root}/layers`).filter((name) => name.length === 64).length).toBe(2);
  }, 120_000);

  test("a minimal Debian, and programs run in it", async () => {
    const rootfs = await debianRootfs();
    const layout = await umociImage(join(dir, "debian"), [`cp -a ${rootfs}/. . && rm -rf dev/*`]);
    await runOk(["umoci", "config", "--image", `${layout}:t`, "--config.cmd", "/bin/bash"]);
    await skopeoCopy(`oci:${layout}:t`, `docker://${registry.host}/debian:12`);
    await using sandbox = createSandbox();
    await sandbox.ok(["pull", "-q", `${registry.host}/debian:12`], { timeoutMs: 60_000 });
    expect(await filesOf(sandbox, `${registry.host}/debian:12`)).toEqual(await unpackedByUmoci(layout));
    expect(await sandbox.ok(["run", "--rm", "--network", "none", `${registry.host}/debian:12`, "sh", "-c", ". /etc/os-release; echo $ID; dpkg-query -W -f='${Status}' dash"])).toBe("debian\ninstall ok installed");
  }, 180_000);

  test("an index of three platforms", async () => {
    const layout = await umociImage(join(dir, "platforms"), ["echo amd64 > arch"]);
    const images = [];
    for (const [architecture, variant] of [["amd64"], ["arm64"], ["arm", "v7"]] as const) {
      const tag = `${architecture}${variant ?? ""}`;
      await runOk(["umoci", "config", "--image", `${layout}:t`, "--tag", tag, "--architecture", architecture, ...(architecture === "amd64" ? [] : ["--config.label", `arch=${tag}`])]);
      const target = `${registry.host}/multi/arch`;
      await skopeoCopy(`oci:${layout}:${tag}`, `docker://${target}:${tag}`);
      const raw = Buffer.from(await runOk(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${target}:${tag}`]));
      const { mediaType, digest, size } = parseManifest(raw, MEDIA_TYPE.ociManifest);
      images.push({ mediaType, digest, size, platform: { os: "linux", architecture, ...(variant === undefined ? {} : { variant }) } });
    }
    const index = encodeIndex(images);
    const put = await fetch(`${registry.url}/v2/multi/arch/manifests/all`, { method: "PUT", body: index.raw, headers: { "content-type": index.mediaType } });
    expect(put.status).toBe(201);

    await using sandbox = createSandbox();
    const name = `${registry.host}/multi/arch:all`;
    for (const [platform, architecture] of [["linux/arm64", "arm64"], ["linux/arm/v7", "arm"], ["linux/amd64", "amd64"]] as const) {
      await sandbox.ok(["pull", "-q", "--platform", platform, name]);
      const image = await inspect(sandbox, name);
      expect(image.Architecture).toBe(architecture);
      // What one pulls by is the index, whichever platform came of it.
      expect(image.RepoDigests).toContain(`${registry.host}/multi/arch@${index.digest}`);
    }
    expect(await filesOf(sandbox, name)).toEqual(await unpackedByUmoci(layout, "amd64"));
    // Run without a word about it, a foreign image is told.
    await sandbox.ok(["pull", "-q", "--platform", "linux/arm64", name]);
    const told = async (...options: string[]): Promise<string> => (await sandbox.sampan(["create", ...options, name, "true"])).stderr;
    expect(await told()).toStartWith("WARNING: The requested image's platform (linux/arm64) does not match the detected host platform (linux/amd64)");
    expect(await told("--platform", "linux/arm64")).toBe("");
    const refused = await sandbox.sampan(["pull", "--platform", "linux/s390x", name]);
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringMatching(/no matching manifest for linux\/s390x.*offered: linux\/amd64, linux\/arm64, linux\/arm\/v7/) as string]);
    const single = await sandbox.sampan(["pull", "--platform", "linux/arm64", `${registry.host}/multi/arch:amd64`]);
    expect([single.exitCode, single.stderr]).toEqual([1, expect.stringContaining("wanted linux/arm64, actual: linux/amd64") as string]);
  }, 120_000);
});

describe("pulling", () => {
  test("an image that has not changed is one HEAD, by tag and by digest", async () => {
    const layout = await umociBusybox(join(dir, "busybox"));
    await skopeoCopy(`oci:${layout}:t`, `docker://${registry.host}/busybox:1`);
    await using sandbox = createSandbox();
    const name = `${registry.host}/busybox:1`;
    const first = await sandbox.ok(["pull", name]);
    expect(first).toContain(`Status: Downloaded newer image for ${name}`);
    const digest = /^Digest: (\S+)$/m.exec(first)?.[1] ?? "";
    const before = registry.log().length;
    expect(await sandbox.ok(["pull", name])).toContain(`Status: Image is up to date for ${name}`);
    const requests = [...registry.log().slice(before).matchAll(/http\.request\.method=(\w+)[^\n]*http\.request\.uri="?([^" ]*)/g)].map(([, method, uri]) => `${method ?? ""} ${uri ?? ""}`);
    expect(new Set(requests.filter((request) => request !== "GET /v2/"))).toEqual(new Set(["HEAD /v2/busybox/manifests/1"]));
    expect(await sandbox.ok(["pull", "-q", `${registry.host}/busybox@${digest}`])).toContain(digest);
    expect(await sandbox.ok(["run", "--rm", "--network", "none", `${registry.host}/busybox@${digest}`, "sh", "-c", "echo $MADE_BY"])).toBe("umoci");
  }, 60_000);

  test("all tags", async () => {
    const layout = await umociBusybox(join(dir, "tags"));
    for (const tag of ["a", "b", "c"]) await skopeoCopy(`oci:${layout}:t`, `docker://${registry.host}/tags:${tag}`);
    await using sandbox = createSandbox();
    await sandbox.ok(["pull", "-q", "-a", `${registry.host}/tags`]);
    expect((await sandbox.ok(["images", "--format", "{{.Tag}}"])).split("\n").sort()).toEqual(["a", "b", "c"]);
  }, 60_000);

  test("run pulls what is missing, and says so where progress belongs", async () => {
    const layout = await umociBusybox(join(dir, "run"));
    await skopeoCopy(`oci:${layout}:t`, `docker://${registry.host}/run:1`);
    await using sandbox = createSandbox();
    const name = `${registry.host}/run:1`;
    const never = await sandbox.sampan(["run", "--rm", "--network", "none", "--pull", "never", name, "true"]);
    expect([never.exitCode, never.stdout, never.stderr]).toEqual([125, "", expect.stringContaining(`No such image: ${name}`) as string]);
    const run = await sandbox.sampan(["run", "--rm", "--network", "none", name, "echo", "hello"]);
    expect([run.exitCode, run.stdout]).toEqual([0, "hello\n"]);
    expect(run.stderr).toContain(`Unable to find image '${name}' locally`);
    expect(run.stderr).toContain(`Status: Downloaded newer image for ${name}`);
    const again = await sandbox.sampan(["run", "--rm", "--network", "none", name, "echo", "hello"]);
    expect([again.stdout, again.stderr]).toEqual(["hello\n", ""]);
    // The tag has moved: missing does not look, always does.
    await runOk(["umoci", "config", "--image", `${layout}:t`, "--config.env", "MADE_BY=someone else"]);
    await skopeoCopy(`oci:${layout}:t`, `docker://${registry.host}/run:1`);
    const who = async (policy: string): Promise<string> => (await sandbox.sampan(["run", "--rm", "--network", "none", "--pull", policy, name, "sh", "-c", "echo $MADE_BY"])).stdout.trim();
    expect([await who("missing"), await who("always")]).toEqual(["umoci", "someone else"]);
  }, 60_000);

  test("an image that is nowhere: what was tried, and how to go on", async () => {
    await using sandbox = createSandbox();
    const missing = await sandbox.sampan(["run", "--rm", `${registry.host}/nothing:1`]);
    expect([missing.exitCode, missing.stderr]).toEqual([125, expect.stringMatching(/not found.*\n.*looked for here and at 127\.0\.0\.1.*sampan load/) as string]);
    const unreachable = await sandbox.sampan(["run", "--rm", "127.0.0.1:1/nothing:1"]);
    expect([unreachable.exitCode, unreachable.stderr]).toEqual([125, expect.stringMatching(/connection refused.*\n.*sampan load/) as string]);
    // What is no name has no default tag either.
    for (const command of ["pull", "push"]) expect(await sandbox.sampan([command, "No/Name"])).toMatchObject({ exitCode: 1, stdout: "", stderr: expect.stringContaining("must be lowercase") as string });
  }, 30_000);

  test("mirrors and plain HTTP by registries.conf", async () => {
    const layout = await umociBusybox(join(dir, "mirrored"));
    await skopeoCopy(`oci:${layout}:t`, `docker://${registry.host}/hub/library/thing:1`);
    const conf = join(dir, "registries.conf");
    writeFileSync(conf, `[[registry]]\nprefix = "docker.io"\n\n[[registry.mirror]]\nlocation = "${registry.host}/hub"\ninsecure = true\n`);
    await using sandbox = createSandbox({ env: { SAMPAN_REGISTRIES_CONF: conf } });
    expect(await sandbox.ok(["pull", "-q", "thing:1"])).toBe("docker.io/library/thing:1");
    expect(await sandbox.ok(["images", "--format", "{{.Repository}}:{{.Tag}}"])).toBe("thing:1");
  }, 60_000);
});

test("the store is an OCI layout that skopeo and umoci read", async () => {
  const layout = await umociBusybox(join(dir, "readable"), ["echo two > two"]);
  await skopeoCopy(`oci:${layout}:t`, `docker://${registry.host}/readable:1`);
  await using sandbox = createSandbox();
  await sandbox.ok(["pull", "-q", `${registry.host}/readable:1`]);
  await sandbox.ok(["tag", `${registry.host}/readable:1`, "short"]);
  mkdirSync(join(dir, "copied"));
  await skopeoCopy(`oci:${sandbox.root}/images:docker.io/library/short:latest`, `oci:${join(dir, "copied")}:t`);
  expect(await unpackedByUmoci(join(dir, "copied"))).toEqual(await unpackedByUmoci(layout));
}, 60_000);

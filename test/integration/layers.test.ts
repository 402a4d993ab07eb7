/** Layers on a real disk, against those who have unpacked and packed them for years: umoci, GNU tar, skopeo, podman. Needs root. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createReadStream, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createImage, loadArchive, openImage, openLayout, randomImage, writeArchive, writeLayout, emptyConfig, appendLayer, type Image } from "../../src/images/index.ts";
import { MEDIA_TYPE } from "../../src/oci/media-types.ts";
import { descriptorOf } from "../../src/oci/manifest.ts";
import { decompress } from "../../src/storage/compression/index.ts";
import { openContentStore } from "../../src/storage/content/index.ts";
import { applyLayer, diffToTar, inheritDirectories, openLayerView, treeManifest, type LayerSummary } from "../../src/storage/layers/index.ts";
import { tarFormat } from "../../src/storage/tar/index.ts";
import { runOk } from "../support/command.ts";
import { startDockerd } from "../support/peers/docker.ts";
import { DiskSink, diskTree, mountLayers } from "../support/layer-disk.ts";
import { createSandbox } from "../support/sandbox.ts";
import { removeTree } from "../support/trees.ts";

let dir = "";

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "sampan-layers-"));
});

afterAll(() => {
  removeTree(dir);
});

function fresh(name: string): string {
  const path = mkdtempSync(`${dir}/${name}-`);
  return path;
}

async function collect(source: AsyncIterable<Uint8Array>, path: string): Promise<string> {
  writeFileSync(path, Buffer.concat(await Array.fromAsync(source)));
  return path;
}

/** Unpacks all layers of an image beneath `into`, bottom first. */
async function unpack(image: Image, into: string): Promise<string[]> {
  const layers: { path: string; summary: LayerSummary }[] = [];
  for (const [index, layer] of image.manifest.layers.entries()) {
    const path = `${into}/${index}`;
    mkdirSync(path);
    const sink = new DiskSink(path);
    const diffId = image.config.config.rootfs.diff_ids[index];
    const summary = await applyLayer(decompress(image.blobs.read(layer.digest)), sink, diffId === undefined ? {} : { diffId });
    await inheritDirectories(summary, layers.toReversed().map((below) => openLayerView(below.path, below.summary)), sink);
    layers.push({ path, summary });
  }
  return layers.map(({ path }) => path);
}

/** A tree with one of everything. */
const MAKE_TREE = `
  mkdir -p usr/bin usr/lib etc var/tmp dev empty; chmod 1777 var/tmp
  echo '#!/bin/sh' > usr/bin/su; chown 3:4 usr/bin/su; chmod 4755 usr/bin/su
  ln usr/bin/su usr/bin/sudo; ln -s bin/su usr/link; ln -s usr/lib lib; ln -s /nowhere broken; ln usr/link usr/link2
  mkfifo fifo; mknod dev/null c 1 3; mknod dev/loop b 7 5; chown 100:200 dev/null; chmod 2755 etc; chmod 0711 usr/lib
  head -c 3000000 /dev/urandom > usr/lib/big; setfattr -n user.note -v 'a "note"' usr/lib/big; setfattr -n user.dir -v x etc
  cp /bin/true usr/bin/ping; setcap cap_net_raw+ep usr/bin/ping
  truncate -s 5000000 sparse; printf middle | dd of=sparse bs=1 seek=2000000 conv=notrunc status=none
  mkdir -p "$(printf 'deep%.0s/' $(seq 60))"; touch "$(printf 'n%.0s' $(seq 255))" "$(printf 'latin1-\\351')" 'ü-name' 'new
line'
  chown -h 9:9 broken; touch -h -d '1999-12-31 23:59:59.123456789 UTC' broken usr/lib/big; touch -d '1969-01-01 UTC' fifo
  touch -d '2001-02-03 04:05:06.7 UTC' etc usr`;

describe("GNU tar as oracle", () => {
  for (const format of ["gnu", "pax"] as const) {
    test(`what it packs as ${format}, we unpack as it was`, async () => {
      const tree = fresh("tree");
      await runOk(["bash", "-ec", MAKE_TREE], { cwd: tree });
      const archive = `${dir}/${format}.tar`;
      const xattrs = format === "pax" ? ["--xattrs", "--xattrs-include=*"] : [];
      await runOk(["tar", `--format=${format}`, "--sparse", ...xattrs, "-cf", archive, "."], { cwd: tree });
      const out = fresh("out");
      await applyLayer(createReadStream(archive) as AsyncIterable<Buffer>, new DiskSink(out)); // no encoding: Buffers
      const strip = (lines: string[]): string[] =>
        // The gnu format has whole seconds and no attributes.
        format === "pax" ? lines : lines.map((line) => line.replace(/(mtime=-?\d+)\.\d+/, "$1").replace(/ (user|security)\.\S+=[0-9a-f]*/g, ""));
      expect(strip(await treeManifest(diskTree(out)))).toEqual(strip(await treeManifest(diskTree(tree))));
      // The holes are still holes.
      expect(Number(await runOk(["stat", "-c", "%b", `${out}/sparse`]))).toBeLessThan(64);
    }, 60_000);
  }

  test("what we pack, it unpacks as it was, and it finds nothing to complain about", async () => {
    const tree = fresh("tree");
    await runOk(["bash", "-ec", MAKE_TREE], { cwd: tree });
    const archive = await collect(diffToTar(diskTree(tree), { root: true }), `${dir}/ours.tar`);
    const out = fresh("out");
    await runOk(["tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", archive], { cwd: out });
    expect(await treeManifest(diskTree(out))).toEqual(await treeManifest(diskTree(tree)));
  }, 60_000);
});

test("large files, in whatever pieces their bytes come, are what they were: imported, and loaded from gzip", async () => {
  const tree = fresh("large");
  await runOk(["bash", "-ec", `
    mkdir d; for size in 262143 262144 524288 524289 786432 1048577 9000001; do head -c $size /dev/urandom > d/$size; echo $size > d/after-$size; done
    cp d/1048577 su; chown 5:6 su; chmod 4711 su; ln su d/linked; setfattr -n user.k -v v su
    truncate -s 20000000 holes; for at in 0 3000000 3000001 12345678; do head -c 1500000 /dev/urandom | dd of=holes bs=64k seek=$at oflag=seek_bytes conv=notrunc status=none; done
    head -c 5000000 /dev/zero > zeros; touch -d '1999-12-31 23:59:59.123456789 UTC' d/9000001 holes su`], { cwd: tree });
  await runOk(["tar", "--format=pax", "--sparse", "--xattrs", "-cf", `${dir}/large.tar`, "."], { cwd: tree });
  const wanted = await treeManifest(diskTree(tree));
  await using sandbox = createSandbox();
  await sandbox.ok(["import", `${dir}/large.tar`, "large:1"]);
  await sandbox.ok(["save", "-o", `${dir}/large-saved.tar`, "large:1"]);
  await using other = createSandbox();
  await other.ok(["load", "-i", `${dir}/large-saved.tar`]);
  for (const { root } of [sandbox, other]) {
    const [layer = ""] = readdirSync(`${root}/layers`).filter((name) => /^[0-9a-f]{64}$/.test(name));
    expect(await treeManifest(diskTree(`${root}/layers/${layer}/fs`))).toEqual(wanted);
  }
}, 120_000);

test("an image with whiteouts is what umoci makes of it", async () => {
  const layout = fresh("umoci");
  await runOk(["umoci", "init", "--layout", `${layout}/oci`]);
  await runOk(["umoci", "new", "--image", `${layout}/oci:t`]);
  const steps = [
    MAKE_TREE,
    // Changes that umoci sees by comparing trees: removed, changed, of another type, removed and made again.
    `rm -r usr/lib/big sparse deep; echo new > etc/new; rm lib; mkdir lib; echo x > lib/x; rm -r etc; mkdir etc; echo again > etc/again; rm fifo; ln -s usr fifo; chmod 700 var/tmp; ln usr/bin/su etc/su`,
    `rm -r usr/bin; echo usr > usr/bin; mkdir -p a/b/c; touch a/b/c/d; setfattr -n user.k -v v a`,
  ];
  for (const [index, step] of steps.entries()) {
    await runOk(["umoci", "unpack", "--image", `${layout}/oci:t`, `${layout}/b${index}`]);
    await runOk(["bash", "-ec", step], { cwd: `${layout}/b${index}/rootfs` });
    await runOk(["umoci", "repack", "--image", `${layout}/oci:t`, `${layout}/b${index}`]);
  }
  await runOk(["umoci", "unpack", "--image", `${layout}/oci:t`, `${layout}/final`], { timeoutMs: 60_000 });

  const { manifests, blobs } = await openLayout(`${layout}/oci`);
  const [entry] = manifests;
  if (entry === undefined) throw new Error("umoci wrote no image");
  const layers = await unpack(await openImage(blobs, entry), fresh("layers"));
  expect(layers.length).toBe(3);
  await using mounted = await mountLayers(layers, fresh("mount"));
  expect(await treeManifest(diskTree(mounted.root))).toEqual(await treeManifest(diskTree(`${layout}/final/rootfs`)));
}, 120_000);

test("a layer that does not describe its parents leaves them as they were", async () => {
  const store = await openContentStore(`${fresh("store")}/s`);
  let config = emptyConfig({ os: "linux", architecture: "amd64" });
  const layers = [];
  for (const script of ["mkdir tmp d; chmod 1777 tmp; chown 5:6 d; echo old > d/old; chmod 0750 .", "mkdir tmp d; touch tmp/x d/.wh.old; echo new > d/new"]) {
    const tree = fresh("tree");
    await runOk(["bash", "-ec", script], { cwd: tree });
    // The second archive holds files only.
    const archive = layers.length === 0 ? ["tar", "-cf", "-", "."] : ["sh", "-c", "find . -type f -printf '%P\\n' | tar -cf - -T -"];
    const path = `${tree}.tar`;
    await runOk(["sh", "-c", `"$@" > ${path}`, "sh", ...archive], { cwd: tree });
    const layer = await store.put(readFileSync(path), MEDIA_TYPE.ociLayer);
    layers.push(layer);
    config = appendLayer(config, layer.digest, { created_by: script });
  }
  const paths = await unpack(await createImage(store, config, layers), fresh("layers"));
  await using mounted = await mountLayers(paths, fresh("mount"));
  const seen = await runOk(["stat", "-c", "%a %u:%g", mounted.root, `${mounted.root}/tmp`, `${mounted.root}/d`]);
  expect(seen.trim().split("\n")).toEqual(["750 0:0", "1777 0:0", "755 5:6"]);
  expect((await runOk(["ls", "-A", `${mounted.root}/d`])).trim()).toBe("new");
}, 60_000);

describe("images that others read and write", () => {
  async function stored(): Promise<{ root: string; image: Image }> {
    const root = `${fresh("store")}/s`;
    const store = await openContentStore(root);
    const image = await randomImage(store, tarFormat, { layers: 3, fileBytes: 100_000 });
    await store.setReference("docker.io/library/random:latest", descriptorOf(image.manifest));
    return { root, image };
  }

  test("the store is a layout to skopeo and umoci", async () => {
    const { root, image } = await stored();
    const inspected = JSON.parse(await runOk(["skopeo", "inspect", "--raw", `oci:${root}:docker.io/library/random:latest`])) as { config: { digest: string } }; // skopeo's JSON
    expect(inspected.config.digest).toBe(image.manifest.config.digest);
    expect(await runOk(["umoci", "ls", "--layout", root])).toContain("docker.io/library/random:latest");
  });

  for (const [kind, transport] of [["docker", "docker-archive:"], ["oci", "oci-archive:"]] as const) {
    test(`skopeo reads the ${kind} archives and layouts that we write`, async () => {
      const { image } = await stored();
      const names = ["docker.io/library/random:latest"];
      const archive = await collect(writeArchive([{ image, names }], kind, tarFormat), `${dir}/${kind}-image.tar`);
      const target = fresh("copied");
      await runOk(["skopeo", "--insecure-policy", "copy", `${transport}${archive}`, `dir:${target}`]);
      const copied = JSON.parse(readFileSync(`${target}/manifest.json`, "utf8")) as { config: { digest: string } }; // skopeo's JSON
      expect(copied.config.digest).toBe(image.manifest.config.digest);
      await writeLayout(`${target}-oci`, [{ image, names }]);
      await runOk(["skopeo", "inspect", `oci:${target}-oci:${names[0] ?? ""}`]);
    });
  }

  test("what skopeo writes, we load: both kinds of archive, compressed or not", async () => {
    const { root, image } = await stored();
    for (const transport of ["docker-archive", "oci-archive"]) {
      const archive = `${fresh("skopeo")}/a.tar`;
      await runOk(["skopeo", "--insecure-policy", "copy", `oci:${root}:docker.io/library/random:latest`, `${transport}:${archive}:random:two`]);
      const store = await openContentStore(`${fresh("store")}/s`);
      const [loaded, ...more] = await loadArchive(archive, store, tarFormat);
      expect(more).toEqual([]);
      expect(loaded?.names.join()).toMatch(/random:two$/);
      expect(loaded?.manifests[0]?.config.digest).toBe(image.manifest.config.digest);
      if (loaded === undefined) throw new Error("nothing was loaded");
      await unpack(await openImage(store, loaded.descriptor), fresh("layers"));
    }
  });

  test("podman loads what we save, and we load what it saves: several images that share layers", async () => {
    const { image } = await stored();
    const { image: other } = await stored();
    const images = [{ image, names: ["localhost/one:1", "localhost/one:2"] }, { image: other, names: ["localhost/two:1"] }];
    const archive = await collect(writeArchive(images, "docker", tarFormat), `${dir}/many.tar`);
    const runRoot = mkdtempSync("/tmp/podman-"); // Podman takes no longer one than 50 characters
    using cleanUp = new DisposableStack();
    cleanUp.defer(() => { removeTree(runRoot); });
    const podman = ["podman", "--root", fresh("podman"), "--runroot", runRoot, "--storage-driver", "vfs"];
    await runOk([...podman, "load", "-i", archive], { timeoutMs: 60_000 });
    const listed = await runOk([...podman, "images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"]);
    for (const name of ["one:1", "one:2"]) expect(listed).toContain(`localhost/${name} ${image.config.imageId}`);
    expect(listed).toContain(`localhost/two:1 ${other.config.imageId}`);

    for (const format of ["docker-archive", "oci-archive"]) {
      const saved = `${fresh("saved")}/a.tar`;
      const which = format === "docker-archive" ? ["-m", "localhost/one:1", "localhost/two:1"] : ["localhost/one:1"];
      await runOk([...podman, "save", "--format", format, "-o", saved, ...which], { timeoutMs: 60_000 });
      const store = await openContentStore(`${fresh("store")}/s`);
      const loaded = await loadArchive(saved, store, tarFormat);
      expect(loaded.length).toBe(format === "docker-archive" ? 2 : 1);
      const found = await Promise.all(loaded.map(({ descriptor }) => openImage(store, descriptor)));
      // Podman rewrites the config for an OCI archive, so only the layers are the same.
      const ids = (each: Image): string => (format === "docker-archive" ? each.config.imageId : each.config.config.rootfs.diff_ids.join());
      expect(found.map(ids)).toContain(ids(image));
    }
  }, 120_000);

  test("Docker loads what we save, and we load what it saves", async () => {
    const { image } = await stored();
    const archive = await collect(writeArchive([{ image, names: ["one:1", "localhost:5000/a/b:2"] }], "docker", tarFormat), `${dir}/for-docker.tar`);
    await using dockerd = await startDockerd(fresh("d"));
    const docker = async (...args: string[]): Promise<string> => {
      const { stdout, stderr, exitCode } = await dockerd.docker(args);
      if (exitCode !== 0) throw new Error(stderr);
      return stdout.trim();
    };
    await docker("load", "-i", archive);
    for (const name of ["one:1", "localhost:5000/a/b:2"]) expect(await docker("inspect", "-f", "{{.Id}}", name)).toBe(image.config.imageId);

    const saved = `${dir}/from-docker.tar`;
    await docker("save", "-o", saved, "one:1", "localhost:5000/a/b:2");
    const store = await openContentStore(`${fresh("store")}/s`);
    const [loaded, ...more] = await loadArchive(saved, store, tarFormat);
    expect(more).toEqual([]);
    expect(loaded?.names.toSorted()).toEqual(["localhost:5000/a/b:2", "one:1"]);
    expect(loaded?.manifests[0]?.config.digest).toBe(image.config.imageId);
    if (loaded === undefined) throw new Error("nothing was loaded");
    await unpack(await openImage(store, loaded.descriptor), fresh("layers"));
  }, 120_000);
});

/** Images going out and coming in: archives and registries, with skopeo, Docker and Podman at the other end; commit. Needs root. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { busyboxRootfs, createPodman, createSandbox, dockerRegistry, removeTree, runOk, startDockerd, waitFor, type DockerRegistry, type Sandbox } from "../support/index.ts";
import { skopeoCopy, umociBusybox } from "../support/images.ts";

let dir: string;
let registry: DockerRegistry;
let layout: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "image-exchange-"));
  registry = await dockerRegistry(join(dir, "registry"));
  layout = await umociBusybox(join(dir, "umoci"), ["echo second > second"]);
}, 60_000);
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  removeTree(dir);
});

/** A sandbox that has the image as "app:1" and "app:2". */
async function withImage(): Promise<Sandbox & { id: string }> {
  const sandbox = createSandbox();
  await sandbox.ok(["load", "-q", "-i", layout]);
  await sandbox.ok(["tag", await sandbox.ok(["images", "-q"]), "app:1"]);
  await sandbox.ok(["tag", "app:1", "app:2"]);
  return Object.assign(sandbox, { id: await sandbox.ok(["image", "inspect", "--format", "{{.Id}}", "app:1"]) });
}

const run = (sandbox: Sandbox, ...args: string[]): Promise<string> => sandbox.ok(["run", "--rm", "--network", "none", ...args]);
const idOf = (sandbox: Sandbox, name: string): Promise<string> => sandbox.ok(["image", "inspect", "--format", "{{.Id}}", name]);

describe("save and load", () => {
  test("what we save, Docker loads with both names and the same id, and back", async () => {
    await using sandbox = await withImage();
    const path = join(dir, "docker.tar");
    await sandbox.ok(["save", "-o", path, "app:1", "app:2"]);
    await using docker = await startDockerd(join(dir, "d"), { network: "host" });
    const loaded = await docker.docker(["load", "-i", path]);
    expect([loaded.exitCode, loaded.stdout]).toEqual([0, "Loaded image: app:1\nLoaded image: app:2\n"]);
    const theirs = (await docker.docker(["image", "inspect", "--format", "{{.Id}} {{json .RootFS.Layers}} {{json .Config.Env}}", "app:1"])).stdout.trim();
    expect(theirs).toBe(await sandbox.ok(["image", "inspect", "--format", "{{.Id}} {{json .RootFS.Layers}} {{json .Config.Env}}", "app:1"]));
    const back = join(dir, "from-docker.tar");
    await docker.docker(["save", "-o", back, "app:1"]);
    await using other = createSandbox();
    expect(await other.ok(["load", "-i", back])).toBe("Loaded image: app:1");
    expect([await idOf(other, "app:1"), await run(other, "app:1", "cat", "/second")]).toEqual([sandbox.id, "second"]);
    // A repository without a tag is all its tags, as Docker has it.
    await sandbox.ok(["save", "-o", join(dir, "all.tar"), "app"]);
    expect(JSON.parse(await runOk(["tar", "-xOf", join(dir, "all.tar"), "manifest.json"]))).toMatchObject([{ RepoTags: ["app:1", "app:2"] }]);
    // Compressed, and through a pipe.
    await using piped = createSandbox();
    expect(await piped.ok(["load"], { input: Bun.gzipSync(readFileSync(back)) })).toBe("Loaded image: app:1");
    expect(await idOf(piped, "app:1")).toBe(sandbox.id);
  }, 120_000);

  test("Podman and skopeo read our archives, and we theirs: docker-archive, oci-archive, a directory", async () => {
    await using sandbox = await withImage();
    const podman = createPodman(join(dir, "podman"));
    try {
      await sandbox.ok(["save", "--format", "oci-archive", "-o", join(dir, "oci.tar"), "app:1"]);
      expect((await podman.podman(["load", "-i", join(dir, "oci.tar")])).exitCode).toBe(0);
      const theirs = (await podman.podman(["images", "--no-trunc", "-q"])).stdout.trim();
      expect(theirs).toBe(sandbox.id);
    } finally {
      await podman[Symbol.asyncDispose]();
    }
    await sandbox.ok(["save", "--format", "oci-dir", "-o", join(dir, "directory"), "app:1"]);
    await skopeoCopy(`oci:${join(dir, "directory")}:app:1`, `docker-archive:${join(dir, "skopeo.tar")}:from/skopeo:1`);
    await using other = createSandbox();
    expect(await other.ok(["load", "-i", join(dir, "skopeo.tar")])).toBe("Loaded image: from/skopeo:1");
    expect(await other.ok(["load", "-i", join(dir, "directory")])).toBe("Loaded image: app:1");
    expect([await idOf(other, "from/skopeo:1"), await idOf(other, "app:1")]).toEqual([sandbox.id, sandbox.id]);
    const twice = await sandbox.sampan(["save", "--format", "oci-dir", "-o", join(dir, "directory"), "app:1"]);
    expect([twice.exitCode, twice.stderr]).toEqual([1, expect.stringContaining("already") as string]);
  }, 120_000);

  test("what is no archive is refused in one sentence", async () => {
    await using sandbox = createSandbox();
    writeFileSync(join(dir, "junk"), "this is no archive at all\n".repeat(100));
    await runOk(["tar", "-cf", join(dir, "plain.tar"), "-C", dir, "junk"]);
    const refusals = [["junk", /^sampan: Cannot load archive "[^"]*junk": this is not a tar header/], ["plain.tar", /neither manifest.json nor index.json.*\n.*sampan import/], ["nothing", /no such file or directory/]] as const;
    for (const [file, why] of refusals) {
      const { exitCode, stderr } = await sandbox.sampan(["load", "-i", join(dir, file)]);
      expect([exitCode, stderr]).toEqual([1, expect.stringMatching(why) as string]);
    }
    const stdin = await sandbox.sampan(["load"], { input: readFileSync(join(dir, "plain.tar")) });
    expect(stdin.stderr).not.toContain("/proc/");
    const imported = await sandbox.sampan(["import", join(dir, "junk"), "junk:1"]);
    expect(imported.stderr).toMatch(/^Importing\nsampan: Cannot import "[^"]*junk": this is not a tar header/);
  }, 30_000);
});

test("push: what we push, skopeo reads, and what is there is not sent again", async () => {
  await using sandbox = await withImage();
  const name = `${registry.host}/pushed/app:1`;
  await sandbox.ok(["tag", "app:1", name]);
  const output = await sandbox.ok(["push", name]);
  const digest = /^1: digest: (sha256:\S+) size: \d+$/m.exec(output)?.[1];
  expect(digest).toBe(`sha256:${createHash("sha256").update(await runOk(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${name}`])).digest("hex")}`);
  expect(await sandbox.ok(["push", name])).toMatch(/Layer already exists/);
  await sandbox.ok(["tag", "app:1", `${registry.host}/mounted/app:1`]);
  expect(await sandbox.ok(["push", `${registry.host}/mounted/app:1`])).toMatch(/Mounted from pushed\/app$/m);
  await using other = createSandbox();
  await other.ok(["pull", "-q", name]);
  expect([await idOf(other, name), await run(other, name, "cat", "/second")]).toEqual([sandbox.id, "second"]);
  const missing = await sandbox.sampan(["push", `${registry.host}/nothing:1`]);
  expect([missing.exitCode, missing.stderr]).toEqual([1, expect.stringContaining("An image does not exist locally with the tag") as string]);
}, 60_000);

test("login is proved to the registry and used by push and pull; logout forgets", async () => {
  await runOk(["sh", "-c", `htpasswd -Bbn someone secret > ${dir}/htpasswd`]);
  await using locked = await dockerRegistry(join(dir, "locked"), { htpasswd: join(dir, "htpasswd") });
  await using sandbox = createSandbox({ env: { DOCKER_CONFIG: join(dir, "config") } });
  await sandbox.ok(["load", "-q", "-i", layout]);
  await sandbox.ok(["tag", await sandbox.ok(["images", "-q"]), `${locked.host}/a:1`]);
  expect((await sandbox.sampan(["push", `${locked.host}/a:1`])).exitCode).toBe(1);
  const wrong = await sandbox.sampan(["login", "-u", "someone", "--password-stdin", locked.host], { input: "wrong\n" });
  expect([wrong.exitCode, wrong.stderr]).toEqual([1, expect.stringContaining("unauthorized") as string]);
  const right = await sandbox.sampan(["login", "-u", "someone", "--password-stdin", locked.host], { input: "secret\n" });
  expect([right.exitCode, right.stdout, right.stderr]).toEqual([0, "Login Succeeded\n", expect.stringContaining("stored unencrypted") as string]);
  await sandbox.ok(["push", `${locked.host}/a:1`]);
  await sandbox.ok(["rmi", `${locked.host}/a:1`]);
  await sandbox.ok(["pull", "-q", `${locked.host}/a:1`]);
  expect(await sandbox.ok(["logout", locked.host])).toBe(`Removing login credentials for ${locked.host}`);
  const denied = await sandbox.sampan(["pull", `${locked.host}/a:2`]);
  expect([denied.exitCode, denied.stderr]).toEqual([1, expect.stringMatching(/denied|unauthorized|authentication/) as string]);
}, 60_000);

describe("experiments 6 and 8", () => {
  test("two containers of one image do not see each other's files, and the image does not change", async () => {
    await using sandbox = await withImage();
    const files = (): Promise<string> => runOk(["sh", "-c", `cd ${sandbox.root}/layers && find . -type f -path '*/fs/*' -exec sha256sum {} + | sort`]);
    const before = await files();
    for (const name of ["one", "two"]) await sandbox.ok(["run", "-d", "--name", name, "--network", "none", "app:1", "sh", "-c", `echo ${name} > /mine-${name}; rm /second; sleep 60`]);
    await sandbox.ok(["exec", "one", "sh", "-c", "while ! test -e /mine-one; do sleep 0.05; done"]);
    await sandbox.ok(["exec", "two", "sh", "-c", "while ! test -e /mine-two; do sleep 0.05; done"]);
    expect(await sandbox.ok(["exec", "one", "sh", "-c", "ls -d /mine-* /second 2>/dev/null || true"])).toBe("/mine-one");
    expect(await sandbox.ok(["exec", "two", "sh", "-c", "ls -d /mine-* /second 2>/dev/null || true"])).toBe("/mine-two");
    expect(await run(sandbox, "app:1", "sh", "-c", "cat /second; ls -d /mine-* 2>/dev/null || true")).toBe("second");
    expect(await files()).toBe(before);
  }, 60_000);

  test("commit: the change is there, the image has one layer more, its config is merged, volumes are not in it", async () => {
    await using sandbox = await withImage();
    await sandbox.ok(["run", "--name", "changer", "--network", "none", "-e", "ADDED=1", "-v", "/volume", "-w", "/tmp", "app:1", "sh", "-c", "echo new > /new; rm /second; mkdir /full; echo x > /full/x; chmod 1777 /full; echo secret > /volume/file; mknod /pipe p"]);
    const id = await sandbox.ok(["commit", "-a", "someone", "-m", "changed", "-c", "LABEL made=here", "-c", 'CMD ["cat", "/new"]', "changer", "changed:1"]);
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    const [image] = JSON.parse(await sandbox.ok(["image", "inspect", "changed:1"])) as { RootFS: { Layers: string[] }; Config: Record<string, unknown>; Author: string; Comment: string }[]; // our own output
    const [base] = JSON.parse(await sandbox.ok(["image", "inspect", "app:1"])) as { RootFS: { Layers: string[] } }[];
    expect(image?.RootFS.Layers.slice(0, -1)).toEqual(base?.RootFS.Layers ?? []);
    expect(image).toMatchObject({ Author: "someone", Comment: "changed", Config: { Labels: { made: "here" }, Cmd: ["cat", "/new"], WorkingDir: "/tmp" } });
    expect(image?.Config["Env"]).toContain("ADDED=1");
    expect(await run(sandbox, "changed:1")).toBe("new");
    expect(await run(sandbox, "changed:1", "sh", "-c", "test -e /second || echo gone; stat -c '%a %F' /full /pipe; ls /volume 2>/dev/null | wc -l; pwd; echo $ADDED")).toBe("gone\n1777 directory\n644 fifo\n0\n/tmp\n1");
    expect((await sandbox.ok(["history", "--format", "{{.Comment}}", "changed:1"])).split("\n")[0]).toBe("changed");
    // Others read it as we do.
    await sandbox.ok(["tag", "changed:1", `${registry.host}/changed:1`]);
    await sandbox.ok(["push", "-q", `${registry.host}/changed:1`]);
    await skopeoCopy(`docker://${registry.host}/changed:1`, `oci:${join(dir, "changed")}:t`);
    await runOk(["umoci", "unpack", "--image", `${join(dir, "changed")}:t`, join(dir, "changed-bundle")]);
    expect(await runOk(["sh", "-c", "cat new; ls -d second full/x pipe 2>/dev/null; true"], { cwd: join(dir, "changed-bundle/rootfs") })).toBe("new\nfull/x\npipe\n");
  }, 60_000);

  test("a running container is frozen while it is committed, and goes on afterwards; one without an image is refused", async () => {
    await using sandbox = await withImage();
    await sandbox.ok(["run", "-d", "--name", "busy", "--network", "none", "app:1", "sh", "-c", "while true; do echo x >> /growing; done"]);
    await sandbox.ok(["commit", "busy", "frozen:1"]);
    const events = await sandbox.sampan(["events", "--since", "1m", "--until", "0s", "--format", "{{.Action}}"]);
    if (events.exitCode === 0) expect(events.stdout).toMatch(/pause[\s\S]*unpause/);
    expect(await sandbox.ok(["inspect", "--format", "{{.State.Status}}", "busy"])).toBe("running");
    await run(sandbox, "frozen:1", "test", "-s", "/growing");
    await sandbox.ok(["run", "--name", "hosted", "--network", "none", "host", "true"]);
    const refused = await sandbox.sampan(["commit", "hosted", "x"]);
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining("not on an image") as string]);
  }, 60_000);

  test("it goes on as well where commit is killed in the middle; what a person has paused stays so", async () => {
    await using sandbox = await withImage();
    const status = (): Promise<string> => sandbox.ok(["inspect", "--format", "{{.State.Status}}", "large"]);
    await sandbox.ok(["run", "-d", "--name", "large", "--network", "none", "app:1", "sh", "-c", "head -c 300m /dev/urandom >/large; echo ready; sleep 1000"]);
    await waitFor("the file", async () => (await sandbox.ok(["logs", "large"])) === "ready");
    const commit = sandbox.start(["commit", "large", "never:1"]);
    const ended = new Promise<void>((resolve) => commit.once("exit", () => { resolve(); }));
    await waitFor("the freeze", async () => (await status()) === "paused");
    commit.kill("SIGKILL");
    await ended;
    expect(await status()).toBe("running");
    expect(await sandbox.ok(["exec", "large", "echo", "alive"])).toBe("alive");
    await sandbox.ok(["pause", "large"]);
    expect([await status(), await status()]).toEqual(["paused", "paused"]);
    await sandbox.ok(["unpause", "large"]);
    expect(await status()).toBe("running");
  }, 60_000);
});

test("import: a root filesystem, its config by instructions, and what is wrong said before anything is read", async () => {
  await using sandbox = createSandbox();
  const rootfs = await busyboxRootfs(join(dir, "rootfs"));
  await runOk(["tar", "-C", rootfs, "-czf", join(dir, "rootfs.tgz"), "."]);
  await sandbox.ok(["import", "-m", "from a tar", "-c", 'ENTRYPOINT ["echo"]', "-c", "CMD hello", "-c", "USER 1000:1000", join(dir, "rootfs.tgz"), "mine:1"]);
  expect(await run(sandbox, "mine:1", "a", "b")).toBe("a b");
  expect((await sandbox.ok(["history", "--format", "{{.Comment}}", "mine:1"]))).toBe("from a tar");
  for (const [args, why] of [[["-c", "RUN x", join(dir, "rootfs.tgz"), "x"], /RUN is not a change/], [[join(dir, "rootfs.tgz"), "UPPER"], /must be lowercase/], [[join(dir, "none.tar"), "x"], /no such file/]] as const) {
    const { exitCode, stderr } = await sandbox.sampan(["import", ...args]);
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(why) as string]);
  }
  expect(await sandbox.ok(["images", "-q"])).toMatch(/^[0-9a-f]{12}$/);
}, 60_000);

test("import: from a URL, through redirects, and what is wrong there; archives of xz and bzip2 by the host's tools", async () => {
  await using sandbox = createSandbox();
  const tar = join(dir, "small.tar");
  await runOk(["sh", "-c", `mkdir "$1" && echo content > "$1/file" && tar -C "$1" -cf "$2" . && xz -k "$2" && bzip2 -k "$2"`, "sh", join(dir, "small"), tar]);
  await using server = await serveFiles({ "/small.tar.xz": readFileSync(`${tar}.xz`) }, { "/moved": "/small.tar.xz", "/round": "/round" });
  const imported = await sandbox.sampan(["import", `${server.url}/moved`, "far:1"]);
  expect([imported.exitCode, imported.stderr]).toEqual([0, expect.stringContaining(`Downloading from ${server.url}/moved`) as string]);
  const diffId = await sandbox.ok(["image", "inspect", "--format", "{{index .RootFS.Layers 0}}", "far:1"]);
  expect(diffId).toBe(`sha256:${createHash("sha256").update(readFileSync(tar)).digest("hex")}`);
  await sandbox.ok(["import", `${tar}.bz2`, "near:1"]);
  await sandbox.ok(["import", "-", "piped:1"], { input: readFileSync(`${tar}.xz`) });
  const nothing = await sandbox.sampan(["import", "-", "empty:1"], { input: "" });
  expect([nothing.exitCode, nothing.stderr]).toEqual([1, "Importing\nsampan: Cannot import standard input: it is empty\n"]);
  for (const name of ["near:1", "piped:1"]) expect(await sandbox.ok(["image", "inspect", "--format", "{{index .RootFS.Layers 0}}", name])).toBe(diffId);
  writeFileSync(join(dir, "cut.xz"), readFileSync(`${tar}.xz`).subarray(0, -20));
  for (const [source, why] of [[`${server.url}/none`, /answered with status 404/], [`${server.url}/round`, /redirect/], [join(dir, "cut.xz"), /xz data is corrupt or ends too early/]] as const) {
    const { exitCode, stderr } = await sandbox.sampan(["import", source, "x:1"]);
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(why) as string]);
  }
  // An archive of images is one like any other.
  await sandbox.ok(["save", "-o", join(dir, "saved.tar"), "far:1"]);
  await runOk(["xz", join(dir, "saved.tar")]);
  expect(await sandbox.ok(["load", "-i", join(dir, "saved.tar.xz")])).toBe("Loaded image: far:1");
}, 60_000);

/** Files over plain HTTP on the loopback address. */
async function serveFiles(files: Readonly<Record<string, Uint8Array>>, redirects: Readonly<Record<string, string>>): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    const target = redirects[path];
    if (target !== undefined) response.writeHead(302, { location: target }).end();
    else if (files[path] === undefined) response.writeHead(404).end("no such file");
    else response.writeHead(200, { "content-length": files[path].length }).end(files[path]);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => { resolve(); }));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? (address?.port ?? 0) : 0}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

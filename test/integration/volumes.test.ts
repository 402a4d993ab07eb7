/** Volumes by their effects: what a container finds in them, what is left on the host, what is refused. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, createTempDir, mountsBeneath, packRootfs, run, runOk, SAMPAN, waitFor, type CommandResult, type Sandbox } from "../support/index.ts";

const temp = createTempDir("volumes-");
let rootfs = "";
let box: Sandbox;

interface Volume {
  Name: string; Mountpoint: string; Driver: string; Labels: Record<string, string> | null; Options: Record<string, string> | null; CreatedAt: string;
}

beforeAll(async () => {
  rootfs = await busyboxRootfs(join(temp.path, "rootfs"));
  const data = join(rootfs, "data");
  mkdirSync(join(data, "sub"), { recursive: true });
  writeFileSync(join(data, "file"), "of the image\n");
  linkSync(join(data, "file"), join(data, "sub/hard"));
  symlinkSync("/etc/passwd", join(data, "absolute"));
  await runOk(["mkfifo", join(data, "fifo")]);
  await runOk(["mknod", join(data, "null"), "c", "1", "3"]);
  await runOk(["cp", "/bin/true", join(data, "capable")]);
  await runOk(["setcap", "cap_net_raw+ep", join(data, "capable")]);
  await runOk(["setfattr", "-n", "user.kind", "-v", "file", join(data, "file")]);
  await runOk(["setfattr", "-n", "user.kind", "-v", "directory", data]);
  await runOk(["chown", "1000:2000", data, join(data, "file")]);
  chmodSync(join(data, "file"), 0o640);
  chmodSync(data, 0o2750);
  utimesSync(join(data, "file"), 1_000_000_000, 1_000_000_000);
  utimesSync(data, 1_000_000_001, 1_000_000_001);
  box = createSandbox();
  const tar = await packRootfs(rootfs, join(temp.path, "image.tar"));
  await box.ok(["import", "-c", `VOLUME ["/data", "/anon/"]`, tar, "with-volumes"], { timeoutMs: 60_000 });
  await box.ok(["import", tar, "plain"], { timeoutMs: 60_000 });
}, 120_000);

afterAll(async () => {
  await box[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

/** Each test starts without containers and volumes. */
afterEach(async () => {
  const left = (await box.ok(["ps", "-aq"])).split("\n").filter((id) => id !== "");
  if (left.length > 0) await box.ok(["rm", "-f", ...left], { timeoutMs: 60_000 });
  await box.ok(["volume", "prune", "-af"]);
});

const on = (...options: string[]): string[] => ["run", "--rm", "--network", "none", ...options];
const sh = (options: string[], script: string, image = "plain"): Promise<CommandResult> => box.sampan([...on(...options), image, "sh", "-c", script]);
const background = (name: string, ...options: string[]): Promise<string> => box.ok(["run", "-d", "--network", "none", "--name", name, ...options, "plain", "sleep", "1000"]);
const names = async (...options: string[]): Promise<string[]> => (await box.ok(["volume", "ls", "-q", ...options])).split("\n").filter((name) => name !== "");
const inspect = async (name: string): Promise<Volume> => (JSON.parse(await box.ok(["volume", "inspect", name])) as [Volume])[0]; // the shape of docker inspect
const dataOf = (name: string): string => join(box.root, "volumes", name, "_data");

describe("volumes", () => {
  test("a named one is made when it is first used, and its data outlives containers", async () => {
    expect(await sh(["-v", "kept:/v"], "echo data > /v/f")).toMatchObject({ exitCode: 0, stderr: "" });
    expect((await sh(["-v", "kept:/elsewhere"], "cat /elsewhere/f")).stdout).toBe("data\n");
    await box.ok(["run", "--network", "none", "--name", "user", "-v", "kept:/v", "plain", "sh", "-c", "echo more >> /v/f"]);
    await box.ok(["rm", "-v", "user"]);
    expect(readFileSync(join(dataOf("kept"), "f"), "utf8")).toBe("data\nmore\n");
    const volume = await inspect("kept");
    expect(volume).toMatchObject({ Name: "kept", Driver: "local", Mountpoint: dataOf("kept"), Labels: null, Options: null });
    expect(Math.abs(Date.parse(volume.CreatedAt) - Date.now())).toBeLessThan(120_000);
  });

  test("are mounted in the container alone", async () => {
    const before = readFileSync("/proc/self/mountinfo", "utf8");
    await background("holder", "-v", "held:/v", "-v", "/v2", "--tmpfs", "/t");
    expect(mountsBeneath(box.dir)).toEqual([]);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
    const inside = await box.ok(["exec", "holder", "cat", "/proc/self/mountinfo"]);
    expect(inside).toMatch(/ \/v rw/);
    expect(inside).toMatch(/ \/t rw.* - tmpfs /);
  });

  test("one at /etc leaves the container its hosts, resolv.conf and hostname, whatever is mounted there", async () => {
    for (const options of [["-v", "all:/etc"], ["-v", "all:/etc:nocopy"], ["--tmpfs", "/etc"]]) {
      const { stdout, stderr } = await sh([...options, "--hostname", "ship"], "cat /etc/hostname; grep -c localhost /etc/hosts; test -e /etc/resolv.conf && echo there");
      expect([stdout, stderr]).toEqual(["ship\n1\nthere\n", ""]);
    }
  });

  test("read-only ones cannot be written, by -v and --mount", async () => {
    await sh(["-v", "ro:/v"], "echo 1 > /v/f");
    for (const options of [["-v", "ro:/v:ro"], ["--mount", "type=volume,source=ro,target=/v,readonly"]]) {
      const result = await sh(options, "cat /v/f; echo 2 > /v/f");
      expect(result.stdout).toBe("1\n");
      expect(result.stderr).toContain("Read-only file system");
    }
    expect(readFileSync(join(dataOf("ro"), "f"), "utf8")).toBe("1\n");
  });

  test("one without a name goes with --rm and rm -v, and stays after rm", async () => {
    await sh(["-v", "/v"], "echo 1 > /v/f");
    expect(await names()).toEqual([]);
    expect(readdirSync(join(box.root, "volumes"))).toEqual([".trash"]);
    await background("a1", "-v", "/v");
    const [name = ""] = await names();
    expect(name).toMatch(/^[0-9a-f]{64}$/);
    await box.ok(["rm", "-f", "a1"]);
    expect(await names()).toEqual([name]);
    expect(await names("-f", "dangling=true")).toEqual([name]);
    await background("a2", "-v", "/v");
    await box.ok(["rm", "-fv", "a2"]);
    expect(await names()).toEqual([name]);
  });

  test("the image's VOLUME makes one, unless something else is mounted there", async () => {
    const { stdout } = await sh([], "cat /data/file; stat -c %u:%g /data; grep -cE ' /(data|anon) ' /proc/self/mountinfo", "with-volumes");
    expect(stdout).toBe("of the image\n1000:2000\n2\n");
    await box.ok(["create", "--name", "c1", "--network", "none", "-v", "own:/data", "--tmpfs", "/anon", "with-volumes", "true"]);
    expect(await names()).toEqual(["own"]);
  });

  test("an empty one is filled with all that the image has there", async () => {
    await sh(["-v", "full:/data"], "true");
    const from = join(rootfs, "data");
    const list = async (directory: string): Promise<string> => runOk(["sh", "-c", `cd "${directory}" && find . -printf '%p %y %m %U:%G %s %l %n\\n' | grep -v '^\\. ' | sort; stat -c '%a %u:%g %Y' .; stat -c %Y file; stat -c %t:%T null; getfattr -d -m - . file; getcap capable; cat file`]);
    expect(await list(dataOf("full"))).toBe(await list(from));
    expect(statSync(join(dataOf("full"), "file")).ino).toBe(statSync(join(dataOf("full"), "sub/hard")).ino);
    // Nothing of the filling is left.
    expect(readdirSync(join(box.root, "volumes/full")).sort()).toEqual(["_data", "lock"]);
  });

  test("one over a directory of a writable root is filled too", async () => {
    const root = join(box.dir, "writable-root");
    await runOk(["cp", "-a", rootfs, root]);
    expect(await box.ok(["run", "--rm", "--network", "none", "--rootfs", `${root}:rw`, "-v", "filled:/data", "cat", "/data/file"])).toBe("of the image");
  });

  test("nothing is copied with nocopy, into a volume with content, or again after it was emptied", async () => {
    expect((await sh(["-v", "n1:/data:nocopy"], "ls -A /data")).stdout).toBe("");
    expect((await sh(["--mount", "type=volume,source=n2,target=/data,volume-nocopy"], "ls -A /data")).stdout).toBe("");
    await sh(["-v", "n3:/v"], "touch /v/own");
    expect((await sh(["-v", "n3:/data"], "ls -A /data")).stdout).toBe("own\n");
    await box.ok(["run", "--network", "none", "--name", "again", "-v", "n4:/data", "plain", "sh", "-c", "rm -r /data/*; ls -A /data"]);
    expect(readdirSync(dataOf("n4"))).toEqual([]);
    await box.ok(["start", "-a", "again"]);
    expect(readdirSync(dataOf("n4"))).toEqual([]);
  });

  test("create fills it too, so that cp and start find it", async () => {
    await box.ok(["create", "--name", "made", "--network", "none", "-v", "early:/data", "plain", "cat", "/data/file"]);
    expect(readFileSync(join(dataOf("early"), "file"), "utf8")).toBe("of the image\n");
    expect(await box.ok(["start", "-a", "made"])).toBe("of the image");
  });

  test("a filling that was cut short is gone on with, and half a copy is never seen", async () => {
    await box.ok(["volume", "create", "cut"]);
    const directory = join(box.root, "volumes/cut");
    // As if killed while copying, and as if killed while moving in.
    mkdirSync(join(directory, "_fill.new"));
    writeFileSync(join(directory, "_fill.new/half"), "");
    expect((await sh(["-v", "cut:/data"], "ls /data")).stdout).toContain("file\n");
    expect(existsSync(join(dataOf("cut"), "half"))).toBe(false);
    await box.ok(["volume", "create", "cut2"]);
    mkdirSync(join(box.root, "volumes/cut2/_fill"), { mode: 0o711 });
    writeFileSync(join(box.root, "volumes/cut2/_fill/second"), "2");
    writeFileSync(join(dataOf("cut2"), "first"), "1");
    expect((await sh(["-v", "cut2:/data"], "ls /data; stat -c %a /data")).stdout).toBe("first\nsecond\n711\n");
    expect(readdirSync(join(box.root, "volumes/cut2")).sort()).toEqual(["_data", "lock"]);
  });

  test("kill -9 at any moment of the filling: whoever comes next finds all of it", async () => {
    const many = join(temp.path, "many");
    mkdirSync(join(many, "bin"), { recursive: true });
    for (let i = 0; i < 20; i++) {
      mkdirSync(join(many, `data/${i}`), { recursive: true });
      for (let j = 0; j < 20; j++) writeFileSync(join(many, `data/${i}/${j}`), `${i} ${j}\n`);
    }
    await runOk(["cp", "/bin/busybox", join(many, "bin/busybox")]);
    const command = ["run", "--rm", "--network", "none", "-v", "killed:/data", "--rootfs", many, "busybox", "sh", "-c", "find /data -type f -exec cat {} + | sort | busybox md5sum; find /data | busybox wc -l"];
    const whole = (await runOk(["sh", "-c", `find ${many}/data -type f -exec cat {} + | LC_ALL=C sort | md5sum`])).trim();
    for (const delayMs of [20, 60, 100, 140]) {
      const child = box.start(command);
      const ended = new Promise((done) => child.once("exit", done));
      await new Promise((done) => setTimeout(done, delayMs));
      child.kill("SIGKILL");
      await ended;
      expect((await box.sampan(command)).stdout).toBe(`${whole}\n421\n`);
      await waitFor("the killed one to be cleaned up", async () => (await box.ok(["ps", "-aq"])) === "");
      expect(readdirSync(join(box.root, "volumes/killed")).filter((name) => name.startsWith("_fill"))).toEqual([]);
      await box.ok(["volume", "rm", "killed"]);
    }
  }, 60_000);

  test("a full disk while one is filled: told in one sentence, and the volume is as empty as before", async () => {
    const big = join(temp.path, "big");
    mkdirSync(join(big, "data"), { recursive: true });
    writeFileSync(join(big, "data/a"), "small");
    writeFileSync(join(big, "data/blob"), randomBytes(8_000_000));
    const store = join(temp.path, "small-store");
    mkdirSync(store);
    const script = `mount -t tmpfs -o size=6m tmpfs ${store} && export SAMPAN_ROOT=${store}/r || exit 9
      ${SAMPAN} run --network none --name full -v vol:/data --rootfs ${big} /none; echo "run $?"
      find ${store}/r/volumes/vol/_data ${store}/r/volumes/vol/_fill*; ${SAMPAN} rm full; ${SAMPAN} volume rm vol; umount ${store}`;
    const { stdout, stderr } = await run(["unshare", "--mount", "sh", "-c", script], { env: box.env });
    expect(stdout).toBe(`run 125\n${store}/r/volumes/vol/_data\nfull\nvol\n`);
    expect(stderr).toStartWith(`sampan: Cannot copy "/data" of the image into volume "vol": Cannot write "blob": no space left on device\n`);
  });

  test("eight containers fill one at the same time, once", async () => {
    const results = await Promise.all(Array.from({ length: 8 }, (_, i) => sh(["-v", "shared:/data"], `cat /data/file; echo ${i} >> /data/who`)));
    expect(results.map(({ stdout, stderr }) => stdout + stderr)).toEqual(Array.from({ length: 8 }, () => "of the image\n"));
    expect(readFileSync(join(dataOf("shared"), "who"), "utf8").trim().split("\n").sort()).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
  }, 30_000);

  test("--volumes-from gives the volumes and binds of another container, never writable where they were not", async () => {
    const host = mkdtempSync(join(temp.path, "host-"));
    writeFileSync(join(host, "h"), "host\n");
    await box.ok(["create", "--name", "source", "--network", "none", "-v", "from:/a", "-v", `${host}:/b:ro`, "-v", "/c", "plain", "true"]);
    await sh(["-v", "from:/v"], "echo named > /v/f");
    const { stdout, stderr } = await sh(["--volumes-from", "source"], "cat /a/f /b/h; echo x > /b/h; echo new > /a/new; grep -c ' /c ' /proc/self/mountinfo");
    expect(stdout).toBe("named\nhost\n1\n");
    expect(stderr).toContain("can't create /b/h: Read-only file system");
    expect((await sh(["--volumes-from", "source:ro"], "cat /a/new; echo x > /a/new")).stderr).toContain("Read-only file system");
    expect((await sh(["--volumes-from", "source", "-v", "mine:/a"], "ls /a")).stdout).toBe("");
    // The anonymous one is the source's for as long as that is there.
    expect((await names()).filter((name) => name.length === 64)).toHaveLength(1);
    const missing = await sh(["--volumes-from", "nobody"], "true");
    expect([missing.exitCode, missing.stderr]).toEqual([125, "sampan: No such container: nobody\n"]);
  });

  test("a path beneath its root, a directory or a file", async () => {
    await sh(["-v", "deep:/v"], "mkdir -p /v/d/e; echo inner > /v/d/e/f; ln -s d/e /v/link");
    const at = (subpath: string): string[] => ["--mount", `type=volume,source=deep,target=/s,volume-subpath=${subpath}`];
    expect((await sh(at("d/e"), "cat /s/f")).stdout).toBe("inner\n");
    expect((await sh(at("link"), "cat /s/f")).stdout).toBe("inner\n");
    expect((await sh(at("d/e/f"), "cat /s; echo changed > /s")).stdout).toBe("inner\n");
    expect(readFileSync(join(dataOf("deep"), "d/e/f"), "utf8")).toBe("changed\n");
    // cp sees what the container sees, also when it does not run.
    await box.ok(["create", "--name", "copied", "--network", "none", "--mount", "type=volume,source=deep,target=/mnt,volume-subpath=d", "plain", "true"]);
    expect(await box.ok(["cp", "copied:/mnt/e/f", "-"])).toContain("changed");
    expect((await box.sampan(["cp", "copied:/mnt/link", "-"])).exitCode).toBe(1);
    const missing = await sh(at("nowhere"), "true");
    expect([missing.exitCode, missing.stdout]).toEqual([125, ""]);
    expect(missing.stderr).toContain(`"nowhere"`);
  });

  test("the local driver's bind and tmpfs", async () => {
    const host = mkdtempSync(join(temp.path, "device-"));
    writeFileSync(join(host, "h"), "host\n");
    await box.ok(["volume", "create", "--opt", "type=none", "--opt", "o=bind", "--opt", `device=${host}`, "bound"]);
    await sh(["-v", "bound:/b"], "cat /b/h > /b/copy");
    expect(readFileSync(join(host, "copy"), "utf8")).toBe("host\n");
    await box.ok(["volume", "rm", "bound"]);
    expect(readdirSync(host).sort()).toEqual(["copy", "h"]);
    await box.ok(["volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=1m,uid=1000", "memory"]);
    const { stdout } = await sh(["-v", "memory:/m"], "stat -c %u /m; grep ' /m ' /proc/self/mountinfo; dd if=/dev/zero of=/m/f bs=64k count=32 2>&1");
    expect(stdout).toMatch(/^1000\n.* - tmpfs tmpfs rw,size=1024k/);
    expect(stdout).toContain("No space left on device");
    const made = await sh(["--mount", "type=volume,source=opted,target=/m,volume-opt=type=tmpfs,volume-opt=device=tmpfs,\"volume-opt=o=size=2m,mode=700\",volume-label=a=b"], "stat -c %a /m; grep ' /m ' /proc/self/mountinfo");
    expect(made.stdout).toMatch(/^700\n.* - tmpfs tmpfs rw,size=2048k/);
    expect(await inspect("opted")).toMatchObject({ Labels: { a: "b" }, Options: { type: "tmpfs", device: "tmpfs", o: "size=2m,mode=700" } });
    // Two containers would each have their own: it says so rather than let data go missing.
    await background("first", "-v", "memory:/m");
    const second = await sh(["-v", "memory:/m"], "true");
    expect([second.exitCode, second.stderr.split("\n")[0]]).toEqual([125, `sampan: Cannot mount volume "memory": it is a tmpfs, which lives in one container, and "first" runs with it`]);
  });

  test("-v makes a host directory that is missing, --mount refuses it", async () => {
    const missing = join(temp.path, "made/by/us");
    expect((await sh(["-v", `${missing}:/b`], "echo 1 > /b/f")).stderr).toBe("");
    expect(readFileSync(join(missing, "f"), "utf8")).toBe("1\n");
    const refused = await sh(["--mount", `type=bind,source=${missing}-not,target=/b`], "true");
    expect([refused.exitCode, refused.stderr]).toEqual([125, `sampan: invalid mount config for type "bind": bind source path does not exist: ${missing}-not\n`]);
  });
});

describe("volume commands", () => {
  test("refuse what is in use, not there or not a name, in Docker's words", async () => {
    const id = await background("user1", "-v", "used:/v");
    const inUse = await box.sampan(["volume", "rm", "used", "nothere"]);
    expect([inUse.exitCode, inUse.stderr]).toEqual([1, `sampan: remove used: volume is in use - [${id}]\nsampan: get nothere: no such volume\n`]);
    expect((await box.sampan(["volume", "rm", "-f", "used"])).exitCode).toBe(1);
    await box.ok(["stop", "-t", "0", "user1"]);
    expect((await box.sampan(["volume", "rm", "used"])).exitCode).toBe(1);
    await box.ok(["rm", "user1"]);
    expect(await box.ok(["volume", "rm", "used"])).toBe("used");
    expect(existsSync(join(box.root, "volumes/used"))).toBe(false);
    expect(await box.ok(["volume", "rm", "-f", "used"])).toBe("used");
    for (const name of ["a/b", "..", "../x", ".hidden", "-", "x", "a\nb", " "]) {
      const result = await box.sampan(["volume", "create", "--", name]);
      expect([name, result.exitCode, /includes invalid characters|too short/.test(result.stderr)]).toEqual([name, 1, true]);
    }
    expect((await box.sampan(["volume", "inspect", "nothere"])).stderr).toBe("sampan: get nothere: no such volume\n");
    expect((await box.sampan(["volume", "create", "-d", "flocker", "v1"])).stderr).toContain(`plugin "flocker" not found`);
    for (const [options, words] of [
      [["--opt", "foo=bar"], `invalid option: "foo"`],
      [["--opt", "type=tmpfs"], `missing required option: "device"`],
      [["--opt", "type=nfs", "--opt", "device=:/x", "--opt", "o=addr=192.0.2.1"], `type "nfs"`],
      [["--opt", "size=1g"], "quota size requested but no quota support"],
    ] as const) {
      const result = await box.sampan(["volume", "create", ...options, "v1"]);
      expect([result.exitCode, result.stderr.includes(words)]).toEqual([1, true]);
    }
    expect(await names()).toEqual([]);
  });

  test("create gives back what is there; ls and its filters; prune takes anonymous ones, or all", async () => {
    expect(await box.ok(["volume", "create", "--label", "a=b", "--label", "c", "v1"])).toBe("v1");
    await Bun.write(join(dataOf("v1"), "f"), "kept");
    expect(await box.ok(["volume", "create", "v1"])).toBe("v1");
    expect(readFileSync(join(dataOf("v1"), "f"), "utf8")).toBe("kept");
    expect((await inspect("v1")).Labels).toEqual({ a: "b", c: "" });
    const anonymous = await box.ok(["volume", "create"]);
    await box.ok(["volume", "create", "v2"]);
    await background("user2", "-v", "v2:/v");
    expect(await names()).toEqual([anonymous, "v1", "v2"].sort());
    expect(await names("-f", "label=a=b")).toEqual(["v1"]);
    expect(await names("-f", "label=a=x")).toEqual([]);
    expect((await names("-f", "name=^v")).sort()).toEqual(["v1", "v2"]);
    expect(await names("-f", "dangling=false")).toEqual(["v2"]);
    expect((await box.sampan(["volume", "ls", "-f", "no=1"])).stderr).toBe("sampan: invalid filter 'no'\n");
    expect(await box.ok(["volume", "ls", "--format", "{{.Name}}:{{.Driver}}:{{.Mountpoint}}", "-f", "name=^v1$"])).toBe(`v1:local:${dataOf("v1")}`);
    expect((await box.sampan(["volume", "prune"], { input: "n\n" })).exitCode).toBe(1);
    expect(await box.ok(["volume", "prune", "-f"])).toMatch(new RegExp(`^Deleted Volumes:\\n${anonymous}\\n\\nTotal reclaimed space: 0B$`));
    expect(await box.ok(["volume", "prune", "-af", "--filter", "label!=c"])).not.toContain("v1");
    expect(await box.ok(["volume", "prune", "-af"])).toMatch(/^Deleted Volumes:\nv1\n\n/);
    expect(await names()).toEqual(["v2"]);
  });

  test("a volume made again under a name is empty, and is not met by the removal of the first", async () => {
    for (let i = 0; i < 5; i++) {
      await sh(["-v", "phoenix:/v"], "mkdir /v/old; touch /v/old/1");
      const [removal, use] = await Promise.all([box.sampan(["volume", "rm", "phoenix"]), sh(["-v", "phoenix:/v"], "echo new > /v/new; ls /v")]);
      // Whichever was first: the other meets all of the old one, or nothing of it.
      expect(use.stderr).toBe("");
      expect(use.stdout).toBe(removal.exitCode === 0 ? "new\n" : "new\nold\n");
      expect(readFileSync(join(dataOf("phoenix"), "new"), "utf8")).toBe("new\n");
      await box.ok(["volume", "rm", "phoenix"]);
    }
    expect(readdirSync(join(box.root, "volumes/.trash"))).toEqual([]);
  }, 30_000);

  test("need root, and say so in one sentence", async () => {
    const copy = join(temp.path, "sampan");
    await runOk(["cp", SAMPAN, copy]);
    for (const args of [["volume", "ls"], ["volume", "create", "v1"], ["volume", "rm", "v1"], ["volume", "prune", "-f"], ["events"], ["info"], ["system", "df"]]) {
      const result = await run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", copy, ...args], { env: { SAMPAN_ROOT: "/var/lib/nothing-of-ours", SAMPAN_STATE: "/run/nothing-of-ours" } });
      expect([args, result.exitCode, result.stdout, result.stderr.replace(/Cannot .*: /, "Cannot …: ")]).toEqual([args, 1, "", "sampan: Cannot …: Sampan needs root\nRun it with sudo\n"]);
    }
    rmSync(copy);
  });
});

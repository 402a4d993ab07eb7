import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, run, runOk } from "../support/index.ts";
import type { Sandbox } from "../support/index.ts";

/** cp both ways, by Docker's rules, into and out of containers that run and that do not (FEATURES, experiment 7). */
let sandbox: Sandbox;
let here = "";
const tree = (directory: string): Promise<string> => runOk(["sh", "-c", `cd '${directory}' && find . -printf '%P %y %m %U:%G %s %T@ %l %n\\n' | grep -v '^ ' | sort; getfattr -d -m user -R . 2>/dev/null | sort`]);

beforeAll(async () => {
  sandbox = createSandbox();
  here = sandbox.dir;
  const rootfs = await busyboxRootfs(join(here, "rootfs"));
  mkdirSync(join(here, "volume"));
  await sandbox.ok(["run", "-d", "--name", "web", "-v", `${join(here, "volume")}:/data`, "-v", `${join(here, "volume")}:/locked:ro`, "--rootfs", rootfs, "sleep", "1000"]);
  await sandbox.ok(["run", "--name", "done", "-v", `${join(here, "volume")}:/data`, "-v", `${join(here, "volume")}:/locked:ro`, "--rootfs", rootfs, "sh", "-c", "mkdir /made; echo text > /made/file"]);
  await runOk(["sh", "-ec", `cd '${here}'; mkdir -p src/sub/empty; echo hello > src/a; ln -s a src/lnk; ln -s /nowhere src/dangling; ln src/a src/hard; echo deep > src/sub/d
    chmod 640 src/a; chown 1000:2000 src/sub/d; chmod 4755 src/sub/d; setfattr -n user.note -v kept src/a; truncate -s 3M src/sparse; printf x >> src/sparse; mkfifo src/fifo
    touch -d '2020-01-02 03:04:05.123456789' src/a src/sub/empty src/sub src; touch "src/$(printf 'bad\\377name')"; chown 7:8 src/sub`]);
});
afterAll(async () => { await sandbox[Symbol.asyncDispose](); });

const cp = (...args: string[]): Promise<string> => sandbox.ok(["cp", "-q", ...args], { cwd: here });

for (const name of ["web", "done"]) {
  describe(name === "web" ? "a running container" : "a container that has ended", () => {
    test("a tree comes back as it went: owners, modes, links, attributes, times, holes", async () => {
      await cp("-a", "src", `${name}:/root/copy`);
      await cp("-a", `${name}:/root/copy`, `back-${name}`);
      expect(await tree(join(here, `back-${name}`))).toBe(await tree(join(here, "src")));
      expect(statSync(join(here, `back-${name}/sparse`)).blocks).toBeLessThan(200);
    });

    test("without -a all belongs to root", async () => {
      await cp("src/sub", `${name}:/root/plain`);
      await cp("-a", `${name}:/root/plain/d`, `plain-${name}`);
      const { uid, gid, mode } = statSync(join(here, `plain-${name}`));
      expect([uid, gid, mode & 0o7777]).toEqual([0, 0, 0o4755]);
    });

    test("a directory joins one that is there, its contents with a trailing /., and becomes one that is not", async () => {
      await cp(`${name}:/etc/passwd`, `file-${name}`);
      expect(readFileSync(join(here, `file-${name}`), "utf8")).toContain("app:x:1000");
      mkdirSync(join(here, `into-${name}`));
      await cp("src/sub", `${name}:/mnt`);
      await cp("src/sub/.", `${name}:/mnt`);
      await cp("src/sub", `${name}:/mnt/new`);
      await cp(`${name}:/mnt`, `into-${name}`);
      for (const path of ["mnt/sub/d", "mnt/d", "mnt/new/d"]) expect(readFileSync(join(here, `into-${name}`, path), "utf8")).toBe("deep\n");
      await cp(`${name}:/mnt/.`, `into-${name}`);
      expect(existsSync(join(here, `into-${name}/d`))).toBe(true);
    });

    test("links are copied, with -L what they lead to; a link as target is followed inside the root", async () => {
      await cp("src", `${name}:/root/links`);
      await cp(`${name}:/root/links/lnk`, `l1-${name}`);
      await cp("-L", `${name}:/root/links/lnk`, `l2-${name}`);
      expect(readlinkSync(join(here, `l1-${name}`))).toBe("a");
      expect(lstatSync(join(here, `l2-${name}`)).isFile()).toBe(true);
      symlinkSync("/etc/target", join(here, `abs-${name}`));
      await cp(`abs-${name}`, `${name}:/root/abs`);
      await cp("src/a", `${name}:/root/abs`);
      await cp(`${name}:/etc/target`, `t-${name}`);
      expect(readFileSync(join(here, `t-${name}`), "utf8")).toBe("hello\n");
      expect(existsSync("/etc/target")).toBe(false);
    });

    test("- is a tar stream, in and out", async () => {
      const archive = await runOk(["tar", "-C", here, "-czf", "-", "src/a", "src/sub"], { timeoutMs: 10_000 }).catch(() => "");
      expect(archive).not.toBe("");
      await runOk(["sh", "-c", `tar -C '${here}' -czf - src/a src/sub | '${sandboxCommand()}' cp - ${name}:/var`], { env: sandbox.env });
      const listed = await runOk(["sh", "-c", `'${sandboxCommand()}' cp ${name}:/var/src - | tar t | sort`], { env: sandbox.env });
      expect(listed).toBe("src/\nsrc/a\nsrc/sub/\nsrc/sub/d\nsrc/sub/empty/\n");
    });

    test("a volume is where the container sees it", async () => {
      await cp("src/a", `${name}:/data/from-${name}`);
      expect(readFileSync(join(here, `volume/from-${name}`), "utf8")).toBe("hello\n");
    });

    test("the files that the engine makes are there, and what the kernel makes up is not", async () => {
      await cp(`${name}:/etc`, `etc-${name}`);
      expect(readFileSync(join(here, `etc-${name}/hostname`), "utf8").trim()).toBe(await sandbox.ok(["inspect", "-f", "{{.Config.Hostname}}", name]));
      expect(readFileSync(join(here, `etc-${name}/hosts`), "utf8")).toContain("localhost");
    });

    test("a directory that the container sees of where it is copied to is not read while it is written", async () => {
      mkdirSync(join(here, "volume/sub"), { recursive: true });
      await cp(`${name}:/data`, `volume/loop-${name}`);
      expect(existsSync(join(here, `volume/loop-${name}/sub`))).toBe(true);
      expect(existsSync(join(here, `volume/loop-${name}/loop-${name}`))).toBe(false);
    });

    test("what cannot be copied is told in Docker's words, with exit code 1", async () => {
      const says: [string[], string][] = [
        [["src/a", `${name}:/no/x`], `Could not find the file /no in container ${name}`],
        [[`${name}:/no`, "."], `Could not find the file /no in container ${name}`],
        [["src/a", `${name}:/no/`], "no such directory"],
        [["src", `${name}:/etc/passwd`], "cannot copy directory"],
        [["src/a", `${name}:/etc/passwd/`], "not a directory"],
        [["missing", `${name}:/tmp`], "lstat missing: no such file or directory"],
        [[`${name}:/etc/passwd`, "no/x"], `invalid output path: directory "${join(here, "no")}" does not exist`],
        [[`${name}:/mnt`, "src/a"], "cannot copy directory"],
        [[`${name}:/proc/version`, "."], `Could not find the file /proc/version in container ${name}`],
        [["src/a", `${name}:/locked/x`], "mounted volume is marked read-only"],
        [["-", `${name}:/missing`], `destination "${name}:/missing" must be a directory`],
        [["src/a", "src/b"], "must specify at least one container source"],
        [[`${name}:/a`, `${name}:/b`], "copying between containers is not supported"],
        [["", `${name}:/tmp`], "source can not be empty"],
        [[`${name}:/etc/passwd`, ""], "destination can not be empty"],
      ];
      for (const [args, words] of says) {
        const result = await sandbox.sampan(["cp", ...args], { cwd: here });
        expect(result.exitCode).toBe(1);
  expect(result.stderr).toContain(words);
      }
      const intoFile = await run(["sh", "-c", `tar -C '${here}' -cf - src/a | '${sandboxCommand()}' cp - ${name}:/etc/passwd`], { env: sandbox.env });
      expect(intoFile.stderr).toContain(`destination "${name}:/etc/passwd" must be a directory`);
    });
  });
}

test("a full disk is told, and no half file stays", async () => {
  await sandbox.ok(["run", "-d", "--name", "small", "--tmpfs", "/small:size=1m", "--rootfs", join(here, "rootfs"), "sleep", "1000"]);
  writeFileSync(join(here, "large"), Buffer.alloc(4 << 20, "x"));
  chmodSync(join(here, "large"), 0o644);
  const result = await sandbox.sampan(["cp", join(here, "large"), "small:/small/"]);
  expect(result.exitCode).toBe(1);
  expect(result.stderr).toContain("no space left on device");
  expect(await sandbox.ok(["exec", "small", "ls", "/small"])).toBe("");
});

test("export gives the whole tree without what is mounted in it", async () => {
  const listed = await runOk(["sh", "-c", `'${sandboxCommand()}' export done | tar t`], { env: sandbox.env });
  expect(listed).toContain("made/file\n");
  expect(listed).toContain("bin/busybox\n");
  expect(listed).not.toMatch(/^(proc|sys|dev|data)\/./m);
});

function sandboxCommand(): string {
  return join(import.meta.dirname, "../../dist/sampan");
}

test("before its first start a container's volumes are where they will be, also where the image has no such directory", async () => {
  await sandbox.ok(["create", "--name", "unborn", "--network", "none", "-v", "fresh:/new/place", "--rootfs", join(here, "rootfs"), "cat", "/new/place/word"]);
  writeFileSync(join(here, "word"), "early\n", { mode: 0o644 });
  await sandbox.ok(["cp", join(here, "word"), "unborn:/new/place/"]);
  expect(await sandbox.ok(["start", "-a", "unborn"])).toBe("early");
  expect(await sandbox.ok(["run", "--rm", "--network", "none", "-v", "fresh:/v", "--rootfs", join(here, "rootfs"), "cat", "/v/word"])).toBe("early");
});

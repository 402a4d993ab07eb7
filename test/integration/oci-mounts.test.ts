/** Mounts of a bundle that depend on each other or on what the image has: order, copies, links into nothing, no mount namespace. Needs root. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ociBundle, type BundleConfig } from "../support/bundle.ts";
import { run, type CommandResult } from "../support/command.ts";
import { busyboxRootfs } from "../support/rootfs.ts";
import { createTempDir, SAMPAN_OCI } from "../support/sandbox.ts";

let temp: ReturnType<typeof createTempDir>;
let rootfs: string;
let serial = 0; // of containers within this file

type Mount = Record<string, unknown>;
const oci = (args: string[]): Promise<CommandResult> => run([SAMPAN_OCI, "--root", join(temp.path, "state"), ...args]);

async function sh(script: string, mounts: Mount[], change?: (config: BundleConfig) => void): Promise<CommandResult> {
  const id = `mounts-${++serial}`;
  const dir = await ociBundle(join(temp.path, id), {
    rootfs, args: ["/bin/sh", "-c", script], spec: "runc",
    change: (config) => {
      delete (config.process["capabilities"] as Record<string, unknown>)["ambient"]; // runc's default, which has them
      (config["mounts"] as Mount[]).push(...mounts); // runc's default
      change?.(config);
    },
  });
  return oci(["run", "-b", dir, id]);
}

function inUserNamespace(config: BundleConfig): void {
  (config.linux["namespaces"] as { type: string }[]).push({ type: "user" }); // runc's default
  config.linux["uidMappings"] = config.linux["gidMappings"] = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
}

beforeAll(async () => {
  temp = createTempDir("oci-mounts-");
  chmodSync(temp.path, 0o711);
  rootfs = await busyboxRootfs(join(temp.path, "rootfs"));
}, 60_000);
afterAll(() => { temp[Symbol.dispose](); });

test("tmpcopyup: a tmpfs begins with what the image has there, with owners, modes, links and times", async () => {
  const seed = join(rootfs, "seed");
  mkdirSync(join(seed, "deep/er"), { recursive: true });
  writeFileSync(join(seed, "deep/file"), "x".repeat(100_000));
  chmodSync(join(seed, "deep/file"), 0o4751);
  chownSync(join(seed, "deep/file"), 1000, 1001);
  chmodSync(join(seed, "deep/file"), 0o4751); // a change of owner has taken the set-user-ID bit away
  writeFileSync(join(seed, "empty"), "");
  symlinkSync("../nowhere", join(seed, "deep/link"));
  chmodSync(join(seed, "deep"), 0o710);
  utimesSync(join(seed, "deep"), 1_000_000_000, 1_000_000_000);
  const look = "cd /seed; stat -c '%n %a %u:%g %s' deep/file empty; readlink deep/link; stat -c '%a %Y' deep; ls deep/er; grep -c ' /seed tmpfs ' /proc/mounts; echo new > deep/new && cat deep/new";
  const plain = ["deep/file 4751 1000:1001 100000", "empty 644 0:0 0", "../nowhere", "710 1000000000", "1", "new", ""].join("\n");
  const mount = { destination: "/seed", type: "tmpfs", source: "tmpfs", options: ["nosuid", "tmpcopyup"] };
  const result = await sh(look, [mount]);
  expect(result.stdout, result.stderr).toBe(plain);
  expect(existsSync(join(seed, "deep/new"))).toBe(false);
  expect((await sh("cat /seed/empty", [{ ...mount, options: ["tmpcopyup", "ro"] }])).exitCode).toBe(0);
  // In a user namespace ids are as the container has them; owners that it does not have become its root.
  for (const path of ["seed", "seed/deep", "seed/empty"]) chownSync(join(rootfs, path), 100_000, 100_000);
  chownSync(join(seed, "deep/file"), 100_005, 100_006);
  const mapped = await sh("stat -c '%n %u:%g' /seed/deep /seed/deep/file", [mount], inUserNamespace);
  expect(mapped.stdout, mapped.stderr).toBe("/seed/deep 0:0\n/seed/deep/file 5:6\n");
  const refused = await sh("true", [{ destination: "/seed", type: "bind", source: "/tmp", options: ["bind", "tmpcopyup"] }]);
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain("tmpcopyup, which is for a tmpfs only");
}, 60_000);

test("device nodes in a user namespace: those that the host has not too, with the owner and mode that were asked for", async () => {
  const devices = [
    { path: "/dev/own/ram", type: "b", major: 1, minor: 5, uid: 10, gid: 11, fileMode: 0o157 },
    { path: "/dev/pipe", type: "p", fileMode: 0o640 },
    { path: "/dev/nul", type: "c", major: 1, minor: 3, fileMode: 0o666 },
  ];
  const script = "stat -c '%n %F %t:%T %u:%g %a' /dev/own/ram /dev/pipe /dev/nul /dev/null; echo x >/dev/nul && echo written; grep ' /dev/null ' /proc/self/mountinfo | cut -d' ' -f6";
  const result = await sh(script, [], (config) => {
    inUserNamespace(config);
    config.linux["devices"] = devices;
    config.linux.resources = { devices: [{ allow: true, access: "rwm" }] };
  });
  expect(result.stdout, result.stderr).toBe([
    "/dev/own/ram block special file 1:5 10:11 157", "/dev/pipe fifo 0:0 0:0 640", "/dev/nul character special file 1:3 0:0 666",
    "/dev/null character special file 1:3 0:0 666", "written", "rw,nosuid,noexec,relatime", "",
  ].join("\n"));
}, 60_000);

test("a bind mount's source may be what an earlier mount of the list has put into the root filesystem", async () => {
  const source = join(temp.path, "source");
  mkdirSync(join(source, "sub"), { recursive: true });
  writeFileSync(join(source, "sub/file"), "from the host\n");
  for (const place of ["first", "second", "third"]) mkdirSync(join(rootfs, place), { recursive: true });
  const mounts: Mount[] = [
    { destination: "/first", type: "bind", source, options: ["bind"] },
    { destination: "/second", type: "bind", source: join(rootfs, "first/sub"), options: ["bind", "ro"] },
    // Also the destination may be told as it is on the host.
    { destination: join(rootfs, "third"), type: "bind", source: join(rootfs, "first"), options: ["rbind"] },
    { destination: "/fourth", type: "bind", source: join(rootfs, "first/sub/file"), options: ["bind"] },
  ];
  for (const change of [undefined, inUserNamespace]) {
    const result = await sh("cat /second/file /third/sub/file /fourth; touch /second/no", mounts, change);
    expect(result.stdout, result.stderr).toBe("from the host\n".repeat(3));
    expect(result.stderr).toContain("Read-only file system");
  }
  for (const place of ["first", "second", "third", "fourth"]) rmSync(join(rootfs, place), { recursive: true });
  const missing = await sh("true", [{ destination: "/first", type: "bind", source: join(rootfs, "first/sub"), options: ["bind"] }]);
  expect(missing.stderr).toContain("no such file or directory");
}, 60_000);

test("a destination that is a link into nothing: what is missing is made where it leads, inside the root", async () => {
  const file = join(temp.path, "hosts");
  writeFileSync(file, "127.0.0.1 here\n");
  symlinkSync("/tmp/far/away", join(rootfs, "jump"));
  symlinkSync("/jump/hosts", join(rootfs, "etc/linked"));
  const result = await sh("cat /tmp/far/away/hosts; grep -c ' /tmp/far/away/hosts ' /proc/mounts", [{ destination: "/etc/linked", type: "bind", source: file, options: ["bind"] }]);
  expect(result.stdout, result.stderr).toBe("127.0.0.1 here\n1\n");
  rmSync(join(rootfs, "etc/linked"));
  symlinkSync("../../../../tmp/dir", join(rootfs, "etc/linked"));
  const directory = await sh("ls /tmp/dir", [{ destination: "/etc/linked", type: "bind", source: join(rootfs, "home"), options: ["bind"] }]);
  expect(directory.stdout, directory.stderr).toBe("app\n");
  expect(existsSync("/tmp/dir")).toBe(false);
}, 60_000);

test("a tmpfs has the mode of the directory that it covers, as its option, too", async () => {
  mkdirSync(join(rootfs, "secret"));
  chmodSync(join(rootfs, "secret"), 0o710);
  const result = await sh("stat -c %a /secret; grep ' /secret ' /proc/mounts", [{ destination: "/secret", type: "tmpfs", source: "tmpfs" }]);
  expect(result.stdout).toMatch(/^710\n.*mode=710/);
});

test("without a mount namespace the container has the host's, and takes its mounts along at its end", async () => {
  const table = (): number => readFileSync("/proc/self/mountinfo", "utf8").split("\n").filter((line) => line.includes(temp.path)).length;
  const before = table();
  const shared = (config: BundleConfig): void => {
    config.linux["namespaces"] = (config.linux["namespaces"] as { type: string }[]).filter(({ type }) => type !== "mount"); // runc's default
    config.linux["maskedPaths"] = config.linux["readonlyPaths"] = [];
  };
  const result = await sh(`readlink /proc/self/ns/mnt; ls /bin/busybox; cd ..; ls -d ${temp.path}`, [], shared);
  const own = (await run(["readlink", "/proc/self/ns/mnt"])).stdout;
  expect(result.stdout, result.stderr).toBe(`${own}/bin/busybox\n`);
  expect(table()).toBe(before);
  const failed = await sh("true", [{ destination: "/mnt", type: "nosuchfs", source: "x" }], shared);
  expect(failed.exitCode).toBe(1);
  expect(table()).toBe(before);
  const masked = await sh("true", [], (config) => { shared(config); config.linux["maskedPaths"] = ["/proc/kcore"]; });
  expect(masked.stderr).toContain("need a mount namespace");
}, 60_000);

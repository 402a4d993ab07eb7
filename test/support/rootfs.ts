/** Root filesystems made from what Debian ships; none is checked in, none is downloaded from a registry. */
import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { run, runOk } from "./command.ts";

/** Outlives a run: what is in it is named by the hash of what it was made from, so that it is never stale. */
export const CACHE = process.env["SAMPAN_TEST_CACHE"] ?? "/var/cache/sampan-tests";

export function cacheKey(...parts: (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 16);
}

/** `make` fills a directory of its own, which appears under the key only when complete. */
export async function cached(name: string, key: string, make: (directory: string) => Promise<void>): Promise<string> {
  const path = join(CACHE, `${name}-${key}`);
  if (existsSync(path)) return path;
  const partial = `${path}.${process.pid}.partial`;
  mkdirSync(partial, { recursive: true });
  await make(partial);
  try {
    renameSync(partial, path);
  } catch (error) {
    // Another test file made the same at the same time and was first: theirs is as good.
    if (!existsSync(path)) throw error;
    await runOk(["rm", "-rf", "--one-file-system", partial]);
  }
  return path;
}

const FOLDERS = ["bin", "etc", "proc", "sys", "dev", "tmp", "root", "run", "var", "home", "mnt", "lib", "usr/bin", "usr/sbin", "sbin"];

/** Users that tests ask for by name: root, daemon (1), app (1000, also in group 2000 "extra"), nobody. */
const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
app:x:1000:1000:app:/home/app:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
`;
const GROUP = `root:x:0:
daemon:x:1:
wheel:x:10:root,app
app:x:1000:
extra:x:2000:app
nogroup:x:65534:
`;

/** Fills `dir` with a root filesystem of about 2 MB: busybox, its applets as links, passwd and group. */
export async function busyboxRootfs(dir: string): Promise<string> {
  for (const folder of FOLDERS) mkdirSync(join(dir, folder), { recursive: true });
  chmodSync(join(dir, "tmp"), 0o1777);
  mkdirSync(join(dir, "home/app"), { recursive: true });
  await runOk(["chown", "1000:1000", join(dir, "home/app")]);
  cpSync("/bin/busybox", join(dir, "bin/busybox"), { dereference: true });
  for (const applet of (await runOk(["/bin/busybox", "--list"])).split("\n")) {
    if (applet !== "" && applet !== "busybox") symlinkSync("busybox", join(dir, "bin", applet));
  }
  writeFileSync(join(dir, "etc/passwd"), PASSWD);
  writeFileSync(join(dir, "etc/group"), GROUP);
  return dir;
}

/** Packs a directory as `import` wants it: numeric owners, extended attributes, a fixed order. */
export async function packRootfs(dir: string, tarPath: string): Promise<string> {
  await runOk(["tar", "--numeric-owner", "--xattrs", "--sort=name", "-C", dir, "-cf", tarPath, "."], { timeoutMs: 120_000 });
  return tarPath;
}

/**
 * A minimal Debian as a directory (about 100 MB; half a minute when not cached). Read-only for tests: give it to an
 * overlay, or copy it. `packages` adds to variant "essential" (dpkg and coreutils, no apt).
 */
export async function debianRootfs(packages: string[] = []): Promise<string> {
  const suite = (await runOk(["sh", "-c", '. /etc/os-release; echo "$VERSION_CODENAME"'])).trim();
  return cached(`debian-${suite}`, cacheKey(suite, ...packages.toSorted()), async (dir) => {
    const include = packages.length === 0 ? [] : [`--include=${packages.join(",")}`];
    const result = await run(
      ["mmdebstrap", "--mode=root", "--variant=essential", "--quiet", "--format=directory", ...include, suite, dir],
      { timeoutMs: 600_000 },
    );
    if (result.exitCode !== 0) throw new Error(`Cannot make a Debian root filesystem: ${result.stderr.trimEnd()}`);
  });
}

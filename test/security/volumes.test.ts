/** Volumes whose content or names are hostile, and data that must survive whatever goes wrong. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, createTempDir, run, SAMPAN, waitFor, type CommandResult, type Sandbox } from "../support/index.ts";

const temp = createTempDir("volumes-hostile-");
const secret = join(temp.path, "secret");
let rootfs = "";
let box: Sandbox;

beforeAll(async () => {
  rootfs = await busyboxRootfs(join(temp.path, "rootfs"));
  mkdirSync(join(secret, "inner"), { recursive: true });
  writeFileSync(join(secret, "inner/key"), "the host's\n");
  box = createSandbox();
}, 60_000);

afterAll(async () => {
  await box[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

const sh = (options: string[], script: string): Promise<CommandResult> => box.sampan(["run", "--rm", "--network", "none", ...options, "--rootfs", rootfs, "sh", "-c", script]);
const dataOf = (name: string): string => join(box.root, "volumes", name, "_data");
const untouched = (): void => { expect(readdirSync(secret, { recursive: true }).sort()).toEqual(["inner", "inner/key"]); };

test("a sub-path whose links lead out of the volume is refused, wherever on it they are", async () => {
  await sh(["-v", "links:/v"], `mkdir /v/d; ln -s ${secret} /v/absolute; ln -s ../../../../../../../../../..${secret} /v/up; ln -s ${secret} /v/d/deep; ln -s /proc/self/root${secret} /v/magic; ln -s /proc/1/cwd /v/proc`);
  for (const subpath of ["absolute", "up", "d/deep", "d/deep/inner", "magic", "proc", "absolute/inner/key"]) {
    const result = await sh(["--mount", `type=volume,source=links,target=/s,volume-subpath=${subpath}`], "cat /s/inner/key /s/key /s; touch /s/written");
    expect([subpath, result.exitCode, result.stdout]).toEqual([subpath, 125, ""]);
    expect(result.stderr).toMatch(/^sampan: Cannot mount "\/s" in container "\w+": open "[^"]*" without leaving /);
  }
  for (const subpath of ["..", "../links", "d/../..", "/etc"])
    expect((await sh(["--mount", `type=volume,source=links,target=/s,volume-subpath=${subpath}`], "true")).exitCode).toBe(125);
  untouched();
});

test("a sub-path that is swapped for a link to the host while containers start never shows the host (CVE-2021-30465)", async () => {
  await sh(["-v", "race:/v"], "mkdir -p /v/d/inner");
  await box.ok(["run", "-d", "--network", "none", "--name", "swapper", "-v", "race:/v", "--rootfs", rootfs, "sh", "-c", `cd /v; while :; do mv d e; ln -s ${secret} d; rm d; mv e d; done`]);
  let shown = 0;
  for (let i = 0; i < 40; i++) {
    const { stdout, exitCode } = await sh(["--mount", "type=volume,source=race,target=/s,volume-subpath=d"], "ls /s/inner; touch /s/inner/written");
    expect(stdout).not.toContain("key");
    if (exitCode === 0) shown++;
  }
  await box.ok(["rm", "-f", "swapper"]);
  untouched();
  // It was there often enough to be found: the test saw more than refusals.
  expect(shown).toBeGreaterThan(0);
}, 60_000);

test("an image whose directory is a link to the host's fills a volume from inside the image alone", async () => {
  symlinkSync(secret, join(rootfs, "to-host"));
  symlinkSync("/../../../../../etc", join(rootfs, "to-etc"));
  mkdirSync(join(rootfs, "trap"));
  symlinkSync(`${secret}/inner`, join(rootfs, "trap/inner"));
  symlinkSync("/etc/shadow", join(rootfs, "trap/shadow"));
  await sh(["-v", "f1:/to-host"], "true");
  expect(existsSync(dataOf("f1")) ? readdirSync(dataOf("f1")) : []).toEqual([]);
  // Inside the image, /etc is its own; there what the engine mounts over it finds its places.
  await sh(["-v", "f2:/to-etc"], "true");
  expect(readdirSync(dataOf("f2")).sort()).toEqual([...readdirSync(join(rootfs, "etc")), "hostname", "hosts", "resolv.conf"].sort());
  expect(readFileSync(join(dataOf("f2"), "passwd"), "utf8")).toBe(readFileSync(join(rootfs, "etc/passwd"), "utf8"));
  // Links are copied as links.
  const { stdout } = await sh(["-v", "f3:/trap"], "readlink /trap/inner; readlink /trap/shadow; cat /trap/inner/key");
  expect(stdout).toBe(`${secret}/inner\n/etc/shadow\n`);
  untouched();
});

test("names that are paths are refused by every door", async () => {
  writeFileSync(join(box.root, "volumes/outside"), "");
  for (const name of ["..", "../volumes", "a/../..", "../../etc", ".", ".trash"]) {
    expect((await box.sampan(["volume", "rm", "--", name])).exitCode).toBe(1);
    expect((await box.sampan(["volume", "create", "--", name])).exitCode).toBe(1);
    expect((await box.sampan(["volume", "inspect", "--", name])).exitCode).toBe(1);
    if (!name.startsWith(".")) expect((await sh(["-v", `${name}:/v`], "true")).exitCode).toBe(125);
    expect((await sh(["--mount", `type=volume,source=${name},target=/v`], "true")).exitCode).toBe(125);
  }
  expect(existsSync(join(box.root, "state.db"))).toBe(true);
});

test("a removal stops at what somebody has mounted in a volume or in a container's directory", async () => {
  await sh(["-v", "mounted:/v"], "mkdir /v/disk; touch /v/own");
  const id = await box.ok(["create", "--network", "none", "--name", "stopped", "--rootfs", rootfs, "true"]);
  const upper = join(box.root, "containers", id, "upper");
  // In a mount namespace of its own, so that the machine's mounts stay as they are.
  const script = `
    mount --bind ${secret} ${dataOf("mounted")}/disk || exit 9
    mkdir ${upper}/mnt && mount --bind ${secret} ${upper}/mnt || exit 9
    ${SAMPAN} volume rm mounted; echo "volume rm $?"
    ${SAMPAN} volume prune -af; echo "volume prune $?"
    ${SAMPAN} rm stopped; echo "rm $?"
    ${SAMPAN} system prune -af --volumes; echo "system prune $?"
    ls ${dataOf("mounted")}/disk/inner ${upper}/mnt/inner`;
  const { stdout, stderr } = await run(["unshare", "--mount", "sh", "-c", script], { env: box.env, timeoutMs: 30_000 });
  expect(stderr).toContain(`Cannot remove volume "mounted": something is mounted at "${dataOf("mounted")}/disk"`);
  expect(stderr).toContain(`Cannot remove container "stopped": something is mounted at "${upper}/mnt"`);
  expect(stdout).toContain("volume rm 1\n");
  expect(stdout).toContain("rm 1\n");
  expect(stdout.match(/^key$/gm)).toHaveLength(2);
  untouched();
  expect(readdirSync(dataOf("mounted")).sort()).toEqual(["disk", "own"]);
  // Nothing is in the way any more.
  await box.ok(["rm", "stopped"]);
  await box.ok(["volume", "rm", "mounted"]);
  untouched();
});

test("data of binds and volumes survives rm, rm -f, --rm, kill -9 of the monitor, and prune", async () => {
  const data = join(temp.path, "precious");
  mkdirSync(data);
  writeFileSync(join(data, "f"), "precious\n");
  const mounts = ["-v", `${data}:/b`, "-v", "precious:/v"];
  await sh(mounts, "echo precious > /v/f");
  const survives = (): void => {
    expect(readFileSync(join(data, "f"), "utf8")).toBe("precious\n");
    expect(readFileSync(join(dataOf("precious"), "f"), "utf8")).toBe("precious\n");
  };
  survives();
  const start = (...options: string[]): Promise<string> => box.ok(["run", "-d", "--network", "none", ...mounts, ...options, "--rootfs", rootfs, "sleep", "1000"]);
  await box.ok(["rm", "-fv", await start()]);
  survives();
  for (const options of [["--rm"], []]) {
    const id = await start(...options);
    const monitor = Number.parseInt(readFileSync(join(box.state, "containers", id, "monitor"), "utf8"), 10);
    process.kill(monitor, "SIGKILL");
    await waitFor("the container to be gone", async () => !(await box.ok(["ps", "-q", "--no-trunc"])).includes(id));
    survives();
    await box.ok(["container", "prune", "-f"]);
    survives();
  }
  await box.ok(["volume", "prune", "-f"]);
  survives();
}, 60_000);

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxRootfs, createSandbox, run, runOk } from "../support/index.ts";
import type { Sandbox } from "../support/index.ts";

/** PITFALLS, attack 9: a container that wants cp to write or read outside of it. */
let sandbox: Sandbox;
let outside = "";
let rootfs = "";

beforeAll(async () => {
  sandbox = createSandbox();
  rootfs = await busyboxRootfs(join(sandbox.dir, "rootfs"));
  outside = join(sandbox.dir, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "secret"), "of the host\n");
  writeFileSync(join(sandbox.dir, "payload"), "payload\n");
  await sandbox.ok(["run", "-d", "--name", "evil", "--rootfs", rootfs, "sleep", "1000"]);
});
afterAll(async () => { await sandbox[Symbol.asyncDispose](); });

const untouched = (): void => {
  expect(readdirSync(outside)).toEqual(["secret"]);
  expect(readFileSync(join(outside, "secret"), "utf8")).toBe("of the host\n");
};

test("links to the host's paths, absolute or by .. or by /proc, stay inside, both ways", async () => {
  await sandbox.ok(["exec", "evil", "sh", "-c", `ln -s ${outside} /abs; ln -s ../../../../../..${outside} /rel; ln -s /proc/1/root/..${outside} /magic; mkdir -p /d; ln -s ${outside}/secret /d/leak`]);
  for (const link of ["abs", "rel", "magic"]) {
    await sandbox.sampan(["cp", join(sandbox.dir, "payload"), `evil:/${link}/secret`]);
    const out = await sandbox.sampan(["cp", `evil:/${link}/secret`, join(sandbox.dir, `stolen-${link}`)]);
    expect(out.exitCode).toBe(1);
    expect(existsSync(join(sandbox.dir, `stolen-${link}`))).toBe(false);
  }
  await sandbox.ok(["cp", "evil:/d", join(sandbox.dir, "d")]);
  expect((await sandbox.sampan(["cp", "-L", "evil:/d/leak", join(sandbox.dir, "leak")])).exitCode).toBe(1);
  untouched();
});

test("CVE-2018-15664: a directory that becomes a link while it is copied leads nowhere", async () => {
  await sandbox.ok(["exec", "evil", "mkdir", "-p", outside]); // inside, a directory of the same path
  await sandbox.ok(["exec", "-d", "evil", "sh", "-c", `while :; do mkdir /swap; echo inside > /swap/secret; mv /swap /swap.old; ln -s ${outside} /swap; rm /swap; rm -r /swap.old; done 2>/dev/null`]);
  for (let i = 0; i < 25; i++) {
    await sandbox.sampan(["cp", join(sandbox.dir, "payload"), "evil:/swap/pwned"]);
    const { stdout } = await run(["sh", "-c", `'${join(import.meta.dirname, "../../dist/sampan")}' cp evil:/swap/. - 2>/dev/null | tar xO 2>/dev/null`], { env: sandbox.env });
    expect(stdout).not.toContain("of the host");
  }
  untouched();
}, 60_000);

test("on this side a link of the container's is made, never written through", async () => {
  const target = join(sandbox.dir, "target");
  mkdirSync(target);
  await sandbox.ok(["exec", "evil", "sh", "-c", `mkdir -p /tree/x; ln -s ${outside} /tree/link; echo evil > /tree/x/secret`]);
  await sandbox.ok(["cp", "evil:/tree/.", target]);
  symlinkSync(outside, join(target, "y"));
  await sandbox.ok(["exec", "evil", "sh", "-c", "mv /tree/x /tree/y; rm /tree/link"]);
  const result = await sandbox.sampan(["cp", "evil:/tree/.", target]);
  expect(result.exitCode).toBe(1);
  untouched();
});

test("an archive that leads out of its target is refused", async () => {
  await runOk(["sh", "-ec", `cd '${sandbox.dir}'; mkdir -p pack; echo bad > pack/x; tar -C pack -cPf up.tar --transform 's,^,../../../,' x; tar -C pack -cf link.tar --transform 's,^x$,${outside}/x,' -P x`]);
  for (const archive of ["up.tar", "link.tar"])
    await run(["sh", "-c", `'${join(import.meta.dirname, "../../dist/sampan")}' cp - evil:/tmp < ${join(sandbox.dir, archive)}`], { env: sandbox.env });
  untouched();
  expect(existsSync(join(sandbox.dir, "../x"))).toBe(false);
});

test("CVE-2019-14271: nothing of the container is executed, and a read-only root is not written to", async () => {
  await sandbox.ok(["run", "-d", "--name", "marker", "--rootfs", rootfs, "sh", "-c", "cp /bin/busybox /sleep; for f in /bin/*; do rm $f; printf '#!/sleep sh\\n/sleep touch /executed\\n' > $f; done 2>/dev/null; exec /sleep sleep 1000"]);
  await sandbox.sampan(["cp", join(sandbox.dir, "payload"), "marker:/root/"]);
  await sandbox.sampan(["cp", "marker:/etc", join(sandbox.dir, "etc")]);
  expect((await sandbox.sampan(["cp", "marker:/executed", join(sandbox.dir, "executed")])).exitCode).toBe(1);
  await sandbox.ok(["run", "-d", "--name", "fixed", "--read-only", "--rootfs", rootfs, "sleep", "1000"]);
  expect((await sandbox.sampan(["cp", join(sandbox.dir, "payload"), "fixed:/root/"])).stderr).toContain("container rootfs is marked read-only");
});

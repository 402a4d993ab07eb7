/** Images for tests, made by tools that no one here wrote. */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { runOk } from "./command.ts";
import { busyboxRootfs } from "./rootfs.ts";

/** A tree with one of everything that a layer can hold; shell, to be run where the tree is to be. */
export const TREE_OF_EVERYTHING = `
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

/** Changes that umoci sees by comparing trees: removed, changed, of another type, removed and made again. */
export const WHITEOUT_STEPS = [
  TREE_OF_EVERYTHING,
  `rm -r usr/lib/big sparse deep; echo new > etc/new; rm lib; mkdir lib; echo x > lib/x; rm -r etc; mkdir etc; echo again > etc/again; rm fifo; ln -s usr fifo; chmod 700 var/tmp; ln usr/bin/su etc/su`,
  `rm -r usr/bin; echo usr > usr/bin; mkdir -p a/b/c; touch a/b/c/d; setfattr -n user.k -v v a`,
];

/** An OCI layout DIR/oci, tag "t", of one layer per step, made by umoci. */
export async function umociImage(dir: string, steps: readonly string[]): Promise<string> {
  mkdirSync(dir, { recursive: true });
  const layout = join(dir, "oci");
  await runOk(["umoci", "init", "--layout", layout]);
  await runOk(["umoci", "new", "--image", `${layout}:t`]);
  for (const [index, step] of steps.entries()) {
    const bundle = join(dir, `step${index}`);
    await runOk(["umoci", "unpack", "--image", `${layout}:t`, bundle], { timeoutMs: 60_000 });
    await runOk(["bash", "-ec", step], { cwd: join(bundle, "rootfs"), timeoutMs: 60_000 });
    await runOk(["umoci", "repack", "--image", `${layout}:t`, bundle], { timeoutMs: 60_000 });
    await runOk(["rm", "-rf", bundle]);
  }
  return layout;
}

/** busybox as an image that can be run, tag "t". */
export async function umociBusybox(dir: string, steps: readonly string[] = []): Promise<string> {
  const rootfs = await busyboxRootfs(join(dir, "rootfs"));
  const layout = await umociImage(dir, [`cp -a ${rootfs}/. .`, ...steps]);
  await runOk(["umoci", "config", "--image", `${layout}:t`, "--config.cmd", "/bin/sh", "--config.env", "MADE_BY=umoci"]);
  return layout;
}

/** Between local layouts and registries on loopback. */
export async function skopeoCopy(from: string, to: string, ...options: string[]): Promise<void> {
  await runOk(["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", ...options, from, to], { timeoutMs: 120_000 });
}

/** Names in a directory, none if it is not there. */
export function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

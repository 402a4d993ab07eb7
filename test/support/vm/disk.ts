/** What a virtual machine starts from: an initramfs with modules, and a disk with busybox, our executables and their libraries. */
import { chmodSync, copyFileSync, linkSync, mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { runOk } from "../command.ts";
import { buildProbe, installProbe } from "../guest.ts";
import { busyboxRootfs } from "../rootfs.ts";
import { SAMPAN } from "../sandbox.ts";
import { copyModules, type Kernel } from "./kernel.ts";

const GUEST = join(import.meta.dirname, "../../guest/vm");

/** The devices of the machine, then what containers and their networks need. */
const MODULES = [
  "virtio_pci", "virtio_blk", "virtio_console", "bfq", "overlay", "veth", "bridge", "dummy",
  "nf_tables", "nft_ct", "nft_nat", "nft_chain_nat", "nft_masq", "nft_redir", "nft_reject_inet", "nft_fib_inet", "nft_limit",
];

/** Programs of this machine that go along with the libraries they need. */
const PROGRAMS = ["/usr/sbin/nft", "/bin/ip", "/bin/ps", "/usr/bin/unshare"];

const DISK_BYTES = 1 << 30;

export async function buildInitramfs(kernel: Kernel, path: string): Promise<void> {
  const tree = `${path}.d`;
  for (const folder of ["bin", "modules", "dev", "root"]) mkdirSync(join(tree, folder), { recursive: true });
  installScript("initramfs.sh", join(tree, "init"));
  copyFileSync("/bin/busybox", join(tree, "bin/busybox"));
  const order = await copyModules(kernel, MODULES, join(tree, "modules"));
  writeFileSync(join(tree, "modules/order"), `${order.join("\n")}\n`);
  await runOk(["sh", "-c", 'cd "$0" && find . | busybox cpio -o -H newc >"$1"', tree, path]);
  rmSync(tree, { recursive: true });
}

function installScript(name: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  copyFileSync(join(GUEST, name), path);
  chmodSync(path, 0o755);
}

/** An ext4 image with a journal, as a person's disk has: what was not yet written is lost with the power, and no more. */
export async function buildDisk(path: string): Promise<void> {
  const tree = `${path}.d`;
  mkdirSync(tree);
  await busyboxRootfs(tree);
  for (const program of PROGRAMS) await installProgram(program, tree);
  await installProgram(SAMPAN, tree, "/usr/bin/sampan");
  linkSync(join(tree, "usr/bin/sampan"), join(tree, "usr/bin/sampan-oci"));
  copyFileSync(await buildProbe(), join(tree, "usr/bin/probe"));
  // What containers are made of: the same in a directory of its own.
  await installProbe(await busyboxRootfs(join(tree, "srv/rootfs")));
  installScript("rc.sh", join(tree, "etc/rc"));
  installScript("agent.sh", join(tree, "usr/sbin/agent"));
  writeFileSync(join(tree, "etc/inittab"), "::sysinit:/etc/rc\n::once:/usr/sbin/agent\n");
  await runOk(["sh", "-c", 'mke2fs -q -t ext4 -E lazy_itable_init=1,lazy_journal_init=1 -d "$0" "$1" "$2k"', tree, path, String(DISK_BYTES / 1024)], { timeoutMs: 120_000 });
  rmSync(tree, { recursive: true });
}

export function buildEmptyDisk(path: string, bytes: number): void {
  writeFileSync(path, "");
  truncateSync(path, bytes);
}

async function installProgram(program: string, tree: string, place = program): Promise<void> {
  const libraries = (await runOk(["ldd", program])).match(/\/\S+/g) ?? [];
  for (const [from, to] of [[program, place], ...libraries.map((library) => [library, library] as const)] as const) {
    const target = join(tree, to);
    mkdirSync(dirname(target), { recursive: true });
    // A link to busybox may be in the way; what it points at must not be written.
    rmSync(target, { force: true });
    copyFileSync(from, target);
  }
}

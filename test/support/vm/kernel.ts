/** Debian's kernel for virtual machines, unpacked and not installed: what this machine boots stays what it is. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { run, runOk } from "../command.ts";
import { cached, cacheKey } from "../rootfs.ts";

/** Depends on the newest build, whose name changes with each. */
const PACKAGE = "linux-image-cloud-amd64";

export interface Kernel {
  /** The bzImage. */
  image: string;
  /** Every module of it by name, with "_" for "-" as the kernel has it: its file. */
  modules: ReadonlyMap<string, string>;
}

async function currentBuild(): Promise<string | undefined> {
  const { stdout } = await run(["apt-cache", "depends", "--important", PACKAGE]);
  return /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
}

/** About 30 MB from the distribution, once per build of the kernel. */
export async function debianKernel(): Promise<Kernel> {
  const update = (): Promise<string> => runOk(["apt-get", "update", "-q"], { timeoutMs: 300_000 });
  let build = await currentBuild();
  if (build === undefined) {
    await update();
    build = await currentBuild();
    if (build === undefined) throw new Error(`Cannot find a kernel for a virtual machine: this distribution has no package "${PACKAGE}".`);
  }
  const name = build;
  const directory = await cached("kernel", cacheKey(name), async (dir) => {
    const download = ["apt-get", "download", "-q", name];
    // A list of packages that is too old names files that are gone.
    if ((await run(download, { cwd: dir, timeoutMs: 300_000 })).exitCode !== 0) {
      await update();
      await runOk(download, { cwd: dir, timeoutMs: 300_000 });
    }
    await runOk(["sh", "-c", "dpkg-deb -x ./*.deb . && rm ./*.deb"], { cwd: dir, timeoutMs: 120_000 });
  });
  const [image] = readdirSync(join(directory, "boot")).filter((file) => file.startsWith("vmlinuz-"));
  if (image === undefined) throw new Error(`The package "${name}" has no kernel.`);
  const usr = readdirSync(directory).includes("lib") ? "lib" : "usr/lib";
  const modules = readdirSync(join(directory, usr, "modules"), { recursive: true, encoding: "utf8" }).filter((path) => /\.ko(\.xz)?$/.test(path));
  return {
    image: join(directory, "boot", image),
    modules: new Map(modules.map((path) => [moduleName(path), join(directory, usr, "modules", path)])),
  };
}

function moduleName(path: string): string {
  return basename(path).replace(/\.ko(\.xz)?$/, "").replaceAll("-", "_");
}

/**
 * The modules and what they depend on, each after all that it needs, as files named NAME.ko in `dir`.
 * One that the kernel has built in is not among its modules, and not in the answer.
 */
export async function copyModules(kernel: Kernel, wanted: readonly string[], dir: string): Promise<string[]> {
  const order: string[] = [];
  const visit = async (name: string): Promise<void> => {
    const path = kernel.modules.get(name);
    const file = `${name}.ko`;
    if (path === undefined || order.includes(file)) return;
    await runOk(["sh", "-c", path.endsWith(".xz") ? 'exec xz -dc "$0" >"$1"' : 'exec cp "$0" "$1"', path, join(dir, file)]);
    // Section .modinfo holds "key=value" strings, each ended by a zero byte (include/linux/module.h, MODULE_INFO).
    const depends = /\0depends=([^\0]*)\0/.exec(readFileSync(join(dir, file), "latin1"))?.[1] ?? "";
    for (const other of depends.split(",").filter((word) => word !== "")) await visit(other.replaceAll("-", "_"));
    order.push(file);
  };
  for (const name of wanted) await visit(name);
  return order;
}

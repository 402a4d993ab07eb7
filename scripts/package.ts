/**
 * `npm run package [-- --arch x64,arm64] [--output DIR]`: everything that is handed out, into build/package:
 *
 *   sampan-VERSION.tgz               the npm package: the library, and launchers
 *   sampan-linux-ARCH-VERSION.tgz    its optional package for one architecture: the executable and keel
 *   sampan-VERSION-linux-ARCH.tar.gz the distribution: executables, man pages, shell completion, install.sh
 *
 * Another architecture than this machine's needs its cross compiler (Debian: gcc-aarch64-linux-gnu, gcc-x86-64-linux-gnu), and Bun fetches its own runtime for
 * it. The archives of the same sources are the same bytes.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { commandTable } from "../src/cli/commands/table.ts";
import { bashCompletion, completionModel, fishCompletion, zshCompletion } from "../src/cli/completion/index.ts";
import { version } from "../src/cli/version.ts";
import { manPages, writeManPages } from "./man-pages.ts";

const root = join(import.meta.dirname, "..");
const MACHINES = { x64: "x86_64", arm64: "aarch64" } as const;
type Arch = keyof typeof MACHINES;

function archOf(text: string): Arch {
  if (text === "x64" || text === "arm64") return text;
  throw new Error(`Cannot package for "${text}": it is none of ${Object.keys(MACHINES).join(", ")}`);
}

/** Builds into a directory of its own, so that what is in dist/ stays as it is. */
function build(arch: Arch, dist: string): void {
  const cross = arch === process.arch ? {} : { SAMPAN_ARCH: arch, CC: process.env["CC"] ?? `${MACHINES[arch]}-linux-gnu-gcc` };
  execFileSync(process.execPath, [join(root, "scripts/build.ts")], { cwd: root, env: { ...process.env, ...cross, SAMPAN_DIST: dist }, stdio: ["ignore", "inherit", "inherit"] });
}

function npmPack(directory: string, output: string): void {
  execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", output], { cwd: directory, stdio: ["ignore", "ignore", "inherit"] });
}

/** The library and the launchers: of every architecture. */
function packLibrary(dist: string, stage: string, output: string): void {
  mkdirSync(stage, { recursive: true });
  const manifest: unknown = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  if (typeof manifest !== "object" || manifest === null) throw new Error("package.json is no object");
  const { workspaces: _workspaces, devDependencies: _devDependencies, scripts: _scripts, ...published } = manifest as Record<string, unknown>; // an object, as was seen
  writeFileSync(join(stage, "package.json"), `${JSON.stringify(published, null, 2)}\n`);
  cpSync(join(dist, "lib"), join(stage, "dist/lib"), { recursive: true });
  cpSync(join(root, "packaging/npm"), join(stage, "packaging/npm"), { recursive: true });
  for (const file of ["LICENSE", "README.md"]) if (existsSync(join(root, file))) copyFileSync(join(root, file), join(stage, file));
  npmPack(stage, output);
}

function packBinaries(arch: Arch, dist: string, stage: string, output: string): void {
  mkdirSync(stage, { recursive: true });
  const manifest: unknown = JSON.parse(readFileSync(join(root, `packaging/linux-${arch}/package.json`), "utf8"));
  // Said only here: npm refuses to set up a checkout that has a workspace for another machine.
  writeFileSync(join(stage, "package.json"), `${JSON.stringify({ ...(manifest as object), os: ["linux"], cpu: [arch], libc: ["glibc"] }, null, 2)}\n`); // parsed from an object
  for (const file of ["sampan", "keel"]) {
    copyFileSync(join(dist, file), join(stage, file));
    chmodSync(join(stage, file), 0o755);
  }
  copyFileSync(join(root, "LICENSE"), join(stage, "LICENSE"));
  npmPack(stage, output);
}

async function packDistribution(arch: Arch, dist: string, stage: string, output: string): Promise<void> {
  const name = `sampan-${version}-linux-${arch}`;
  const top = join(stage, name);
  const files = join(top, "files");
  const put = (path: string, text: string): void => {
    mkdirSync(join(files, path, ".."), { recursive: true });
    writeFileSync(join(files, path), text);
  };
  mkdirSync(join(files, "bin"), { recursive: true });
  copyFileSync(join(dist, "sampan"), join(files, "bin/sampan"));
  symlinkSync("sampan", join(files, "bin/sampan-oci"));
  writeManPages(join(files, "share/man/man1"), await manPages());
  const model = await completionModel(commandTable());
  put("share/bash-completion/completions/sampan", bashCompletion(model));
  put("share/zsh/site-functions/_sampan", zshCompletion(model));
  put("share/fish/vendor_completions.d/sampan.fish", fishCompletion(model));
  put("share/doc/sampan/LICENSE", readFileSync(join(root, "LICENSE"), "utf8"));
  copyFileSync(join(root, "packaging/install.sh"), join(top, "install.sh"));
  writeFileSync(join(top, "machine"), `${MACHINES[arch]}\n`);
  const archive = join(output, `${name}.tar`);
  execFileSync("tar", ["--create", "--file", archive, "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--mode=u+rwX,go+rX,go-w", "--directory", stage, name]);
  execFileSync("gzip", ["--no-name", "--force", archive]);
}

const { values } = parseArgs({ options: { arch: { type: "string", default: process.arch }, output: { type: "string", default: join(root, "build/package") } } });
const archs = values.arch.split(",").map(archOf);
const output = resolve(values.output);
const stage = join(output, "stage");
rmSync(stage, { recursive: true, force: true });
mkdirSync(stage, { recursive: true });
for (const [n, arch] of archs.entries()) {
  const dist = join(stage, `dist-${arch}`);
  build(arch, dist);
  if (n === 0) packLibrary(dist, join(stage, "library"), output);
  packBinaries(arch, dist, join(stage, `binaries-${arch}`), output);
  await packDistribution(arch, dist, join(stage, `distribution-${arch}`), output);
}
rmSync(stage, { recursive: true, force: true });
// npm names a package of a scope "SCOPE-NAME".
for (const arch of archs) {
  const file = join(output, `sampan-linux-${arch}-${version}.tgz`);
  if (!existsSync(file)) throw new Error(`npm did not write ${file}`);
}
console.log(`Packaged for ${archs.join(" and ")} into ${output}`);

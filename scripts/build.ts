/**
 * Builds everything into dist/: keel, the executable with keel inside it, and the library with its types. As npm's
 * `prepare` it runs after `npm ci`, and puts `sampan` where npx looks. SAMPAN_DIST names another directory, SAMPAN_ARCH another
 * architecture ("arm64"), for which CC must then be a compiler.
 */
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildKeel } from "./build-keel.ts";
import { buildLibrary } from "./build-library.ts";

const root = join(import.meta.dirname, "..");
const dist = process.env.SAMPAN_DIST ?? join(root, "dist");
mkdirSync(dist, { recursive: true });

buildKeel(join(dist, "keel"));
const keelVersion = createHash("sha256").update(readFileSync(join(dist, "keel"))).digest("hex").slice(0, 16);

const bun = process.execPath;
const bunVersion = process.versions["bun"] ?? "";
/** Of all that the executable is made from: what one build keeps on the disk another does not read. */
function buildVersion(): string {
  const hash = createHash("sha256").update(keelVersion).update(bunVersion);
  for (const directory of ["bin", "src"])
    for (const name of readdirSync(join(root, directory), { recursive: true, encoding: "utf8" }).sort())
      if (/(?<!\.test)\.ts$/.test(name)) hash.update(name).update(readFileSync(join(root, directory, name)));
  return hash.digest("hex").slice(0, 16);
}

const define = ["--define", `KEEL_VERSION="${keelVersion}"`, "--define", `BUILD_VERSION="${buildVersion()}"`, "--define", "process.env.NODE_ENV=\"production\""];
/*
 * A command lives for some milliseconds: compiling its code costs more than it gives (a third of the whole CPU time of
 * `run`), so compiling starts a thousand times later than usual, and earlier where there is much to do (src/base/heavy.ts).
 * Short names make every start cheaper (6 % of `run`, 14 % of `version`: fewer and smaller symbols to make); where a
 * stack trace with names is wanted, `bun bin/cli.ts --debug …` runs the sources.
 */
const startUp = ["--compile-jit-policy=1000", "--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
const executable = join(dist, "sampan");
const target = process.env.SAMPAN_ARCH === undefined ? [] : [`--target=bun-linux-${process.env.SAMPAN_ARCH}`];
/** The executable carries the keel of its own directory, and of its own architecture. */
function entryFor(): string {
  const source = join(root, "bin/sampan.ts");
  if (dist === join(root, "dist")) return source;
  const text = readFileSync(source, "utf8").replaceAll('"../dist/keel"', `"${join(dist, "keel")}"`).replaceAll('"../', `"${root}/`);
  writeFileSync(join(dist, "entry.ts"), text);
  return join(dist, "entry.ts");
}
const entry = entryFor();
execFileSync(bun, ["build", "--compile", "--bytecode", "--format=esm", "--splitting", "--minify", "--sourcemap=none", ...startUp, ...define, ...target, "--outfile", `${executable}.new`, entry], { stdio: ["ignore", "ignore", "inherit"] });
renameSync(`${executable}.new`, executable);
if (entry.startsWith(dist)) rmSync(entry);
rmSync(join(dist, "sampan-oci"), { force: true });
linkSync(executable, join(dist, "sampan-oci"));

buildLibrary(join(dist, "lib"));

const bin = join(root, "node_modules/.bin");
if (existsSync(bin) && dist === join(root, "dist")) {
  rmSync(join(bin, "sampan"), { force: true });
  symlinkSync("../../dist/sampan", join(bin, "sampan"));
}

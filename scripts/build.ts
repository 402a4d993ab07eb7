/**
 * Builds everything into dist/: keel, the executable with keel inside it, and the library with its types. As npm's
 * `prepare` it runs after `npm ci`, and puts `sampan` where npx looks.
 */
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { buildKeel } from "./build-keel.ts";

const root = join(import.meta.dirname, "..");
const dist = process.env.SAMPAN_DIST ?? join(root, "dist");
mkdirSync(dist, { recursive: true });

buildKeel(join(dist, "keel"));
const keelVersion = createHash("sha256").update(readFileSync(join(dist, "keel"))).digest("hex").slice(0, 16);

const bun = process.execPath;
const define = ["--define", `KEEL_VERSION="${keelVersion}"`, "--define", "process.env.NODE_ENV=\"production\""];
/*
 * A command lives for some milliseconds: compiling its code costs more than it gives (a third of the whole CPU time of
 * `run`), so compiling starts a thousand times later than usual, and earlier where there is much to do (src/base/heavy.ts).
 */
const startUp = ["--compile-jit-policy=1000", "--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
const executable = join(dist, "sampan");
execFileSync(bun, ["build", "--compile", "--bytecode", "--format=cjs", "--minify-syntax", "--minify-whitespace", "--sourcemap=none", ...startUp, ...define, "--outfile", `${executable}.new`, join(root, "bin/sampan.ts")], { stdio: ["ignore", "ignore", "inherit"] });
renameSync(`${executable}.new`, executable);
rmSync(join(dist, "sampan-oci"), { force: true });
linkSync(executable, join(dist, "sampan-oci"));

const bin = join(root, "node_modules/.bin");
if (existsSync(bin)) {
  rmSync(join(bin, "sampan"), { force: true });
  symlinkSync("../../dist/sampan", join(bin, "sampan"));
}

/** Decides whether what is in dist/ was made from the sources as they are. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { runStep } from "./process.ts";

const SOURCES = ["src", "bin", "native", "scripts/build.ts", "scripts/build-library.ts", "package.json", "package-lock.json", "tsconfig.json"];
const PRODUCTS = ["dist/sampan", "dist/keel", "dist/lib/index.js"];

function newestMs(path: string): number {
  if (!existsSync(path)) return 0;
  const own = statSync(path);
  if (!own.isDirectory()) return own.mtimeMs;
  const inside = readdirSync(path, { withFileTypes: true })
    .filter((entry) => !entry.name.endsWith(".test.ts"))
    .map((entry) => newestMs(join(path, entry.name)));
  // A directory's own time changes when a file in it is removed.
  return Math.max(own.mtimeMs, ...inside);
}

export function isBuildStale(repository: string): boolean {
  const newestSource = Math.max(...SOURCES.map((path) => newestMs(join(repository, path))));
  return PRODUCTS.some((path) => newestMs(join(repository, path)) < newestSource);
}

/** Returns what the build said when it failed. */
export async function build(repository: string): Promise<string | undefined> {
  const step = await runStep([process.execPath, "scripts/build.ts"], { cwd: repository, timeoutMs: 600_000 });
  return step.exitCode === 0 ? undefined : step.output;
}

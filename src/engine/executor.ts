import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { SampanError } from "../base/errors.ts";

/** What the compiled executable carries in itself; undefined when run from sources or as a library. */
interface Embedded {
  /** Readable path of keel inside the executable. */
  readonly path: string;
  /** Changes with every build of keel. */
  readonly version: string;
  /** Changes with every build of the executable. */
  readonly build: string;
}

declare global {
  /** Set by bin/ in the compiled executable, before anything else. */
  var sampanEmbedded: Embedded | undefined;
}

/**
 * The executor's path. The executable carries it and writes it once per build into the store, which only root can enter (not into
 * the run state: /run is mounted noexec on many hosts); as a library and from sources it is the file that the build made.
 */
export function findKeel(root: string): string {
  const embedded = globalThis.sampanEmbedded;
  if (embedded) {
    const path = `${root}/keel-${embedded.version}`;
    if (!existsSync(path)) {
      mkdirSync(root, { recursive: true, mode: 0o700 });
      writeFileSync(`${path}.${process.pid}`, readFileSync(embedded.path));
      chmodSync(`${path}.${process.pid}`, 0o700);
      renameSync(`${path}.${process.pid}`, path);
    }
    return path;
  }
  const found = firstThere(process.env.SAMPAN_KEEL, "../keel", "../../dist/keel") ?? prebuilt("keel");
  if (found !== undefined) return found;
  throw new SampanError("unavailable", `Cannot find keel, the executor: there is none for ${process.platform} ${process.arch}`, {
    hint: `Install the package @sampan/linux-${process.arch} (npm leaves it out with --omit=optional), or build it with: npm run build`,
  });
}

/** argv that starts a `sampan` like this one: the executable itself, or the interpreter with its script. Empty where there is none. */
export function engineCommand(): string[] {
  if (globalThis.sampanEmbedded) return [process.execPath];
  const executable = firstThere(process.env.SAMPAN_COMMAND, "../sampan", "../../dist/sampan") ?? prebuilt("sampan");
  if (executable !== undefined) return [executable];
  const script = firstThere(undefined, "./cli.js", "../../dist/lib/cli.js");
  return script === undefined ? [] : [process.execPath, script];
}

/** A file of the package with what was compiled for this machine, which npm installs beside ours. */
function prebuilt(file: string): string | undefined {
  const { createRequire } = process.getBuiltinModule("node:module");
  try {
    return createRequire(import.meta.url).resolve(`@sampan/linux-${process.arch}/${file}`);
  } catch {
    return undefined; // MODULE_NOT_FOUND
  }
}

/** The first file that is there: one that was named, then places beside this module. */
function firstThere(named: string | undefined, ...beside: readonly string[]): string | undefined {
  const candidates = beside.map((path) => decodeURIComponent(new URL(path, import.meta.url).pathname));
  return [...(named === undefined ? [] : [named]), ...candidates].find((path) => existsSync(path));
}

import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SampanError } from "../base/errors.ts";

/** What the compiled executable carries; bin/ sets it. */
interface Embedded {
  readonly path: string;
  readonly version: string;
  readonly build: string;
}

/** Where the executor is kept if the runtime's own directory does not allow execution: /run is mounted noexec on some hosts. */
const FALLBACK = "/var/lib/sampan-oci";

function isNoexec(directory: string): boolean {
  let longest = "";
  let noexec = false;
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    const fields = line.split(" ");
    const point = fields[4] ?? "";
    const covers = point === "/" || directory === point || directory.startsWith(`${point}/`);
    if (covers && point.length >= longest.length) {
      longest = point;
      noexec = (fields[5] ?? "").split(",").includes("noexec");
    }
  }
  return noexec;
}

/** Undefined when run from sources. The global is declared by the engine, which this program does not load. */
export function ownExecutable(): Embedded | undefined {
  return (globalThis as { sampanEmbedded?: Embedded }).sampanEmbedded;
}

/** The executor's path: written once per build by the executable that carries it, or the file that the build made. */
export function findKeel(root: string): string {
  const embedded = ownExecutable();
  if (embedded) {
    const name = `.keel-${embedded.version}`;
    for (const directory of [root, FALLBACK]) if (existsSync(`${directory}/${name}`)) return `${directory}/${name}`;
    const directory = isNoexec(root) ? FALLBACK : root;
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    const path = `${directory}/${name}`;
    writeFileSync(`${path}.${process.pid}`, readFileSync(embedded.path));
    chmodSync(`${path}.${process.pid}`, 0o700);
    renameSync(`${path}.${process.pid}`, path);
    return path;
  }
  for (const candidate of [process.env["SAMPAN_KEEL"], join(import.meta.dirname, "../keel"), join(import.meta.dirname, "../../dist/keel")])
    if (candidate !== undefined && existsSync(candidate)) return candidate;
  throw new SampanError("unavailable", "Cannot find keel, the executor", { hint: "Build it with: npm run build" });
}

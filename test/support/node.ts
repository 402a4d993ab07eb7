/** A Node ≥ 24: the machine's own, or the one pinned in test/support/node, installed once beside the other caches. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "./sandbox.ts";

const HERE = join(import.meta.dirname, "node");
const CACHE = join(REPOSITORY, "node_modules/.cache/node-for-tests");

function majorOf(node: string): number {
  const { stdout } = spawnSync(node, ["--version"], { encoding: "utf8" });
  return Number(/^v(\d+)\./.exec(stdout)?.[1] ?? 0);
}

/** The path of a `node` that is new enough. Throws if there is none and none could be installed. */
export function nodeForTests(): string {
  if (majorOf("node") >= 24) return "node";
  const pinned = join(CACHE, `node_modules/node-linux-${process.arch}/bin/node`);
  if (!existsSync(pinned)) {
    mkdirSync(CACHE, { recursive: true });
    for (const file of ["package.json", "package-lock.json"]) cpSync(join(HERE, file), join(CACHE, file));
    const { status, stderr } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: CACHE, encoding: "utf8" });
    if (status !== 0) throw new Error(`Cannot install Node 24 for the tests:\n${stderr}`);
  }
  return pinned;
}

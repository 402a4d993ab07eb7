/** The tests that stand beside their source and need no root. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const FOLDERS = ["src", "scripts", "bench"];

export function findUnitFiles(repository: string): string[] {
  const beside = FOLDERS.filter((folder) => existsSync(join(repository, folder))).flatMap((folder) =>
    readdirSync(join(repository, folder), { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`),
  );
  return [...beside.filter((path) => path.endsWith(".test.ts")), "test/walls.test.ts"];
}

/** The rules of the house that a compiler does not hold: which room may use which, and what no file may contain. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const REPOSITORY = join(import.meta.dirname, "..");

/** From the top to the bottom: a room may use any room on a lower floor, and none beside itself. */
const FLOORS = [["cli", "library"], ["engine", "oci-cli"], ["images", "registry", "storage", "runtime", "network"], ["plan"], ["linux"]];
/** A room beside the building: the OCI runtime's command line works without any engine state, so it may use none. */
const ANNEX = { room: "oci-cli", uses: ["runtime", "network", "plan", "linux"] };
/** What every room may use. `oci` may use `base`; `base` stands on nothing. */
const COMMON = ["oci", "base"];

/** The files that may start processes: everything else goes through them. One says why it must be among them. */
const PROCESS_SEAMS = [
  /^src\/plan\/spawn(\/|[^/]*\.ts$)/, // keel, in the two ways in which Bun and Node start a program
  /^src\/registry\/credential-helper\.ts$/, // docker-credential-NAME speaks over its stdin and stdout
];

/** The files that may use what only Bun has, where it is there. */
const BUN_SEAMS = [...PROCESS_SEAMS, /^src\/base\/hashes\.ts$/];

function listFiles(folder: string): string[] {
  const path = join(REPOSITORY, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(path, name)).isFile())
    .map((name) => `${folder}/${name}`);
}

const read = (path: string): string => readFileSync(join(REPOSITORY, path), "utf8");
const sources = listFiles("src").filter((path) => path.endsWith(".ts"));
/** What is shipped: tests may use what helps them. */
const library = sources.filter((path) => !path.endsWith(".test.ts"));
const code = [...sources, ...["bin", "scripts", "test", "bench", "examples"].flatMap(listFiles).filter((path) => path.endsWith(".ts"))];

/** The modules a file names in import and export declarations and in import() calls, types included. */
export function importsOf(text: string): string[] {
  const transpiler = /(?:^|[;\n}])\s*(?:import|export)\b[^;'"]*?\bfrom\s*["']([^"']+)["']|(?:^|\n)\s*import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/g;
  return [...text.matchAll(transpiler)].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}

/** The room of a file under src/; "" for src/*.ts, the library's front door. */
function roomOf(path: string): string {
  const parts = path.split("/");
  return parts.length > 2 ? (parts[1] ?? "") : "";
}

function mayUse(room: string, other: string): boolean {
  if (room === "" || room === other) return true;
  if (room === "base") return false;
  if (room === "oci") return other === "base";
  if (COMMON.includes(other)) return true;
  if (room === ANNEX.room) return ANNEX.uses.includes(other);
  const floor = (name: string): number => FLOORS.findIndex((rooms) => rooms.includes(name));
  return floor(room) >= 0 && floor(other) > floor(room);
}

/** A file's imports of other files of src/, as paths from the repository. */
function localImports(path: string): string[] {
  return importsOf(read(path))
    .filter((name) => name.startsWith("."))
    .map((name) => relative(REPOSITORY, join(REPOSITORY, dirname(path), name)))
    .filter((target) => target.startsWith("src/"));
}

describe("rooms", () => {
  test("are the ones of the design", () => {
    const rooms = new Set(sources.map(roomOf).filter((room) => room !== ""));
    expect([...rooms].filter((room) => ![...FLOORS.flat(), ...COMMON, ANNEX.room].includes(room))).toEqual([]);
  });

  test("import downwards only, types included", () => {
    const wrong = sources.flatMap((path) =>
      localImports(path)
        .filter((target) => !mayUse(roomOf(path), roomOf(target)))
        .map((target) => `${path} uses ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test("do not stand in a circle", () => {
    const uses = new Map<string, Set<string>>();
    for (const path of sources) {
      const targets = uses.get(roomOf(path)) ?? new Set<string>();
      localImports(path).map(roomOf).filter((room) => room !== roomOf(path)).forEach((room) => targets.add(room));
      uses.set(roomOf(path), targets);
    }
    const reaches = (from: string, goal: string, seen: Set<string>): boolean =>
      [...(uses.get(from) ?? [])].some((next) => next === goal || (!seen.has(next) && reaches(next, goal, seen.add(next))));
    expect([...uses.keys()].filter((room) => reaches(room, room, new Set()))).toEqual([]);
  });

  test("name only files that are there, with their extension", () => {
    const wrong = sources.flatMap((path) =>
      localImports(path).filter((target) => !existsSync(join(REPOSITORY, target))).map((target) => `${path} uses ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test("have a door that starts with what the room is", () => {
    const folders = new Set(library.map(dirname).filter((folder) => folder !== "src" && folder.split("/").length === 2));
    const wrong = [...folders].filter((folder) => {
      const door = `${folder}/index.ts`;
      return !existsSync(join(REPOSITORY, door)) || !/^(\/\*\*?|\/\/)/.test(read(door).trimStart());
    });
    expect(wrong).toEqual([]);
  });
});

describe("the library", () => {
  test("starts processes through the seam only", () => {
    const wrong = library.filter((path) => {
      if (PROCESS_SEAMS.some((seam) => seam.test(path))) return false;
      const text = read(path);
      return importsOf(text).some((name) => /^(node:)?child_process$/.test(name)) || /\bBun\.spawn/.test(text);
    });
    expect(wrong).toEqual([]);
  });

  test("is written to node: APIs: nothing of Bun's but in the seam", () => {
    const wrong = library.filter((path) => {
      if (BUN_SEAMS.some((seam) => seam.test(path))) return false;
      const text = read(path);
      return importsOf(text).some((name) => name === "bun" || name.startsWith("bun:")) || /\bBun\.[a-z]/.test(text.replace(/\/\*[^]*?\*\/|\/\/.*/g, ""));
    });
    expect(wrong).toEqual([]);
  });

  test("imports Node's modules with their prefix", () => {
    const bare = /^(assert|buffer|child_process|crypto|events|fs|http|https|net|os|path|process|stream|timers|tls|url|util|worker_threads|zlib)(\/|$)/;
    expect(library.filter((path) => importsOf(read(path)).some((name) => bare.test(name)))).toEqual([]);
  });

  test("has named exports only", () => {
    expect(library.filter((path) => /^export default\b/m.test(read(path)))).toEqual([]);
  });
});

describe("every file", () => {
  test("holds one idea: at most 400 lines", () => {
    const lengths = code.map((path) => ({ path, lines: read(path).split("\n").length - 1 }));
    expect(lengths.filter(({ lines }) => lines > 400)).toEqual([]);
  });

  test("is finished, and is part of nobody's machine", () => {
    // Put together here so that this file does not contain them.
    const unfinished = ["TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK:", "@ts-" + "ignore", "@ts-" + "nocheck"];
    const texts = [...code, ...listFiles("native").filter((path) => /\.(c|h|md|S)$/.test(path)), ...listFiles("docs").filter((path) => path.endsWith(".md"))];
    const forbidden = [...unfinished, REPOSITORY];
    const wrong = texts.flatMap((path) => forbidden.filter((word) => read(path).includes(word)).map((word) => `${path}: "${word}"`));
    expect(wrong).toEqual([]);
  });

  test("that switches a rule off says why", () => {
    // "eslint-disable… rule -- reason", as ESLint itself has it.
    const wrong = code.filter((path) => read(path).split("\n").some((line) => line.includes("eslint-" + "disable") && !line.includes(" -- ")));
    expect(wrong).toEqual([]);
  });
});

describe("the walls themselves", () => {
  test("stop what they should", () => {
    expect(mayUse("cli", "engine")).toBe(true);
    expect(mayUse("runtime", "linux")).toBe(true);
    expect(mayUse("runtime", "network")).toBe(false);
    expect(mayUse("plan", "runtime")).toBe(false);
    expect(mayUse("linux", "base")).toBe(true);
    expect(mayUse("base", "linux")).toBe(false);
    expect(mayUse("oci", "linux")).toBe(false);
  });

  test("see every way to import", () => {
    const text = `import a from "./a.ts";
import type { B } from "../b.ts";
import {
  c,
} from "./c.ts";
export * from "./d.ts";
export type { E } from './e.ts';
import "./f.ts";
const g = await import("./g.ts");
const h = "import x from";
`;
    expect(importsOf(text)).toEqual(["./a.ts", "../b.ts", "./c.ts", "./d.ts", "./e.ts", "./f.ts", "./g.ts"]);
  });
});

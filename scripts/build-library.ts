/** Builds the library, for Bun and Node ≥ 24, with its types: dist/lib. Whatever is loaded only now and then is a file of its own. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";

const root = join(import.meta.dirname, "..");

/** The directory appears only when it is complete. */
export function buildLibrary(output: string): void {
  const next = `${output}.new`;
  rmSync(next, { recursive: true, force: true });
  mkdirSync(next, { recursive: true });
  execFileSync(
    process.execPath,
    ["build", "--target=node", "--format=esm", "--splitting", "--sourcemap=none", "--entry-naming=[name].[ext]", "--chunk-naming=[name]-[hash].[ext]", "--outdir", next, join(root, "src/library/index.ts"), join(root, "bin/cli.ts")],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  for (const [path, text] of declarations("src/library/index.ts")) {
    const file = join(next, "types", relative("src", path).replace(/\.ts$/, ".d.ts"));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  rmSync(output, { recursive: true, force: true });
  renameSync(next, output);
}

/**
 * The types of a module and of all that they mention, file by file: without a look at the whole program, which would take
 * thirty times as long (TypeScript's isolatedDeclarations). Throws where a type is not written down.
 */
export function declarations(entry: string): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const queue = [entry];
  for (const path of queue) {
    if (texts.has(path)) continue;
    const { outputText, diagnostics = [] } = ts.transpileDeclaration(readFileSync(join(root, path), "utf8"), {
      fileName: path,
      reportDiagnostics: true,
      compilerOptions: { declaration: true, isolatedDeclarations: true, target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.NodeNext, verbatimModuleSyntax: true, strict: true },
    });
    if (diagnostics.length > 0)
      throw new Error(ts.formatDiagnostics(diagnostics, { getCanonicalFileName: (name) => name, getCurrentDirectory: () => root, getNewLine: () => "\n" }));
    // File by file TypeScript cannot tell that [Symbol.dispose]() is a method, and writes it down a second time as a property.
    const once = outputText.replace(/^ +\[Symbol\.(\w+)\]: .*;\n/gm, (line, name: string) => (outputText.includes(`[Symbol.${name}](`) ? "" : line));
    const rewritten = once.replace(/(from\s+|import\()"(\.[^"]+)\.ts"/g, (_, before: string, name: string) => {
      const target = relative(root, join(root, dirname(path), `${name}.ts`));
      if (!existsSync(join(root, target))) throw new Error(`${path} mentions ${target}, which is not there`);
      queue.push(target);
      return `${before}"${name}.js"`;
    });
    texts.set(path, rewritten);
  }
  return texts;
}

if (import.meta.main) buildLibrary(join(process.env["SAMPAN_DIST"] ?? join(root, "dist"), "lib"));

/**
 * `bun scripts/docs.ts`: writes the pages that are generated from tables.
 * `bun scripts/docs.ts run FILE…`: prints what the commands of documents print now, and how that differs from what they say.
 * `bun scripts/docs.ts fill FILE…`: puts what a command prints where a document says only "?"; to be read before it is kept.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { runDocument } from "../test/support/docs-session.ts";
import { parseDocument } from "../test/support/docs.ts";
import { generatedPages } from "./support/generated-pages.ts";

const repository = join(import.meta.dirname, "..");
const [verb, ...files] = process.argv.slice(2);

if (verb === undefined) {
  for (const { path, text } of await generatedPages()) {
    writeFileSync(join(repository, path), text);
    console.log(`wrote ${path}`);
  }
} else if (verb === "run" || verb === "fill") {
  for (const file of files) {
    const text = readFileSync(file, "utf8");
    const lines = text.split("\n");
    const document = parseDocument(relative(repository, file), text);
    document.problems.forEach((problem) => { console.log(`${file}: ${problem}`); });
    const filled: { line: number; text: string }[] = [];
    await runDocument(document, ({ step, output, exitCode, problem }) => {
      const isOpen = verb === "fill" && step.expected.length === 1 && step.expected[0] === "?";
      if (isOpen) filled.push({ line: step.line + step.command.split("\n").length, text: `${output.trim().replace(/"\/[^" ]*\/sandbox-\w+\/(root|state)/g, "\"…").replace(/\b([0-9a-f]{64}|(?=[0-9a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{12})\b/g, "…")}${exitCode === 0 ? "" : `\n[${exitCode}]`}` });
      else if (verb === "run" || problem !== undefined) console.log(`${file}:${step.line}: $ ${step.command}\n${problem === undefined ? `${output.trimEnd()}` : `DIFFERS: ${problem.trimEnd()}`}`);
    });
    if (filled.length === 0) continue;
    for (const { line, text: output } of filled) lines[line - 1] = output;
    writeFileSync(file, lines.filter((line, index) => line !== "" || !filled.some((one) => one.line === index + 1)).join("\n"));
  }
} else {
  console.log("Usage: bun scripts/docs.ts [run FILE… | fill FILE…]");
  process.exitCode = 1;
}

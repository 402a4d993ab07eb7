import { configClauses } from "./config-clauses.ts";
import type { Clause } from "./harness.ts";
import { hookClauses } from "./hook-clauses.ts";
import { linuxClauses } from "./linux-clauses.ts";
import { networkClauses } from "./network-clauses.ts";
import { runtimeClauses } from "./runtime-clauses.ts";

/** Every clause, in the order of the specification's chapters. */
export const clauses: readonly Clause[] = [...configClauses, ...hookClauses, ...linuxClauses, ...networkClauses, ...runtimeClauses];

/** docs/conformance.md. */
export function conformanceTable(): string {
  const lines = [
    "# Conformance", "",
    "What the OCI runtime specification 1.3 demands of a runtime on Linux, and the test that shows the effect of each clause. The table is",
    "made from the tests in `test/conformance` (`npm test -- conformance` runs them, `bun test/conformance/document.ts` writes this page).",
    "Each clause also runs against Debian's runc, which proves the test; where that runc does not do it, the last column says why.", "",
  ];
  let chapter = "";
  for (const { section, text, notRunc } of clauses) {
    const [file = "", ...heading] = section.split(" ");
    if (file !== chapter) {
      if (chapter !== "") lines.push("");
      lines.push(`## ${file}`, "", "| section | clause | sampan-oci | runc 1.1 |", "| --- | --- | --- | --- |");
      chapter = file;
    }
    const cell = (words: string): string => words.replaceAll("|", "\\|");
    lines.push(`| ${cell(heading.join(" "))} | ${cell(text)} | yes | ${notRunc === undefined ? "yes" : cell(notRunc)} |`);
  }
  lines.push("", "Not supported: `linux.intelRdt`, which is refused.", "");
  return lines.join("\n");
}

/** Every clause against sampan-oci, and against runc where its release does it. Needs root. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createTempDir, REPOSITORY } from "../support/sandbox.ts";
import { clauses, conformanceTable } from "./clauses.ts";
import { createRuntime, type Runtime } from "./harness.ts";

for (const name of ["runc", "sampan-oci"] as const) {
  describe(name, () => {
    let runtime: Runtime;
    let temp: ReturnType<typeof createTempDir>;
    beforeAll(async () => {
      temp = createTempDir("conf-");
      runtime = await createRuntime(name, temp.path);
    });
    afterAll(() => { temp[Symbol.dispose](); });
    for (const clause of clauses) {
      if (name === "runc" && clause.notRunc !== undefined) continue;
      test(`${clause.section}: ${clause.text}`, () => clause.prove(runtime), 60_000);
    }
  });
}

test("docs/conformance.md is made of these clauses", () => {
  expect(readFileSync(join(REPOSITORY, "docs/conformance.md"), "utf8")).toBe(conformanceTable());
});

/** docs/api says what the declarations say, and the examples in the comments run. */
import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { apiReference, runnableExamples } from "../../scripts/api-reference.ts";
import { REPOSITORY } from "../support/index.ts";

const directory = mkdtempSync(join(tmpdir(), "reference-"));
afterAll(() => { rmSync(directory, { recursive: true, force: true }); });

test("docs/api is up to date (write it with: bun scripts/api-reference.ts)", () => {
  const pages = apiReference();
  const folder = join(REPOSITORY, "docs/api");
  expect(readdirSync(folder).sort()).toEqual([...pages.keys()].sort());
  for (const [name, text] of pages) expect(readFileSync(join(folder, name), "utf8")).toBe(text);
});

test("every class says what it is", () => {
  const silent = [...apiReference()].filter(([name, text]) => name !== "types.md" && name !== "README.md" && /^# \w+\n\n(`class|##)/m.test(text)).map(([name]) => name);
  expect(silent).toEqual([]);
});

const examples = runnableExamples();

test("there are examples", () => {
  expect(examples.length).toBeGreaterThan(6);
});

for (const [n, { of, code }] of examples.entries()) {
  test(`example ${n + 1}, of ${of}, runs`, () => {
    const file = join(directory, `example-${n}.ts`);
    const own = code.includes("Engine.open()");
    writeFileSync(file, `import { Engine } from ${JSON.stringify(join(REPOSITORY, "src/library/index.ts"))};\n${own ? "" : "await using engine = await Engine.open();\n"}${code}`);
    const { status, stderr } = spawnSync(process.execPath, [file], { encoding: "utf8", env: { ...process.env, SAMPAN_ROOT: join(directory, "root"), SAMPAN_STATE: join(directory, "state") }, timeout: 30_000 });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  }, 40_000);
}

/** Every program in examples/ is run, on Bun and on Node, and prints what is said here. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REPOSITORY, SAMPAN } from "./support/index.ts";
import { nodeForTests } from "./support/node.ts";
import { removeNetworking } from "./support/sandbox.ts";

const OUTPUT: Readonly<Record<string, string>> = {
  "run.ts": `exit code 3, stdout "hello from inside\\n", stderr "some input\\n"
invalid, ENOENT
Does "host" have this program? Look with: sampan run --rm host ls /bin
`,
  "untrusted-code.ts": `an honest one: said 42
one that is curious: failed
one that phones home: failed
one that writes: failed
one that fills the disk: failed
one that forks: out of time
one that is greedy: out of memory
one that never ends: out of time
one that talks too much: too much output
`,
  "service.ts": "before: nothing\nwrite: kept\nanother one on the same volume: forty-two\nleft: 0\n",
  "parallel.ts": "2262 primes, by 20 containers\n",
  "seccomp.ts": "without: 0\nwith: 1 mkdir: cannot create directory '/tmp/new': Operation not supported\nfiles are allowed: 0\nfilters: 1\n",
  "events.ts": "job-0: started\njob-0: died with 0\njob-7: started\njob-7: died with 7\nservice: started\nservice: died with 137\n",
  "conversation.ts": "stdout: 6 times 7 is 42\nstdout: 100 times 23 is 2300\nstdout: 0 times 1 is 0\nended with 0\n",
};

let directory = "";
let env: Record<string, string | undefined> = {};
beforeAll(() => { nodeForTests(); }, 300_000); // it may have to be fetched
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "examples-"));
  env = { ...process.env, SAMPAN_ROOT: join(directory, "root"), SAMPAN_STATE: join(directory, "state"), NO_COLOR: "1", FORCE_COLOR: undefined };
});
afterEach(async () => {
  const left = spawnSync(SAMPAN, ["ps", "-aq"], { env, encoding: "utf8" }).stdout.split("\n").filter((id) => id !== "");
  if (left.length > 0) spawnSync(SAMPAN, ["rm", "-f", ...left], { env });
  spawnSync(SAMPAN, ["network", "prune", "-f"], { env });
  await removeNetworking({ root: join(directory, "root"), state: join(directory, "state") });
  rmSync(directory, { recursive: true, force: true });
  expect(left).toEqual([]);
});

test("every example is here, and in the list", () => {
  const files = readdirSync(join(REPOSITORY, "examples")).filter((name) => name.endsWith(".ts")).sort();
  expect(files).toEqual(Object.keys(OUTPUT).sort());
  const list = readFileSync(join(REPOSITORY, "examples/README.md"), "utf8");
  for (const file of files) expect(list).toContain(`(${file})`);
});

for (const [runtime, path] of [["Bun", () => process.execPath], ["Node", nodeForTests]] as const) {
  describe(`on ${runtime}`, () => {
    for (const [file, output] of Object.entries(OUTPUT)) {
      test(file, () => {
        const { status, stdout, stderr } = spawnSync(path(), [join("examples", file)], { cwd: REPOSITORY, env, encoding: "utf8", timeout: 60_000 });
        expect({ status, stdout, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stdout: output, stderr: "" });
      }, 70_000);
    }
  });
}

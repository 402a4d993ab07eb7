/**
 * The plan decoder under mutated plans, with the sanitizers: SAMPAN_FUZZ_SECONDS (5; a minute in CI), SAMPAN_FUZZ_SEED to see a
 * case again. Needs gcc alone.
 */
// parallel-safe
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostArch } from "../../src/linux/arch.ts";
import { Block, Plan, encodePlan, stringArray } from "../../src/plan/index.ts";
import { compile } from "../../src/runtime/index.ts";
import { cacheKey, cached } from "../support/rootfs.ts";
import { createTempDir } from "../support/sandbox.ts";
import { runOk } from "../support/command.ts";
import { exampleLaunch } from "../support/launch.ts";
import { NATIVE, keelSources, monitored } from "./support.ts";

const seconds = Number(process.env["SAMPAN_FUZZ_SECONDS"] ?? 5);

/** One plan that has every instruction and every kind of argument. */
function everything(): Plan {
  const plan = new Plan({ trace: true });
  const { outer, inner } = plan;
  const block = new Block(64, "block").pointer(8, "text").pointer(16, new Block(8));
  const opened = outer.call("openat", [-100, "/", 0, 0], { tolerate: ["ENOENT", "EACCES"], register: 4 });
  outer.patch(block, 0, opened, "decimal");
  outer.patch(block, 32, { register: 4 }, "padded");
  outer.unless({ of: opened, is: { not: "ENOENT" } }, () => outer.pick(opened, { load32: block, offset: 4 }));
  outer.fail(5, { when: { of: opened, is: { equal: -5 } } });
  outer.check(0n, { expect: 0 });
  outer.find(block, 64, "word", { tolerate: "any" });
  outer.spawn(new Block(48).pointer(0, "/bin/true").pointer(8, stringArray(["true"], "argv")));
  outer.call("read", [opened, plan.out(16), 16]);
  outer.clone(new Block(88), 88);
  outer.await(opened);
  outer.front(opened);
  outer.monitor(new Block(128).pointer(40, "/log"));
  outer.wait();
  inner.init();
  inner.exit(1);
  return plan;
}

test(`the decoder stands ${seconds} seconds of hostile plans`, async () => {
  const source = join(NATIVE, "fuzz/decode.c");
  const built = await cached("keel-fuzz", cacheKey(...[...keelSources(), source].map((path) => readFileSync(path))), async (into) => {
    await runOk(["gcc", "-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-o", join(into, "fuzz"), source], { timeoutMs: 120_000 });
  });
  using temp = createTempDir("fuzz-");
  const plans = [new Plan(), everything(), monitored({ script: "true" }), compile(exampleLaunch())];
  const files = plans.map((plan, i) => {
    writeFileSync(join(temp.path, `${i}`), encodePlan(plan, hostArch()));
    return join(temp.path, `${i}`);
  });
  const seed = process.env["SAMPAN_FUZZ_SEED"] ?? String(Date.now());
  const said = await runOk([join(built, "fuzz"), String(seconds), seed, ...files], { timeoutMs: (seconds + 30) * 1000 });
  const [, cases, accepted] = /^(\d+) cases, (\d+) accepted/.exec(said) ?? [];
  // Mutations that are all refused, or all accepted, would prove nothing.
  expect(Number(cases)).toBeGreaterThan(seconds * 200);
  expect(Number(accepted) / Number(cases)).toBeWithin(0.02, 0.98);
}, (seconds + 60) * 1000);

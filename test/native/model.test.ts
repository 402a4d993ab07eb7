/** keel against a model: random programs of the instructions that touch nothing but the plan itself, both builds. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Errno } from "../../src/linux/errno.ts";
import { Block, Plan } from "../../src/plan/index.ts";
import type { Arg, Call, Condition } from "../../src/plan/model.ts";
import { Bench, buildReal, buildSanitized } from "./support.ts";

const builds = [["as it ships", await buildReal()], ["with the sanitizers", await buildSanitized()]] as const;

describe.each(builds)("keel %s", (_, keel) => {
  test("does what a model of its instructions does, whatever the program", async () => {
    using bench = new Bench(keel);
    await fc.assert(fc.asyncProperty(fc.array(step(), { minLength: 1, maxLength: 25 }), async (steps) => {
      const { plan, expected } = compileModel(steps);
      const { report } = await bench.run(plan);
      expect(report.failure).toBeUndefined();
      expect(expected.map((_value, i) => report.result(i).value)).toEqual(expected);
    }), { numRuns: 40 });
  });
});

interface Step {
  readonly kind: "pick" | "check" | "fail" | "patch" | "skip";
  readonly a: number;
  readonly b: number;
  readonly from: number;
  readonly when: number;
  readonly condition: "ok" | "failed" | "equal" | "not" | undefined;
}

const value = (): fc.Arbitrary<number> => fc.oneof(fc.constantFrom(0, 1, -1, -Errno.ENOENT, -Errno.EACCES), fc.integer({ min: -4000, max: 100_000 }));

function step(): fc.Arbitrary<Step> {
  return fc.record({
    kind: fc.constantFrom("pick", "check", "fail", "patch", "skip"), a: value(), b: value(), from: fc.nat(30), when: fc.nat(30),
    condition: fc.constantFrom("ok", "failed", "equal", "not", undefined),
  });
}

/** The plan, and what each of its instructions must have for a result: 0 where it is skipped. */
function compileModel(steps: readonly Step[]): { plan: Plan; expected: number[] } {
  const plan = new Plan();
  const { outer } = plan;
  const expected: number[] = [];
  const calls: Call[] = [];
  const memory = new Block(16, "memory");
  let word = 0;
  let skipUntil = 0;
  steps.forEach(({ kind, a, b, from, when: on, condition }, i) => {
    const earlier = calls[on % Math.max(1, calls.length)];
    const before = expected[earlier?.index ?? 0] ?? 0;
    const when = earlier === undefined || condition === undefined ? undefined : conditionOn(earlier, condition);
    const holds = when === undefined || (condition === "ok" ? before >= 0 : condition === "failed" ? before < 0 : condition === "equal" ? before === 7 : before !== -Errno.ENOENT);
    const runs = i >= skipUntil && holds;
    const options = { tolerate: "any" as const, ...(when === undefined ? {} : { when }) };
    const source = calls[from % Math.max(1, calls.length)];
    const first: Arg = source ?? a;
    const firstValue = source === undefined ? a : (expected[source.index] ?? 0);
    let result = 0;
    let call: Call;
    switch (kind) {
      case "pick":
        call = outer.pick(first, b, options);
        result = firstValue < 0 ? b : firstValue;
        break;
      case "check":
        call = outer.check({ load32: memory, offset: 4 }, options);
        result = word;
        break;
      case "fail":
        call = outer.fail(Math.abs(a) % 4000, options);
        result = 0 - (Math.abs(a) % 4000);
        break;
      case "patch":
        call = outer.patch(memory, 4, first, "u32", options);
        if (runs) word = firstValue | 0;
        break;
      case "skip": {
        const target = Math.min(steps.length - i - 1, Math.abs(b) % 3);
        call = outer.call("getpid", [], { when: { of: earlier ?? ({ side: "outer", index: 0 } as Call), is: { equal: 123_456_789 } } }); // never: keeps the position
        const jump: Call = { ...call, op: "skip", name: "skip", args: [target], options };
        outer.calls[call.index] = jump;
        call = jump;
        if (runs) skipUntil = i + 1 + target;
        break;
      }
    }
    calls.push(call);
    expected.push(runs ? result + 0 : 0);
  });
  outer.exit(0);
  return { plan, expected };
}

function conditionOn(of: Call, condition: NonNullable<Step["condition"]>): Condition {
  if (condition === "equal") return { of, is: { equal: 7 } };
  if (condition === "not") return { of, is: { not: "ENOENT" } };
  return { of, is: condition };
}

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { DeviceCgroupRule } from "../../oci/index.ts";
import { deviceProgram } from "../../linux/cgroup-bpf.ts";
import { defaultDeviceRules, devicePolicy, formatException } from "./device-rules.ts";

interface Request {
  type: "b" | "c";
  major: number;
  minor: number;
  access: number;
}

/** The few eBPF instructions that a device program may use; anything else, or a run past the end, throws. */
function interpret(program: Uint8Array, request: Request): number {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const context = [(request.access << 16) | (request.type === "b" ? 1 : 2), request.major, request.minor];
  const registers: (number | undefined)[] = Array.from({ length: 11 }, () => undefined);
  const get = (index: number): number => {
    const value = registers[index];
    if (value === undefined) throw new Error(`r${index} is read before it is written`);
    return value;
  };
  for (let pc = 0, steps = 0; steps < 10_000; pc++, steps++) {
    if (pc * 8 >= program.byteLength) throw new Error("ran past the end");
    const opcode = view.getUint8(pc * 8);
    const dst = view.getUint8(pc * 8 + 1) & 15;
    const src = view.getUint8(pc * 8 + 1) >> 4;
    const offset = view.getInt16(pc * 8 + 2, true);
    const imm = view.getInt32(pc * 8 + 4, true) >>> 0;
    switch (opcode) {
      case 0x61: {
        if (src !== 1 || offset % 4 !== 0) throw new Error("only the context can be read");
        registers[dst] = (context[offset / 4] ?? NaN) >>> 0;
        break;
      }
      case 0xbc: registers[dst] = get(src); break;
      case 0xb7: registers[dst] = imm; break;
      case 0x54: registers[dst] = (get(dst) & imm) >>> 0; break;
      case 0x74: registers[dst] = get(dst) >>> imm; break;
      case 0x56: if (get(dst) !== imm) pc += offset; break;
      case 0x16: if (get(dst) === imm) pc += offset; break;
      case 0x95: return get(0);
      default: throw new Error(`opcode ${opcode}`);
    }
  }
  throw new Error("endless");
}

const bits = (access: string): number => (access.includes("m") ? 1 : 0) | (access.includes("r") ? 2 : 0) | (access.includes("w") ? 4 : 0);
const matches = (rule: DeviceCgroupRule, { type, major, minor }: Request): boolean =>
  (rule.type === undefined || rule.type === "a" || rule.type === type) &&
  (rule.major === undefined || rule.major === major) &&
  (rule.minor === undefined || rule.minor === minor);

/** The rules as they read: for one kind of access, the last rule that speaks of it decides. */
function lastRuleWins(rules: readonly DeviceCgroupRule[], request: Request): boolean {
  let verdict = true;
  for (const rule of rules) if (matches(rule, request) && (bits(rule.access ?? "rwm") & request.access) !== 0) verdict = rule.allow;
  return verdict;
}

const number = fc.constantFrom(undefined, 0, 1, 2, 0x8000_0001, 0xffff_fffe);
const rule: fc.Arbitrary<DeviceCgroupRule> = fc
  .record({
    allow: fc.boolean(),
    type: fc.constantFrom(undefined, "a", "b", "c"),
    major: number,
    minor: number,
    access: fc.constantFrom("r", "w", "m", "rw", "rwm"),
  })
  .map(({ allow, type, major, minor, access }) => ({
    allow, access, ...(type === undefined ? {} : { type }), ...(major === undefined ? {} : { major }), ...(minor === undefined ? {} : { minor }),
  }));
const rules = fc.oneof(fc.array(rule, { maxLength: 6 }), fc.array(rule, { maxLength: 6 }).map((list) => [{ allow: false, access: "rwm" }, ...list]));
const request = (access: fc.Arbitrary<number>): fc.Arbitrary<Request> =>
  fc.record({
    type: fc.constantFrom("b" as const, "c" as const),
    major: fc.constantFrom(0, 1, 2, 0x8000_0001),
    minor: fc.constantFrom(0, 1, 0xffff_fffe),
    access,
  });

describe("device rules", () => {
  test("one kind of access: the program says what the last matching rule says", () => {
    let judged = 0;
    fc.assert(
      fc.property(rules, request(fc.constantFrom(1, 2, 4)), (list, asked) => {
        const { policy, problems } = devicePolicy(list);
        if (problems.length > 0) return;
        judged++;
        expect(interpret(deviceProgram(policy), asked) === 1).toBe(lastRuleWins(list, asked));
      }),
      { numRuns: 3000 },
    );
    expect(judged).toBeGreaterThan(500);
  });

  test("several at once: one exception covers all to allow, covers any to deny (security/device_cgroup.c)", () => {
    fc.assert(
      fc.property(rules, request(fc.integer({ min: 0, max: 7 })), (list, asked) => {
        const { policy } = devicePolicy(list);
        const fitting = policy.exceptions.filter((one) => matches({ allow: true, ...one, access: "rwm" }, asked));
        const expected = policy.defaultAllow
          ? !fitting.some((one) => (one.access & asked.access) !== 0)
          : fitting.some((one) => (asked.access & ~one.access) === 0);
        expect(interpret(deviceProgram(policy), asked) === 1).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });

  test("Docker's default: harmless nodes open, all else closed, any node can be made", () => {
    const { policy, problems } = devicePolicy(defaultDeviceRules());
    expect(problems).toEqual([]);
    const program = deviceProgram(policy);
    const verdict = (
      type: "b" | "c",
      major: number,
      minor: number,
      access: string,
    ): boolean => interpret(program, { type, major, minor, access: bits(access) }) === 1;
    for (const [major, minor] of [[1, 3], [1, 5], [1, 7], [1, 8], [1, 9], [5, 0], [5, 1], [5, 2], [136, 0], [136, 77]] as const)
      expect(verdict("c", major, minor, "rw")).toBe(true);
    expect(verdict("b", 254, 0, "m")).toBe(true);
    expect(verdict("b", 254, 0, "r")).toBe(false);
    expect(verdict("b", 1, 3, "r")).toBe(false);
    expect(verdict("c", 1, 1, "r")).toBe(false); // mem
    expect(verdict("c", 10, 229, "rw")).toBe(false); // fuse
    expect(verdict("c", 1, 1, "rm")).toBe(false);
  });

  test("a device number above 2^31 is compared as unsigned", () => {
    const { policy } = devicePolicy([{ allow: false }, { allow: true, type: "c", major: 0x8000_0001, minor: 1, access: "r" }]);
    expect(interpret(deviceProgram(policy), { type: "c", major: 0x8000_0001, minor: 1, access: 2 })).toBe(1);
  });

  test("neighbouring rules merge; a denied part of an allowed rule is taken out", () => {
    const list = devicePolicy([
      { allow: false },
      { allow: true, type: "c", major: 1, access: "r" },
      { allow: true, type: "c", major: 1, access: "wm" },
      { allow: false, type: "c", major: 1, access: "m" },
    ]);
    expect(list.policy.exceptions.map(formatException)).toEqual(["c 1:* rw"]);
  });

  test("what Linux could not hold is refused, not lost", () => {
    expect(devicePolicy([
      { allow: false },
      { allow: true, type: "c", major: 1, access: "rwm" },
      { allow: false, type: "c", major: 1, minor: 3, access: "rwm" },
    ]).problems).toHaveLength(1);
    expect(devicePolicy([
      { allow: true, type: "p", access: "r" },
      { allow: true, type: "c", access: "x" },
      { allow: true, type: "c", major: 1.5 },
    ]).problems).toHaveLength(3);
  });

  test('"a" with a restriction does not open everything', () => {
    const { policy } = devicePolicy([{ allow: false }, { allow: true, type: "a", access: "m" }]);
    expect(policy.defaultAllow).toBe(false);
    expect(policy.exceptions.map(formatException)).toEqual(["c *:* m", "b *:* m"]);
  });
});

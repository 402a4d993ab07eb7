import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodePlan } from "../../test/support/decode-plan.ts";
import { Errno } from "../linux/errno.ts";
import type { ErrnoName } from "../linux/errno.ts";
import { syscallNumber } from "../linux/syscalls.ts";
import { Block, Plan, encodePlan, stringArray } from "./index.ts";
import type { Arg, Call, Condition } from "./model.ts";

const names = ["openat", "read", "write", "close", "mount", "prctl", "execve"] as const;
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const safe = fc.maxSafeInteger();
const errno = fc.constantFrom(...(Object.keys(Errno) as ErrnoName[])); // Object.keys loses the key type

type Shape =
  | { readonly kind: "number"; readonly value: number } | { readonly kind: "bigint"; readonly value: bigint } | {
    readonly kind: "text";
    readonly value: string;
  }
  | { readonly kind: "bytes"; readonly value: Uint8Array } | { readonly kind: "null" } | { readonly kind: "earlier"; readonly value: number } | {
    readonly kind: "register";
    readonly value: number;
  };

const shape: fc.Arbitrary<Shape> = fc.oneof(
  safe.map((value) => ({ kind: "number", value }) as const), int64.map((value) => ({ kind: "bigint", value }) as const),
  fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0")).map((value) => ({ kind: "text", value }) as const),
  fc.uint8Array({ maxLength: 40 }).map((value) => ({ kind: "bytes", value }) as const), fc.constant({ kind: "null" } as const),
  fc.nat(50).map((value) => ({ kind: "earlier", value }) as const), fc.nat(31).map((value) => ({ kind: "register", value }) as const),
);

const instruction = fc.record({
  side: fc.boolean(), name: fc.constantFrom(...names), args: fc.array(shape, { maxLength: 6 }),
  tolerate: fc.oneof(fc.constant(undefined), fc.constant("any" as const), fc.array(errno, { maxLength: 4 })),
  expect: fc.option(safe, { nil: undefined }), register: fc.option(fc.nat(31), { nil: undefined }),
  when: fc.option(fc.record({
    of: fc.nat(50),
    is: fc.oneof(fc.constantFrom("ok" as const, "failed" as const), errno, safe.map((equal) => ({ equal })), errno.map((not) => ({ not }))),
  }), { nil: undefined }),
});

describe("the binary form of a plan", () => {
  test("says what the plan says, whatever that is", () => {
    fc.assert(fc.property(fc.array(instruction, { minLength: 1, maxLength: 40 }), fc.constantFrom("x64", "arm64"), fc.nat(100), (wishes, arch, keep) => {
      const plan = new Plan({ trace: keep % 2 === 0, fork: keep % 3 === 0, last: keep % 5 === 0 });
      plan.keepBelow = keep;
      const calls: Call[] = [];
      const made = wishes.map(({ side, name, args, tolerate, expect: expected, register, when }) => {
        const earlier = (n: number): Call | undefined => (calls.length === 0 ? undefined : calls[n % calls.length]);
        const values = args.map((arg): Arg => (arg.kind === "null" ? null : arg.kind === "earlier"
          ? (earlier(arg.value) ?? 0)
          : arg.kind === "register" ? { register: arg.value }
          : arg.value));
        const of = when === undefined ? undefined : earlier(when.of);
        const condition: Condition | undefined = when === undefined || of === undefined ? undefined : { of, is: when.is };
        const call = (side ? plan.outer : plan.inner).call(name, values, {
          ...(tolerate === undefined ? {} : { tolerate }), ...(expected === undefined ? {} : { expect: expected }),
          ...(register === undefined ? {} : { register }), ...(condition ? { when: condition } : {}),
        });
        calls.push(call);
        return { call, values, condition };
      });
      const decoded = decodePlan(encodePlan(plan, arch));
      const outer = plan.outer.calls.length;
      const position = (call: Call): number => (call.side === "outer" ? call.index : outer + call.index);
      expect([decoded.code.length, decoded.inner, decoded.keep]).toEqual([calls.length, outer, keep]);
      expect(decoded.flags).toBe((keep % 2 === 0 ? 1 : 0) | (keep % 3 === 0 ? 2 : 0) | (keep % 5 === 0 ? 4 : 0));
      made.forEach(({ call, values, condition }) => {
        const got = decoded.code[position(call)];
        if (!got) throw new Error("an instruction is missing");
        const { tolerate, expect: expected, register } = call.options;
        expect([got.op, got.nr, got.register]).toEqual([0, syscallNumber(arch, call.name), register === undefined ? 0 : register + 1]);
        expect(got.flags).toBe((expected === undefined ? 0 : 1) | (tolerate === "any" ? 2 : 0));
        if (expected !== undefined) expect(got.expect).toBe(BigInt(expected));
        expect(got.tolerate).toEqual(tolerate === undefined || tolerate === "any" ? [] : tolerate.map((name) => Errno[name]));
        if (!condition) expect(got.condition.kind).toBe(0);
        else {
          const { is } = condition;
          const kind = is === "failed" ? 3 : is === "ok" ? 4 : typeof is === "object" && "not" in is ? 2 : 1;
          expect([got.condition.kind, got.condition.of]).toEqual([kind, position(condition.of)]);
          if (typeof is === "object") expect(got.condition.value).toBe("not" in is ? BigInt(-Errno[is.not]) : BigInt(is.equal));
          else if (kind === 1) expect(got.condition.value).toBe(BigInt(-Errno[is as ErrnoName])); // the others were "ok" and "failed"
        }
        values.forEach((value, n) => {
          const arg = got.args[n];
          if (!arg) throw new Error("an argument is missing");
          if (value === null) expect(arg).toEqual({ kind: 0, value: 0n });
          else if (typeof value === "number") expect(arg).toEqual({ kind: 0, value: BigInt(value) });
          else if (typeof value === "bigint") expect(arg).toEqual({ kind: 0, value: BigInt.asIntN(64, value) });
          else if (typeof value === "string") expect([arg.kind, decoded.string(arg.value)]).toEqual([1, value.toWellFormed()]);
          else if (value instanceof Uint8Array) expect([
            arg.kind,
            decoded.data.subarray(Number(arg.value), Number(arg.value) + value.length).toString("hex"),
          ]).toEqual([1, Buffer.from(value).toString("hex")]);
          else if ("register" in value) expect(arg).toEqual({ kind: 5, value: BigInt(value.register) });
          else if ("side" in value) expect(arg).toEqual({ kind: 2, value: BigInt(position(value)) });
        });
      });
    }), { numRuns: 200 });
  });

  test("is the same bytes for the same plan", () => {
    const make = (): Plan => {
      const plan = new Plan();
      plan.outer.call("execve", ["/bin/sh", stringArray(["sh", "-c", "x"], "argv"), stringArray([], "envp")]);
      return plan;
    };
    expect(encodePlan(make(), "x64").equals(encodePlan(make(), "x64"))).toBe(true);
  });

  test("follows pointers through blocks, and keeps equal strings once", () => {
    const plan = new Plan();
    plan.outer.call("execve", ["/bin/sh", stringArray(["/bin/sh", "-c"], "argv"), null]);
    const decoded = decodePlan(encodePlan(plan, "x64"));
    const { code, relocations } = decoded;
    const [path, argv] = code[0]?.args ?? [];
    const at = Number(argv?.value);
    expect(relocations.toSorted((a, b) => a - b)).toEqual([at, at + 8]);
    expect(decoded.pointer(at)).toBe(Number(path?.value));
    expect(decoded.string(decoded.pointer(at + 8))).toBe("-c");
    expect(decoded.pointer(at + 16)).toBe(0); // argv ends with NULL
  });

  test("aligns every block to eight bytes, however odd its neighbours are", () => {
    fc.assert(fc.property(fc.array(fc.nat(70), { minLength: 1, maxLength: 30 }), (sizes) => {
      const plan = new Plan();
      for (const size of sizes) plan.outer.call("write", [1, "x".repeat(size), new Block(size + 1)]);
      const seen = new Set<bigint>();
      for (const { args } of decodePlan(encodePlan(plan, "x64")).code) {
        expect((args[2]?.value ?? 1n) % 8n).toBe(0n);
        expect(seen.has(args[2]?.value ?? 0n)).toBe(false); // two blocks of the same content are two
        seen.add(args[2]?.value ?? 0n);
      }
    }));
  });

  test("puts what is read back one behind the other", () => {
    const plan = new Plan();
    expect([plan.out(3).out, plan.out(8).out, plan.out(1).out]).toEqual([0, 8, 16]);
    expect(decodePlan(encodePlan(plan, "x64")).outSize).toBe(24);
  });

  test("grows with its data", () => {
    const plan = new Plan();
    const large = new Uint8Array(300_000).fill(7);
    plan.outer.call("write", [1, large, large.length]);
    const { code, data } = decodePlan(encodePlan(plan, "x64"));
    const at = Number(code[0]?.args[1]?.value);
    expect(data.subarray(at, at + large.length).equals(large)).toBe(true);
  });

  test("refuses a system call that the architecture has not", () => {
    const plan = new Plan();
    plan.outer.call("open", ["/", 0]);
    expect(() => encodePlan(plan, "arm64")).toThrow(`Cannot find system call "open": arm64 has none of that name`);
  });
});

test("unless skips exactly its body", () => {
  const plan = new Plan();
  const first = plan.outer.call("getpid", []);
  plan.outer.unless({ of: first, is: "ok" }, () => {
    plan.outer.call("getpid", []);
    plan.outer.unless({ of: first, is: "failed" }, () => { plan.outer.call("getpid", []); });
  });
  const last = plan.outer.call("getpid", []);
  const { code } = decodePlan(encodePlan(plan, "x64"));
  expect(code.map(({ op, nr }) => (op === 4 ? `skip ${nr}` : "call"))).toEqual(["call", "skip 3", "call", "skip 1", "call", "call"]);
  expect(last.index).toBe(5);
});

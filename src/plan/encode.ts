import { Errno } from "../linux/errno.ts";
import type { Arch } from "../linux/arch.ts";
import { syscallNumber } from "../linux/syscalls.ts";
import type { Plan } from "./build.ts";
import type { Arg, Call, Condition } from "./model.ts";
import { Block } from "./model.ts";

/* The layout of native/keel/plan.h. */
const HEADER_SIZE = 64;
const INSTRUCTION_SIZE = 96;
const MAGIC = 0x314e4c504c45454bn;
const OPS = { call: 0, patch: 1, clone: 2, pick: 3, skip: 4, fail: 5, check: 6, spawn: 7, monitor: 8, wait: 9, await: 10, exit: 11, init: 12, find: 13, front: 14 };
const PATCHES: Record<string, number> = { u32: 4, u64: 8, decimal: 10, padded: 11 };
const Kind = { imm: 0, data: 1, result: 2, load32: 3, out: 4, register: 5 };

/** Lays out blocks and strings one behind the other; equal strings are stored once. */
class DataArea {
  bytes: Buffer = Buffer.alloc(16384);
  size = 8; // offset 0 stays unused, so that no pointer equals "none"
  readonly relocations: number[] = [];
  readonly #strings = new Map<string, number>();
  readonly #blocks = new Map<Block | Uint8Array, number>();

  place(value: Block | string | Uint8Array): number {
    if (typeof value === "string") return this.#string(value);
    const known = this.#blocks.get(value);
    if (known !== undefined) return known;
    const content = value instanceof Block ? value.bytes : value;
    const at = this.#reserve(content.length);
    this.bytes.set(content, at);
    this.#blocks.set(value, at);
    if (value instanceof Block) {
      for (const { at: offset, to } of value.pointers) {
        const target = this.place(to);
        this.bytes.writeUInt32LE(target, at + offset);
        this.bytes.writeUInt32LE(0, at + offset + 4);
        this.relocations.push(at + offset);
      }
    }
    return at;
  }

  #string(value: string): number {
    const known = this.#strings.get(value);
    if (known !== undefined) return known;
    const at = this.#reserve(value.length * 3 + 1);
    const length = this.bytes.write(value, at, "utf8");
    this.bytes[at + length] = 0;
    this.size = at + length + 1;
    this.#strings.set(value, at);
    return at;
  }

  #reserve(size: number): number {
    const at = (this.size + 7) & ~7;
    if (at + size + 8 > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(this.bytes.length * 2, at + size + 4096));
      this.bytes.copy(larger, 0, 0, this.size);
      this.bytes = larger;
    }
    this.size = at + size;
    return at;
  }
}

/** The binary form of a plan for keel on `arch`. A pure function of the plan. */
export function encodePlan(plan: Plan, arch: Arch): Buffer {
  const data = new DataArea();
  const outer = plan.outer.calls.length;
  const count = outer + plan.inner.calls.length;
  const code = Buffer.alloc(count * INSTRUCTION_SIZE);
  const indexOf = (call: Call): number => (call.side === "outer" ? call.index : outer + call.index);

  const writeArg = (at: number, n: number, arg: Arg): void => {
    const value = at + 48 + n * 8;
    let kind = Kind.imm;
    if (typeof arg === "number") {
      code.writeInt32LE(arg | 0, value);
      code.writeInt32LE(Math.floor(arg / 4294967296), value + 4);
    } else if (arg === null) {
      /* zero already */
    } else if (typeof arg === "bigint") {
      code.writeBigUInt64LE(BigInt.asUintN(64, arg), value);
    } else if (typeof arg === "string" || arg instanceof Uint8Array || arg instanceof Block) {
      kind = Kind.data;
      code.writeUInt32LE(data.place(arg), value);
    } else if ("load32" in arg) {
      kind = Kind.load32;
      code.writeUInt32LE(data.place(arg.load32) + arg.offset, value);
    } else if ("out" in arg) {
      kind = Kind.out;
      code.writeUInt32LE(arg.out, value);
    } else if ("register" in arg) {
      kind = Kind.register;
      code.writeUInt32LE(arg.register, value);
    } else {
      kind = Kind.result;
      code.writeUInt32LE(indexOf(arg), value);
    }
    code[at + 8 + n] = kind;
  };

  const writeCondition = (at: number, condition: Condition): void => {
    code.writeUInt32LE(indexOf(condition.of), at + 16);
    const { is } = condition;
    if (is === "failed" || is === "ok") {
      code[at + 3] = is === "failed" ? 3 : 4;
      return;
    }
    const negated = typeof is === "object" && "not" in is;
    const wanted = typeof is === "string" ? -Errno[is] : "equal" in is ? is.equal : -Errno[is.not];
    code[at + 3] = negated ? 2 : 1;
    code.writeBigInt64LE(BigInt(wanted), at + 24);
  };

  const writeCall = (call: Call, at: number): void => {
    const { options } = call;
    code[at] = OPS[call.op];
    code[at + 1] = (options.expect === undefined ? 0 : 1) | (options.tolerate === "any" ? 2 : 0);
    code[at + 2] = options.register === undefined ? 0 : options.register + 1;
    if (options.when) writeCondition(at, options.when);
    if (options.expect !== undefined) code.writeBigInt64LE(BigInt(options.expect), at + 32);
    if (options.tolerate && options.tolerate !== "any")
      options.tolerate.forEach((name, i) => code.writeUInt16LE(Errno[name], at + 40 + i * 2));
    switch (call.op) {
      case "call":
        code.writeUInt32LE(syscallNumber(arch, call.name), at + 4);
        call.args.forEach((arg, n) => writeArg(at, n, arg));
        break;
      case "patch": {
        const [block, offset, value] = call.args;
        if (!(block instanceof Block) || typeof offset !== "number" || value === undefined) throw new TypeError("malformed patch");
        code.writeUInt32LE(PATCHES[call.name] ?? 0, at + 4);
        writeArg(at, 0, data.place(block) + offset);
        writeArg(at, 1, value);
        break;
      }
      case "skip":
      case "fail":
      case "exit":
        code.writeUInt32LE(Number(call.args[0]), at + 4);
        break;
      case "spawn":
      case "monitor":
        writeArg(at, 0, data.place(call.args[0] as Block)); // Line.spawn and Line.monitor take nothing else
        break;
      default:
        call.args.forEach((arg, n) => writeArg(at, n, arg));
    }
  };

  let at = 0;
  for (const line of [plan.outer, plan.inner])
    for (const call of line.calls) {
      writeCall(call, at);
      at += INSTRUCTION_SIZE;
    }

  const relocsAt = HEADER_SIZE + code.length;
  const dataAt = (relocsAt + data.relocations.length * 4 + 7) & ~7;
  const total = dataAt + data.size;
  const bytes = Buffer.alloc(total);
  bytes.writeBigUInt64LE(MAGIC, 0);
  [total, count, outer, (plan.flags.trace ? 1 : 0) | (plan.flags.fork ? 2 : 0) | (plan.flags.last ? 4 : 0), HEADER_SIZE, relocsAt,
    data.relocations.length, dataAt, data.size, plan.outSize, plan.keepBelow].forEach((value, i) => bytes.writeUInt32LE(value, 8 + i * 4));
  code.copy(bytes, HEADER_SIZE);
  data.relocations.forEach((relocation, i) => bytes.writeUInt32LE(relocation, relocsAt + i * 4));
  data.bytes.copy(bytes, dataAt, 0, data.size);
  return bytes;
}

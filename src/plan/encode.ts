import { Errno } from "../linux/errno.ts";
import type { Arch } from "../linux/arch.ts";
import { syscallNumber } from "../linux/syscalls.ts";
import type { Plan } from "./build.ts";
import { DataArea } from "./data-area.ts";
import type { Arg, Call, Condition, Op } from "./model.ts";
import { Block } from "./model.ts";

/*
 * The layout of native/keel/plan.h, in 32-bit words. This runs once in a program that has just started, before any of it
 * is compiled: words stored into a typed array are the cheapest thing there is.
 */
export const HEADER_SIZE = 64;
export const INSTRUCTION_SIZE = 96;
export const MAGIC = 0x314e4c504c45454bn;
const HEADER_WORDS = HEADER_SIZE / 4;
const INSTRUCTION_WORDS = INSTRUCTION_SIZE / 4;
const MAGIC_LOW = 0x4c45454b;
const MAGIC_HIGH = 0x314e4c50;
const PATCHES: Readonly<Record<string, number>> = { u32: 4, u64: 8, decimal: 10, padded: 11 };
/** Positions within an instruction. */
const Word = { head: 0, nr: 1, kinds: 2, condition: 4, conditionValue: 6, expect: 8, tolerate: 10, args: 12 };
export const Kind = { imm: 0, data: 1, result: 2, load32: 3, out: 4, register: 5 };

function opNumber(op: Op): number {
  switch (op) {
    case "call": return 0;
    case "patch": return 1;
    case "clone": return 2;
    case "pick": return 3;
    case "skip": return 4;
    case "fail": return 5;
    case "check": return 6;
    case "spawn": return 7;
    case "monitor": return 8;
    case "wait": return 9;
    case "await": return 10;
    case "exit": return 11;
    case "init": return 12;
    case "find": return 13;
    case "front": return 14;
  }
}

/** A plan as keel reads it. */
export interface EncodedPlan {
  readonly bytes: Buffer;
  /** Instructions of both sides. */
  readonly count: number;
}

/** Writes the instructions of one plan. */
class Writer {
  readonly words: Uint32Array;
  readonly data = new DataArea();
  readonly #outer: number;
  readonly #arch: Arch;
  readonly #numbers = new Map<string, number>();

  constructor(count: number, outer: number, arch: Arch) {
    this.words = new Uint32Array(count * INSTRUCTION_WORDS);
    this.#outer = outer;
    this.#arch = arch;
  }

  write(call: Call, at: number): void {
    const { words } = this;
    const { options, args } = call;
    const { when, expect, tolerate, register } = options;
    let head = opNumber(call.op);
    if (expect !== undefined) {
      head |= 1 << 8;
      this.#put64(at + Word.expect, expect);
    }
    if (tolerate === "any") head |= 2 << 8;
    else if (tolerate !== undefined)
      for (let i = 0; i < tolerate.length; i++)
        words[at + Word.tolerate + (i >> 1)] = (words[at + Word.tolerate + (i >> 1)] ?? 0) | (Errno[tolerate[i] ?? "EPERM"] << ((i & 1) * 16));
    if (register !== undefined) head |= (register + 1) << 16;
    if (when !== undefined) head |= this.#condition(when, at) << 24;
    words[at] = head;
    switch (call.op) {
      case "call":
        words[at + Word.nr] = this.#number(call.name);
        for (let n = 0; n < args.length; n++) this.#arg(at, n, args[n] ?? null);
        break;
      case "patch": {
        const [block, offset, value] = args;
        if (!(block instanceof Block) || typeof offset !== "number" || value === undefined) throw new TypeError("malformed patch");
        words[at + Word.nr] = PATCHES[call.name] ?? 0;
        words[at + Word.args] = this.data.place(block) + offset;
        this.#arg(at, 1, value);
        break;
      }
      case "skip":
      case "fail":
      case "exit":
        words[at + Word.nr] = Number(args[0]);
        break;
      case "spawn":
      case "monitor":
        words[at + Word.args] = this.data.place(args[0] as Block); // Line.spawn and Line.monitor take nothing else
        break;
      default:
        for (let n = 0; n < args.length; n++) this.#arg(at, n, args[n] ?? null);
    }
  }

  #number(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) this.#numbers.set(name, (number = syscallNumber(this.#arch, name)));
    return number;
  }

  #index(call: Call): number {
    return call.side === "outer" ? call.index : this.#outer + call.index;
  }

  #put64(at: number, value: number): void {
    this.words[at] = value % 4294967296;
    this.words[at + 1] = Math.floor(value / 4294967296);
  }

  #arg(at: number, n: number, arg: Arg): void {
    const value = at + Word.args + n * 2;
    const { words } = this;
    if (typeof arg === "number") {
      this.#put64(value, arg);
      return;
    }
    if (arg === null) return;
    let kind: number;
    if (typeof arg === "string" || arg instanceof Block || arg instanceof Uint8Array) {
      kind = Kind.data;
      words[value] = this.data.place(arg);
    } else if (typeof arg === "bigint") {
      const bits = BigInt.asUintN(64, arg);
      words[value] = Number(bits & 0xffffffffn);
      words[value + 1] = Number(bits >> 32n);
      return;
    } else if ("side" in arg) {
      kind = Kind.result;
      words[value] = this.#index(arg);
    } else if ("load32" in arg) {
      kind = Kind.load32;
      words[value] = this.data.place(arg.load32) + arg.offset;
    } else if ("out" in arg) {
      kind = Kind.out;
      words[value] = arg.out;
    } else {
      kind = Kind.register;
      words[value] = arg.register;
    }
    const kinds = at + Word.kinds + (n >> 2);
    words[kinds] = (words[kinds] ?? 0) | (kind << ((n & 3) * 8));
  }

  /** Writes what the condition compares with; the number of its kind. */
  #condition({ of, is }: Condition, at: number): number {
    this.words[at + Word.condition] = this.#index(of);
    if (is === "failed") return 3;
    if (is === "ok") return 4;
    if (typeof is === "string") this.#put64(at + Word.conditionValue, -Errno[is]);
    else if ("equal" in is) this.#put64(at + Word.conditionValue, is.equal);
    else {
      this.#put64(at + Word.conditionValue, -Errno[is.not]);
      return 2;
    }
    return 1;
  }
}

/** The binary form of a plan for keel on `arch`. A pure function of the plan. */
export function encodePlan(plan: Plan, arch: Arch): Buffer {
  const outer = plan.outer.calls.length;
  const count = outer + plan.inner.calls.length;
  const writer = new Writer(count, outer, arch);
  let at = 0;
  for (const line of [plan.outer, plan.inner])
    for (const call of line.calls) {
      writer.write(call, at);
      at += INSTRUCTION_WORDS;
    }
  const { words, data } = writer;
  const relocs = HEADER_WORDS + words.length;
  const dataAt = (relocs + data.relocations.length + 1) & ~1;
  const size = dataAt * 4 + data.size;
  const whole = new Uint32Array(Math.ceil(size / 4));
  const { trace, fork, last } = plan.flags;
  whole.set([MAGIC_LOW, MAGIC_HIGH, size, count, outer, (trace ? 1 : 0) | (fork ? 2 : 0) | (last ? 4 : 0), HEADER_WORDS * 4, relocs * 4,
    data.relocations.length, dataAt * 4, data.size, plan.outSize, plan.keepBelow]);
  whole.set(words, HEADER_WORDS);
  whole.set(data.relocations, relocs);
  const bytes = Buffer.from(whole.buffer, 0, size);
  bytes.set(data.bytes.subarray(0, data.size), dataAt * 4);
  return bytes;
}

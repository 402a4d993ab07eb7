import type { ErrnoName } from "../linux/errno.ts";

/** Which process executes an instruction: the one that keel is, or the one that it clones. */
export type Side = "outer" | "inner";

/** One instruction of a plan; also the handle by which later instructions name its result. */
export interface Call {
  readonly side: Side;
  /** Position within its side. */
  readonly index: number;
  readonly op: Op;
  /** Name of the system call, or of keel's own operation. */
  readonly name: string;
  readonly args: readonly Arg[];
  readonly options: CallOptions;
  readonly stage: string;
}

export type Op =
  | "call" | "patch" | "clone" | "pick" | "skip" | "fail" | "check" | "spawn" | "monitor" | "wait" | "await" | "exit" | "init" | "find" | "front";

export interface Condition {
  readonly of: Call;
  readonly is: "ok" | "failed" | ErrnoName | { readonly equal: number } | { readonly not: ErrnoName };
}

export interface CallOptions {
  /** For people: why this call, in one line. */
  readonly why?: string;
  /** For error messages, after "Cannot ": `mount "/proc"`. */
  readonly what?: string;
  /** Errnos that do not matter here; "any" for all of them. At most four. */
  readonly tolerate?: readonly ErrnoName[] | "any";
  /** Executed only if this holds. */
  readonly when?: Condition;
  /** Any other result is a failure (EPROTO). */
  readonly expect?: number;
  /** Register (0–31) that takes the result, for later parts of a plan in parts. */
  readonly register?: number;
  /** Waiting for the other side: `trace` shows it as waiting, not as work. */
  readonly waits?: boolean;
}

/** The value of a 32-bit word that an earlier call wrote into a block. */
export interface Load32 {
  readonly load32: Block;
  readonly offset: number;
}

/** A pointer into the area that the engine reads back. */
export interface Out {
  readonly out: number;
}

export interface Register {
  readonly register: number;
}

/** A string is passed as a pointer to its NUL-terminated UTF-8 bytes; null is the null pointer. */
export type Arg = number | bigint | string | Uint8Array | Call | Block | Load32 | Out | Register | null;

/**
 * A piece of the plan's data: bytes, and places in them that hold pointers to other data. Calls may write into it,
 * and `patch` puts results there that are known only at run time.
 */
export class Block {
  readonly bytes: Uint8Array;
  readonly pointers: { at: number; to: Block | string | Uint8Array }[] = [];
  /** For people: what this is ("struct clone_args"). */
  readonly label: string;

  constructor(bytes: Uint8Array | number, label = "") {
    this.bytes = typeof bytes === "number" ? new Uint8Array(bytes) : bytes;
    this.label = label;
  }

  u16(at: number, value: number): this {
    this.bytes[at] = value;
    this.bytes[at + 1] = value >>> 8;
    return this;
  }

  /** Byte by byte: in a program that has just started, a DataView costs more than the four stores. */
  u32(at: number, value: number): this {
    const { bytes } = this;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    return this;
  }

  u64(at: number, value: number | bigint): this {
    if (typeof value === "number") return this.u32(at, value % 4294967296).u32(at + 4, Math.floor(value / 4294967296));
    const bits = BigInt.asUintN(64, value);
    return this.u32(at, Number(bits & 0xffffffffn)).u32(at + 4, Number(bits >> 32n));
  }

  /** An 8-byte pointer at `at` to other data of the plan. */
  pointer(at: number, to: Block | string | Uint8Array): this {
    this.pointers.push({ at, to });
    return this;
  }
}

/** A NULL-terminated array of strings, as execve(2) takes. */
export function stringArray(values: readonly string[], label: string): Block {
  const block = new Block((values.length + 1) * 8, label);
  values.forEach((value, i) => block.pointer(i * 8, value));
  return block;
}

export type PatchFormat = "u32" | "u64" | "decimal" | "padded";

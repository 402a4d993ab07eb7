import {
  BPF_ALU_AND_K,
  BPF_JMP_JA,
  type BPF_JMP_JEQ_K,
  type BPF_JMP_JGE_K,
  type BPF_JMP_JGT_K,
  type BPF_JMP_JSET_K,
  BPF_LD_W_ABS,
  BPF_MAXINSNS,
  BPF_RET_K,
  SOCK_FILTER_SIZE,
} from "../../linux/bpf.ts";
import { SampanError } from "../../base/errors.ts";

/** A place in the program to jump to, or a result that is placed where somebody needs it. */
export interface Target {
  /** Instructions from the end of the program, 0 being the last; -1 while a result is not placed yet. */
  at: number;
  /** The SECCOMP_RET_* value, or undefined for code. */
  readonly result: number | undefined;
}

type Branch = typeof BPF_JMP_JEQ_K | typeof BPF_JMP_JGT_K | typeof BPF_JMP_JGE_K | typeof BPF_JMP_JSET_K;

/** Conditional jumps reach no further: their offsets have 8 bits. */
const REACH = 255;

/**
 * Builds a classic BPF program from its end to its beginning. BPF only jumps forwards, so every target exists before
 * the jump to it, distances are known at once, and nothing needs patching. A target out of a conditional jump's
 * reach gets a nearer stand-in: a second copy of a result, or a long jump to code.
 *
 * Only instructions that the kernel's constant-allow analysis understands are used on the way to a verdict that
 * depends on the number alone (Linux 5.11, kernel/seccomp.c, seccomp_is_const_allow): such calls then skip the filter.
 */
export class Assembler {
  /** Packed as two words: code, jt, jf; and k. From the end backwards. */
  readonly #heads: number[] = [];
  readonly #constants: number[] = [];
  readonly #results = new Map<number, Target>();

  result(value: number): Target {
    let target = this.#results.get(value);
    if (target === undefined) {
      target = { at: -1, result: value };
      this.#results.set(value, target);
    }
    return target;
  }

  /** Go to `yes` if `A <op> k`, else to `no`. */
  branch(op: Branch, k: number, yes: Target, no: Target): Target {
    if (yes === no) return yes;
    // Placing `no` may push this instruction one further from `yes`.
    const yesAt = this.#reach(yes, 1);
    const noAt = this.#reach(no, 0);
    const here = this.#heads.length;
    return this.#code(op | ((here - yesAt - 1) << 16) | ((here - noAt - 1) << 24), k);
  }

  /** A = the 32-bit word of seccomp_data at `offset`; then `next`. */
  load(offset: number, next: Target): Target {
    this.#follow(next);
    return this.#code(BPF_LD_W_ABS, offset);
  }

  /** A &= k; then `next`. */
  and(k: number, next: Target): Target {
    this.#follow(next);
    return this.#code(BPF_ALU_AND_K, k);
  }

  /**
   * The program that starts at `start`, encoded for the kernel.
   * @throws SampanError `invalid` beyond BPF_MAXINSNS instructions
   */
  finish(start: Target): Uint8Array {
    this.#follow(start);
    const count = this.#heads.length;
    if (count > BPF_MAXINSNS) {
      throw new SampanError("invalid", `Cannot compile seccomp profile: it needs ${count} BPF instructions, the kernel takes ${BPF_MAXINSNS}`, {
        hint: "use fewer argument conditions",
      });
    }
    const bytes = new Uint8Array(count * SOCK_FILTER_SIZE);
    const view = new DataView(bytes.buffer);
    for (let index = 0; index < count; index++) {
      const from = count - 1 - index;
      view.setUint32(index * SOCK_FILTER_SIZE, (this.#heads[from] ?? 0) >>> 0, true);
      view.setUint32(index * SOCK_FILTER_SIZE + 4, (this.#constants[from] ?? 0) >>> 0, true);
    }
    return bytes;
  }

  /** A position of `target` that a conditional jump can reach with `reserve` instructions still to come before it. */
  #reach(target: Target, reserve: number): number {
    if (target.at < 0 || this.#heads.length + reserve - target.at - 1 > REACH) this.#copy(target);
    return target.at;
  }

  /** Makes the instruction placed next fall into `target`. */
  #follow(target: Target): void {
    if (target.at < 0 || target.at !== this.#heads.length - 1) this.#copy(target);
  }

  /** Places a stand-in; being nearer, it serves everything that comes before it as well. */
  #copy(target: Target): void {
    const here = this.#heads.length;
    if (target.result === undefined) this.#place(BPF_JMP_JA, here - target.at - 1);
    else this.#place(BPF_RET_K, target.result);
    target.at = here;
  }

  #code(head: number, k: number): Target {
    this.#place(head, k);
    return { at: this.#heads.length - 1, result: undefined };
  }

  #place(head: number, k: number): void {
    this.#heads.push(head);
    this.#constants.push(k);
  }
}

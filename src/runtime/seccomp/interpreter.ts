import {
  argumentOffset,
  BPF_ALU_AND_K,
  BPF_JMP_JA,
  BPF_JMP_JEQ_K,
  BPF_JMP_JGE_K,
  BPF_JMP_JGT_K,
  BPF_JMP_JSET_K,
  BPF_LD_W_ABS,
  BPF_RET_K,
  decodeProgram,
  SECCOMP_DATA_ARCH,
  SECCOMP_DATA_NR,
  SECCOMP_DATA_SIZE,
  type SockFilter,
} from "../../linux/bpf.ts";

/** What a filter is shown of a call. */
export interface SeccompData {
  readonly arch: number;
  readonly nr: number;
  readonly args?: readonly bigint[];
}

/** The result and what it took, or a complaint that the kernel's checker would make (it refuses the program with EINVAL). */
export interface Verdict {
  readonly result: number;
  readonly steps: number;
  /** Whether an argument was looked at: then the kernel cannot remember an ALLOW for the number. */
  readonly usesArguments: boolean;
}

/** Runs classic BPF as the kernel does, for tests and for showing people what a profile says; strict about malformed programs. */
export class BpfInterpreter {
  readonly program: readonly SockFilter[];

  constructor(bytes: Uint8Array) {
    if (bytes.length === 0 || bytes.length % 8 !== 0) throw new RangeError("Not a whole number of instructions");
    this.program = decodeProgram(bytes);
  }

  run({ arch, nr, args = [] }: SeccompData): Verdict {
    const data = new DataView(new ArrayBuffer(SECCOMP_DATA_SIZE));
    data.setUint32(SECCOMP_DATA_NR, nr >>> 0, true);
    data.setUint32(SECCOMP_DATA_ARCH, arch, true);
    for (const [index, value] of args.entries()) data.setBigUint64(argumentOffset(index, "low"), BigInt.asUintN(64, value), true);
    let a = 0;
    let usesArguments = false;
    for (let pc = 0, steps = 1; ; pc++, steps++) {
      const instruction = this.program[pc];
      if (instruction === undefined) throw new RangeError(`Jump out of the program, to ${pc}`);
      const { code, jt, jf, k } = instruction;
      switch (code) {
        case BPF_LD_W_ABS:
          if (k % 4 !== 0 || k >= SECCOMP_DATA_SIZE) throw new RangeError(`Load from offset ${k}`);
          a = data.getUint32(k, true);
          usesArguments ||= k > SECCOMP_DATA_ARCH;
          break;
        case BPF_ALU_AND_K:
          a = (a & k) >>> 0;
          break;
        case BPF_JMP_JA:
          pc += k;
          break;
        case BPF_JMP_JEQ_K:
          pc += a === k ? jt : jf;
          break;
        case BPF_JMP_JGT_K:
          pc += a > k ? jt : jf;
          break;
        case BPF_JMP_JGE_K:
          pc += a >= k ? jt : jf;
          break;
        case BPF_JMP_JSET_K:
          pc += (a & k) !== 0 ? jt : jf;
          break;
        case BPF_RET_K:
          return { result: k, steps, usesArguments };
        default:
          throw new RangeError(`Instruction code ${code} at ${pc}`);
      }
    }
  }
}

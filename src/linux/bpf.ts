/**
 * Classic BPF as seccomp uses it: linux/filter.h, linux/bpf_common.h, linux/seccomp.h, linux/audit.h; seccomp(2).
 * Values only; src/runtime/seccomp makes programs of them.
 */

/** One `struct sock_filter`: jump offsets count from the following instruction, `jt` and `jf` have 8 bits, `k` 32. */
export interface SockFilter {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** Bytes of an encoded sock_filter. */
export const SOCK_FILTER_SIZE = 8;

/** The kernel takes no longer program, in instructions (linux/bpf_common.h, BPF_MAXINSNS). */
export const BPF_MAXINSNS = 4096;

/** Load the 32-bit word of seccomp_data at offset k into A. */
export const BPF_LD_W_ABS = 0x20;
/** A &= k. */
export const BPF_ALU_AND_K = 0x54;
/** Jump k instructions ahead. */
export const BPF_JMP_JA = 0x05;
export const BPF_JMP_JEQ_K = 0x15;
/** Unsigned A > k. */
export const BPF_JMP_JGT_K = 0x25;
/** Unsigned A >= k. */
export const BPF_JMP_JGE_K = 0x35;
/** A & k is not 0. */
export const BPF_JMP_JSET_K = 0x45;
export const BPF_RET_K = 0x06;

/** `struct seccomp_data`: offsets in bytes. */
export const SECCOMP_DATA_NR = 0;
export const SECCOMP_DATA_ARCH = 4;
export const SECCOMP_DATA_INSTRUCTION_POINTER = 8;
/** Six 64-bit arguments; a 32-bit ABI's are zero-extended. */
const SECCOMP_DATA_ARGS = 16;
export const SECCOMP_DATA_SIZE = 64;

/** Offset of the low or high 32-bit word of an argument; both our architectures are little-endian. */
export function argumentOffset(index: number, word: "low" | "high"): number {
  return SECCOMP_DATA_ARGS + index * 8 + (word === "high" ? 4 : 0);
}

/** Results, strongest first: of several filters the strongest result counts (seccomp(2)). */
export const SECCOMP_RET_KILL_PROCESS = 0x8000_0000;
export const SECCOMP_RET_KILL_THREAD = 0x0000_0000;
/** SIGSYS; the low 16 bits are si_errno. */
export const SECCOMP_RET_TRAP = 0x0003_0000;
/** The low 16 bits are the errno that the caller sees, 4095 at most. */
export const SECCOMP_RET_ERRNO = 0x0005_0000;
/** Ask the listener (Linux 5.0). */
export const SECCOMP_RET_USER_NOTIF = 0x7fc0_0000;
/** Ask the tracer; the low 16 bits are its event message. */
export const SECCOMP_RET_TRACE = 0x7ff0_0000;
/** Allow, after a line in the audit log (Linux 4.14). */
export const SECCOMP_RET_LOG = 0x7ffc_0000;
export const SECCOMP_RET_ALLOW = 0x7fff_0000;
export const SECCOMP_RET_DATA = 0x0000_ffff;

/** Flags of seccomp(SECCOMP_SET_MODE_FILTER). */
export const SECCOMP_FILTER_FLAG_TSYNC = 1;
export const SECCOMP_FILTER_FLAG_LOG = 2;
export const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;
/** The call returns the listener's descriptor. */
export const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8;
/** Linux 5.19. */
export const SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 32;

/** `seccomp_data.arch`; x32 shares x86_64's and is told by bit 30 of the number. */
export const AUDIT_ARCH_X86_64 = 0xc000_003e;
export const AUDIT_ARCH_I386 = 0x4000_0003;
export const AUDIT_ARCH_AARCH64 = 0xc000_00b7;
export const AUDIT_ARCH_ARM = 0x4000_0028;

/** A program out of what the kernel reads, for people's eyes and for tests: little-endian sock_filters, one after the other. */
export function decodeProgram(bytes: Uint8Array): SockFilter[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const program: SockFilter[] = [];
  for (let at = 0; at + SOCK_FILTER_SIZE <= bytes.length; at += SOCK_FILTER_SIZE) {
    program.push({
      code: view.getUint16(at, true),
      jt: view.getUint8(at + 2),
      jf: view.getUint8(at + 3),
      k: view.getUint32(at + 4, true),
    });
  }
  return program;
}

/**
 * Device control on cgroup v2: a program of type BPF_PROG_TYPE_CGROUP_DEVICE, asked by the kernel at every open and
 * mknod of a device node (kernel 4.15; here with 32-bit jumps, kernel 5.1). Encoding: Documentation/bpf/standardization
 * /instruction-set.rst; constants and structs: include/uapi/linux/bpf.h.
 */

/** bpf(2) commands and the values that loading and attaching need. */
export const bpf = {
  BPF_PROG_LOAD: 5,
  BPF_PROG_ATTACH: 8,
  BPF_PROG_TYPE_CGROUP_DEVICE: 15,
  BPF_CGROUP_DEVICE: 6,
  BPF_F_ALLOW_MULTI: 2,
} as const;

/** BPF_DEVCG_ACC_*: the request is in the upper 16 bits of bpf_cgroup_dev_ctx.access_type. */
export const accessMknod = 1;
export const accessRead = 2;
export const accessWrite = 4;
/** BPF_DEVCG_DEV_*: in its lower 16 bits. */
const deviceBlock = 1;
const deviceChar = 2;

/** Devices for which the default verdict is turned around. An absent number stands for all. */
export interface DeviceException {
  readonly type: "b" | "c";
  readonly major?: number;
  readonly minor?: number;
  /** Of accessRead, accessWrite and accessMknod. */
  readonly access: number;
}

export interface DevicePolicy {
  readonly defaultAllow: boolean;
  readonly exceptions: readonly DeviceException[];
}

const LDX_W = 0x61;
const MOV32_X = 0xbc;
const MOV64_K = 0xb7;
const AND32_K = 0x54;
const RSH32_K = 0x74;
const JNE32_K = 0x56;
const JEQ32_K = 0x16;
const EXIT = 0x95;

const TYPE = 2;
const ACCESS = 3;
const MAJOR = 4;
const MINOR = 5;

type Instruction = [opcode: number, dst: number, src: number, offset: number, imm: number];

/**
 * The policy as instructions, 8 bytes each in this machine's byte order (little-endian on x64 and arm64).
 *
 * The same verdicts as the v1 controller (security/device_cgroup.c): where the default is to deny, one exception must
 * cover the whole request; where it is to allow, an exception that covers any part of the request denies it.
 */
export function deviceProgram(policy: DevicePolicy): Uint8Array {
  const program: Instruction[] = [
    [LDX_W, TYPE, 1, 0, 0],
    [MOV32_X, ACCESS, TYPE, 0, 0],
    [AND32_K, TYPE, 0, 0, 0xffff],
    [RSH32_K, ACCESS, 0, 0, 16],
    [LDX_W, MAJOR, 1, 4, 0],
    [LDX_W, MINOR, 1, 8, 0],
  ];
  for (const exception of policy.exceptions) {
    const block: Instruction[] = [[JNE32_K, TYPE, 0, 0, exception.type === "b" ? deviceBlock : deviceChar]];
    const everything = accessRead | accessWrite | accessMknod;
    if (policy.defaultAllow) {
      block.push([MOV32_X, 0, ACCESS, 0, 0], [AND32_K, 0, 0, 0, exception.access], [JEQ32_K, 0, 0, 0, 0]);
    } else if (exception.access !== everything) {
      block.push([MOV32_X, 0, ACCESS, 0, 0], [AND32_K, 0, 0, 0, everything & ~exception.access], [JNE32_K, 0, 0, 0, 0]);
    }
    if (exception.major !== undefined) block.push([JNE32_K, MAJOR, 0, 0, exception.major]);
    if (exception.minor !== undefined) block.push([JNE32_K, MINOR, 0, 0, exception.minor]);
    block.push([MOV64_K, 0, 0, 0, policy.defaultAllow ? 0 : 1], [EXIT, 0, 0, 0, 0]);
    block.forEach((instruction, index) => {
      // Every jump leaves for the next exception.
      if (instruction[0] === JNE32_K || instruction[0] === JEQ32_K) instruction[3] = block.length - index - 1;
    });
    program.push(...block);
  }
  program.push([MOV64_K, 0, 0, 0, policy.defaultAllow ? 1 : 0], [EXIT, 0, 0, 0, 0]);

  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(([opcode, dst, src, offset, imm], index) => {
    view.setUint8(index * 8, opcode);
    view.setUint8(index * 8 + 1, dst | (src << 4));
    view.setInt16(index * 8 + 2, offset, true);
    view.setInt32(index * 8 + 4, imm | 0, true);
  });
  return bytes;
}

import { ipToBytes, requireIp } from "./ip.ts";
import type { PublishedPort } from "./ports.ts";

/**
 * [::1]:PORT on the host, which no rule can forward (docs/networking.md): a BPF program at the root of the cgroup tree, asked by the
 * kernel whenever a process connects an IPv6 socket, that puts the container's address in the place of ::1. Nothing is copied
 * and no process stays. Program type BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attached as BPF_CGROUP_INET6_CONNECT (Linux 4.17; the cookie of a network
 * namespace 5.7); struct bpf_sock_addr and encoding: include/uapi/linux/bpf.h, Documentation/bpf/standardization/instruction-set.rst.
 */

/** Bytes of a key: the port in network order and the protocol, 32 bits each. */
export const LOOPBACK_KEY_SIZE = 8;
/** Bytes of a value: an IPv6 address (IPv4 ones as ::ffff:a.b.c.d) and the port in network order in 32 bits. */
export const LOOPBACK_VALUE_SIZE = 20;

/** Where the executor writes what is known only at run time, 32 bits each. */
export interface LoopbackProgram {
  readonly bytes: Uint8Array;
  readonly mapFdAt: number;
  readonly cookieLowAt: number;
  readonly cookieHighAt: number;
}

type Instruction = [opcode: number, dst: number, src: number, offset: number, imm: number];

const MOV64_X = 0xbf;
const MOV64_K = 0xb7;
const ADD64_K = 0x07;
const LDX_W = 0x61;
const STX_W = 0x63;
const LDDW = 0x18;
const JNE64_X = 0x5d;
const JNE64_K = 0x55;
const JEQ64_K = 0x15;
const CALL = 0x85;
const EXIT = 0x95;

const BPF_PSEUDO_MAP_FD = 1;
const BPF_FUNC_map_lookup_elem = 1;
const BPF_FUNC_get_netns_cookie = 122;

/** Offsets in struct bpf_sock_addr. */
const USER_IP6 = 8;
const USER_PORT = 24;
const PROTOCOL = 36;
/** The last 32 bits of ::1, as a little-endian machine loads them. */
const ONE = 0x01000000;

/** Every jump leads to the end, which lets the call go on: with the address as it was, or as it has become. */
export function loopbackProgram(): LoopbackProgram {
  const program: Instruction[] = [
    [MOV64_X, 6, 1, 0, 0],
    // Only the host's own ::1: every network namespace has one.
    [CALL, 0, 0, 0, BPF_FUNC_get_netns_cookie],
    [LDDW, 1, 0, 0, 0],
    [0, 0, 0, 0, 0],
    [JNE64_X, 0, 1, 0, 0],
  ];
  for (const [word, wanted] of [0, 0, 0, ONE].entries()) program.push([LDX_W, 2, 6, USER_IP6 + word * 4, 0], [JNE64_K, 2, 0, 0, wanted]);
  program.push(
    [LDX_W, 2, 6, USER_PORT, 0],
    [STX_W, 10, 2, -8, 0],
    [LDX_W, 2, 6, PROTOCOL, 0],
    [STX_W, 10, 2, -4, 0],
    [LDDW, 1, BPF_PSEUDO_MAP_FD, 0, 0],
    [0, 0, 0, 0, 0],
    [MOV64_X, 2, 10, 0, 0],
    [ADD64_K, 2, 0, 0, -8],
    [CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem],
    [JEQ64_K, 0, 0, 0, 0],
  );
  for (let word = 0; word < 4; word++) program.push([LDX_W, 2, 0, word * 4, 0], [STX_W, 6, 2, USER_IP6 + word * 4, 0]);
  program.push([LDX_W, 2, 0, 16, 0], [STX_W, 6, 2, USER_PORT, 0]);
  const end = program.length;
  program.push([MOV64_K, 0, 0, 0, 1], [EXIT, 0, 0, 0, 0]);

  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(([opcode, dst, src, offset, imm], index) => {
    const jumps = opcode === JNE64_X || opcode === JNE64_K || opcode === JEQ64_K;
    view.setUint8(index * 8, opcode);
    view.setUint8(index * 8 + 1, dst | (src << 4));
    view.setInt16(index * 8 + 2, jumps ? end - index - 1 : offset, true);
    view.setInt32(index * 8 + 4, imm, true);
  });
  const [cookie = 0, map = 0] = program.flatMap(([opcode], index) => (opcode === LDDW ? [index] : []));
  return { bytes, cookieLowAt: cookie * 8 + 4, cookieHighAt: cookie * 8 + 12, mapFdAt: map * 8 + 4 };
}

/** What the map has to hold for a port, or undefined for one that is not on ::1. */
export function loopbackElement(
  port: PublishedPort,
  target: { readonly ipv4?: string; readonly ipv6?: string },
): { key: Uint8Array; value: Uint8Array } | undefined {
  const protocol = { tcp: 6, udp: 17, sctp: undefined }[port.protocol];
  const address = target.ipv6 ?? (target.ipv4 === undefined ? undefined : `::ffff:${target.ipv4}`);
  if (protocol === undefined || address === undefined || !["", "::", "::1"].includes(port.hostIp)) return undefined;
  const key = new Uint8Array(LOOPBACK_KEY_SIZE);
  const value = new Uint8Array(LOOPBACK_VALUE_SIZE);
  new DataView(key.buffer).setUint16(0, port.hostPort);
  key[4] = protocol;
  value.set(ipToBytes(requireIp(address)));
  new DataView(value.buffer).setUint16(16, port.containerPort);
  return { key, value };
}

import { Block } from "../plan/index.ts";
import type { Line } from "../plan/index.ts";
import * as C from "../linux/constants.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP_RUNNING = 0x41;

/** A new network namespace has `lo`, but down: netdevice(7). */
export function bringUpLoopback(line: Line, where: string): void {
  const what = `bring up "lo" ${where}`;
  const request = new Block(40, "struct ifreq").u16(16, IFF_UP_RUNNING);
  request.bytes.set(new TextEncoder().encode("lo"));
  const socket = line.call("socket", [AF_INET, SOCK_DGRAM | C.SOCK_CLOEXEC, 0], { what, why: "any socket of the namespace will do" });
  line.call("ioctl", [socket, SIOCSIFFLAGS, request], { what, why: "programs expect 127.0.0.1" });
  line.call("close", [socket], { what, why: "done with it" });
}

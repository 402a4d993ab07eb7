import { Block } from "../plan/index.ts";
import * as C from "../linux/constants.ts";
import { AF_INET6 } from "../linux/netlink.ts";
import type { Context } from "./context.ts";
import type { HeldSocket } from "./launch.ts";
import type { MonitorFds } from "./monitor-steps.ts";

const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

/**
 * Binds sockets on the host that nobody listens on: packets for these ports are translated before any socket is looked for, so they see
 * none, but a program that wants one of the ports is told that it is in use, and so is another engine. After the clone: the inside has none.
 */
export function holdSockets({ outer, where }: Context, sockets: readonly HeldSocket[]): MonitorFds["held"] {
  if (sockets.length === 0) return undefined;
  outer.stage("ports");
  const block = new Block(sockets.length * 4, "int[]");
  const one = new Block(4, "int").u32(0, 1);
  sockets.forEach(({ label, family, type, protocol, address }, index) => {
    const what = `publish port ${label} ${where}`;
    // A kernel without IPv6 or SCTP has nobody who could take the port, and closing what is no descriptor harms nobody.
    const socket = outer.call("socket", [family, type | C.SOCK_CLOEXEC, protocol], { what, why: "to hold the port", tolerate: "any" });
    outer.patch(block, index * 4, socket, "u32", { why: "for the monitor" });
    outer.unless({ of: socket, is: "failed" }, () => {
      if (family === AF_INET6)
        outer.call("setsockopt", [socket, IPPROTO_IPV6, IPV6_V6ONLY, one, 4], { what, why: "the IPv4 port is held by a socket of its own" });
      const isStream = type !== SOCK_DGRAM;
      const bound = outer.call("bind", [socket, new Block(address, "struct sockaddr"), address.length], {
        what,
        why: "nobody else gets it",
        ...(isStream ? { tolerate: ["EADDRINUSE"] as const } : {}),
      });
      // Without the option no other gets the port even for a moment; with it connections that linger in TIME_WAIT are no hindrance (socket(7)).
      if (!isStream) return;
      const again = { what, why: "connections of an earlier program may linger there", when: { of: bound, is: "failed" as const } };
      outer.call("setsockopt", [socket, SOL_SOCKET, SO_REUSEADDR, one, 4], again);
      outer.call("bind", [socket, new Block(address, "struct sockaddr"), address.length], again);
    });
  });
  return { block, count: sockets.length };
}

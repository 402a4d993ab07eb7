import { SampanError } from "../../base/errors.ts";
import * as C from "../../linux/constants.ts";
import * as nl from "../../linux/netlink.ts";
import { ipToBytes, requireIp } from "../../network/ip.ts";
import { formatHostPort } from "../../network/ports.ts";
import type { PortProtocol } from "../../network/ports.ts";
import type { Call } from "../../plan/index.ts";
import { Block, Plan } from "../../plan/index.ts";
import type { HeldSocket } from "../../runtime/index.ts";
import type { EngineContext } from "../context.ts";
import { runSmall } from "./send.ts";

/**
 * Whether ports of the host are free, by binding to them for a moment: the kernel's own answer, in a few microseconds each. Reading
 * /proc/net/tcp instead walks every bucket of the kernel's table, some 5 ms on a machine with memory for a big one.
 */
export interface HostPort {
  /** "" is every address of both families. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly protocol: PortProtocol;
}

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const IPPROTO_SCTP = 132;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

export type Probed = "free" | "busy";

/** For each port whether somebody has it. Throws `invalid` for an address that the host has not. */
export async function probePorts(context: EngineContext, ports: readonly HostPort[]): Promise<Probed[]> {
  const plan = new Plan();
  plan.outer.stage("ports");
  const binds = ports.map((port) => socketsFor(port).map((socket) => bindOnce(plan, socket)));
  plan.outer.exit(0);
  const report = await runSmall(context, plan);
  return ports.map((port, i): Probed => {
    const errnos = (binds[i] ?? []).map(({ index }) => -report.result(index).value);
    if (errnos.includes(EADDRNOTAVAIL)) {
      throw new SampanError("invalid", `Cannot publish port ${formatHostPort(port.hostIp, port.hostPort)}/${port.protocol}: cannot assign requested address, the host has no address ${port.hostIp}`, {
        code: "EADDRNOTAVAIL", hint: "See the host's addresses with: ip -br address",
      });
    }
    return errnos.includes(EADDRINUSE) ? "busy" : "free";
  });
}

const EADDRINUSE = 98;
const EADDRNOTAVAIL = 99;

function addressesOf(hostIp: string): string[] {
  return hostIp === "" ? ["0.0.0.0", "::"] : [hostIp];
}

/**
 * The sockets by which a container keeps its port from others. None for UDP over IPv6 where it has no IPv6 address: it would swallow
 * what the host answers with "port unreachable".
 */
export function heldFor(port: HostPort, hasIpv6: boolean): HeldSocket[] {
  return socketsFor(port).filter(({ family, type }) => hasIpv6 || family !== nl.AF_INET6 || type !== SOCK_DGRAM);
}

/** The sockets that have a port, one for each family of its address. */
function socketsFor(port: HostPort): HeldSocket[] {
  const { hostPort, protocol } = port;
  const type = protocol === "udp" ? SOCK_DGRAM : SOCK_STREAM;
  return addressesOf(port.hostIp).map((address) => ({
    label: `${formatHostPort(address, hostPort)}/${protocol}`, family: address.includes(":") ? nl.AF_INET6 : nl.AF_INET, type,
    protocol: protocol === "sctp" ? IPPROTO_SCTP : 0,
    address: socketAddress(address, hostPort),
  }));
}

function bindOnce(plan: Plan, { label, family, type, protocol, address }: HeldSocket): Call {
  const line = plan.outer;
  const what = `look at port ${label}`;
  // A kernel without IPv6 or SCTP has nobody who listens there.
  const socket = line.call("socket", [family, type | C.SOCK_CLOEXEC, protocol], { what, tolerate: "any" });
  const made = { when: { of: socket, is: "ok" as const } };
  const one = new Block(4, "int").u32(0, 1);
  if (family === nl.AF_INET6) line.call("setsockopt", [socket, IPPROTO_IPV6, IPV6_V6ONLY, one, 4], { what, ...made });
  // With it, connections that linger in TIME_WAIT do not matter, and one that listens still does (tcp(7), socket(7)). UDP has
  // no such states, and there it would let two have the port.
  if (type !== SOCK_DGRAM) line.call("setsockopt", [socket, SOL_SOCKET, SO_REUSEADDR, one, 4], { what, ...made });
  const bound = line.call("bind", [socket, new Block(address, "struct sockaddr"), address.length], { what, tolerate: "any", ...made });
  line.call("close", [socket], { what, ...made });
  return bound;
}

/** struct sockaddr_in or sockaddr_in6. */
function socketAddress(address: string, port: number): Uint8Array {
  const ip = requireIp(address);
  const bytes = new Uint8Array(ip.family === 6 ? 28 : 16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, ip.family === 6 ? nl.AF_INET6 : nl.AF_INET, true);
  view.setUint16(2, port);
  bytes.set(ipToBytes(ip), ip.family === 6 ? 8 : 4);
  return bytes;
}

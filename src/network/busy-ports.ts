import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { formatIp, ipFromBytes, isUnspecified, parseIp } from "./ip.ts";
import { formatHostPort } from "./ports.ts";
import type { PortProtocol, PublishedPort } from "./ports.ts";

/**
 * Which ports processes of the host listen on, and who they are: from /proc/net (proc(5)), and the holder by the
 * socket's inode among the descriptors in /proc/PID/fd.
 */
export interface Listener {
  readonly protocol: PortProtocol;
  readonly address: string;
  readonly port: number;
  readonly inode: number;
}

export interface Holder {
  readonly pid: number;
  readonly name: string;
}

const TCP_LISTEN = "0A";
/** A UDP socket that is bound and not connected (include/net/tcp_states.h: TCP_CLOSE). */
const UDP_UNCONNECTED = "07";

/** /proc/net/{tcp,udp}{,6}: the sockets that wait for anybody. The kernel prints addresses as 32-bit words in host order. */
export function parseProcNet(text: string, protocol: "tcp" | "udp"): Listener[] {
  const wanted = protocol === "tcp" ? TCP_LISTEN : UDP_UNCONNECTED;
  const listeners: Listener[] = [];
  for (const line of text.split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/);
    const [, local, , state] = fields;
    if (local === undefined || state !== wanted) continue;
    const [hex, portHex] = local.split(":");
    if (hex === undefined || portHex === undefined) continue;
    const port = parseInt(portHex, 16);
    // An unbound UDP socket has port 0 and holds nothing.
    if (port === 0) continue;
    listeners.push({ protocol, address: addressFromHex(hex), port, inode: Number(fields[9]) });
  }
  return listeners;
}

function addressFromHex(hex: string): string {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    // Within each word of four bytes the order is little-endian.
    const at = (i & ~3) + (3 - (i & 3));
    bytes[at] = parseInt(hex.slice(i * 2, i * 2 + 2), 16);
  }
  return formatIp(ipFromBytes(bytes));
}

/** /proc/net/sctp/eps: endpoints; a port with every address of its line. */
export function parseProcNetSctp(text: string): Listener[] {
  const listeners: Listener[] = [];
  for (const line of text.split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/);
    const port = Number(fields[5]);
    if (fields.length < 9 || !Number.isInteger(port) || port === 0) continue;
    for (const address of fields.slice(8)) {
      const ip = parseIp(address);
      if (ip !== undefined) listeners.push({ protocol: "sctp", address: formatIp(ip), port, inode: Number(fields[7]) });
    }
  }
  return listeners;
}

/**
 * Every listening socket of the network namespace that `procRoot` shows ("/proc": the caller's). Only files of
 * protocols that the ports need are read.
 */
export function readListeners(protocols: Iterable<PortProtocol>, procRoot = "/proc"): Listener[] {
  const listeners: Listener[] = [];
  const read = (path: string): string => {
    try {
      return readFileSync(`${procRoot}/net/${path}`, "latin1");
    } catch {
      return ""; // no such protocol in this kernel (IPv6 off, no SCTP): nobody can listen on it
    }
  };
  for (const protocol of new Set(protocols)) {
    if (protocol === "sctp") listeners.push(...parseProcNetSctp(read("sctp/eps")));
    else listeners.push(...parseProcNet(read(protocol), protocol), ...parseProcNet(read(`${protocol}6`), protocol));
  }
  return listeners;
}

/**
 * The listener that stands in the way of a published port. A socket on `::` is taken to listen for IPv4 as well, since
 * /proc does not tell whether IPV6_V6ONLY is set and most have it off.
 */
export function findListener(port: PublishedPort, listeners: Iterable<Listener>): Listener | undefined {
  for (const listener of listeners) {
    if (listener.port === port.hostPort && listener.protocol === port.protocol && meets(port.hostIp, listener.address)) return listener;
  }
  return undefined;
}

function meets(hostIp: string, address: string): boolean {
  if (hostIp === "") return true;
  const wanted = parseIp(hostIp);
  let held = parseIp(address);
  if (wanted === undefined || held === undefined) return false;
  if (held.family === 6 && held.value >> 32n === 0xffffn) held = { family: 4, value: held.value & 0xffffffffn };
  if (isUnspecified(held)) return held.family === 6 || wanted.family === 4;
  return held.family === wanted.family && (isUnspecified(wanted) || held.value === wanted.value);
}

/** The process that has a socket open, or undefined if none can be seen (another's, without root; or the kernel's). */
export function findHolder(inode: number, procRoot = "/proc"): Holder | undefined {
  const target = `socket:[${inode}]`;
  for (const entry of readdirSync(procRoot)) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      for (const fd of readdirSync(`${procRoot}/${entry}/fd`)) {
        if (readlinkSync(`${procRoot}/${entry}/fd/${fd}`) === target) {
          return { pid: Number(entry), name: readFileSync(`${procRoot}/${entry}/comm`, "utf8").trim() };
        }
      }
    } catch {
      // The process ended while we looked, or is not ours to look into.
    }
  }
  return undefined;
}

/** "nginx (pid 7)", or where it listens if the process cannot be seen. */
export function describeHolder(listener: Listener, procRoot = "/proc"): string {
  const holder = findHolder(listener.inode, procRoot);
  const place = `${formatHostPort(listener.address, listener.port)}/${listener.protocol}`;
  return holder === undefined ? `a process listening on ${place}` : `${holder.name} (pid ${holder.pid})`;
}

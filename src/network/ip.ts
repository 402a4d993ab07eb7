import { SampanError } from "../base/errors.ts";

/**
 * IP addresses and subnets as values. Text is parsed strictly: no octal, no shortened IPv4, no zone,
 * because two readers that disagree about an address are a way around a filter (CVE-2021-29923).
 */
export type IpFamily = 4 | 6;

export interface IpAddress {
  readonly family: IpFamily;
  readonly value: bigint;
}

/** A block of addresses; `base` has no bits set beyond the prefix. */
export interface Cidr {
  readonly family: IpFamily;
  readonly base: bigint;
  readonly prefix: number;
}

export function bitsOf(family: IpFamily): number {
  return family === 4 ? 32 : 128;
}

/** The address, or undefined if the text is not one in its usual form. IPv6 may be in any RFC 4291 form. */
export function parseIp(text: string): IpAddress | undefined {
  if (text.includes(":")) return parseIpv6(text);
  const value = parseIpv4(text);
  return value === undefined ? undefined : { family: 4, value: BigInt(value) };
}

function parseIpv4(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    const octet = decimal(part);
    if (octet === undefined || octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

/** One to three digits without a leading zero. By hand: on the start path a regular expression costs its compilation. */
function decimal(text: string): number | undefined {
  if (text.length < 1 || text.length > 3 || (text.length > 1 && text[0] === "0")) return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

function parseIpv6(text: string): IpAddress | undefined {
  let body = text;
  const lastColon = body.lastIndexOf(":");
  const tail = body.slice(lastColon + 1);
  if (tail.includes(".")) {
    const v4 = parseIpv4(tail);
    if (v4 === undefined) return undefined;
    body = `${body.slice(0, lastColon + 1)}${(v4 >>> 16).toString(16)}:${(v4 & 0xffff).toString(16)}`;
  }
  const halves = body.split("::");
  if (halves.length > 2) return undefined;
  const groupsOf = (half: string | undefined): string[] => (half === undefined || half === "" ? [] : half.split(":"));
  const head = groupsOf(halves[0]);
  const rest = groupsOf(halves[1]);
  const missing = 8 - head.length - rest.length;
  // "::" stands for at least one group; without it all eight are there.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  let value = 0n;
  for (const group of [...head, ...Array<string>(missing).fill("0"), ...rest]) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    value = (value << 16n) | BigInt(parseInt(group, 16));
  }
  return { family: 6, value };
}

/** Like parseIp, but throws; `what` names the option or field for the message. */
export function requireIp(text: string, what = "IP address"): IpAddress {
  const ip = parseIp(text);
  if (ip === undefined) throw new SampanError("invalid", `invalid ${what} ${text}: not an IPv4 or IPv6 address`);
  return ip;
}

/** Dotted for IPv4, RFC 5952 for IPv6: the one text form of each address. */
export function formatIp(ip: IpAddress): string {
  if (ip.family === 4) {
    const n = Number(ip.value);
    return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
  }
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((ip.value >> shift) & 0xffffn));
  if (groups.slice(0, 5).every((g) => g === 0) && groups[5] === 0xffff) {
    return `::ffff:${formatIp({ family: 4, value: ip.value & 0xffffffffn })}`;
  }
  let bestStart = -1;
  let bestLength = 1; // a single zero group is not shortened
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && groups[j] === 0) j++;
    if (j - i > bestLength) {
      bestStart = i;
      bestLength = j - i;
    }
    if (j > i) i = j;
  }
  const hex = groups.map((g) => g.toString(16));
  if (bestStart < 0) return hex.join(":");
  return `${hex.slice(0, bestStart).join(":")}::${hex.slice(bestStart + bestLength).join(":")}`;
}

/** The bytes in network order: 4 or 16. */
export function ipToBytes(ip: IpAddress): Uint8Array {
  const bytes = new Uint8Array(ip.family === 4 ? 4 : 16);
  let rest = ip.value;
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

/** From 4 or 16 bytes in network order. */
export function ipFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length !== 4 && bytes.length !== 16) throw new SampanError("internal", `An address has 4 or 16 bytes, not ${bytes.length}`);
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

function hostMask(family: IpFamily, prefix: number): bigint {
  return (1n << BigInt(bitsOf(family) - prefix)) - 1n;
}

/** The block that an address with a prefix length lies in. */
export function cidrOf(ip: IpAddress, prefix: number): Cidr {
  return { family: ip.family, base: ip.value & ~hostMask(ip.family, prefix), prefix };
}

/** An address with its prefix length, as `ip addr` writes it; undefined if the text is none. */
export function parseInterfaceAddress(text: string): { ip: IpAddress; prefix: number } | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const ip = parseIp(text.slice(0, slash));
  const prefix = decimal(text.slice(slash + 1));
  return ip === undefined || prefix === undefined || prefix > bitsOf(ip.family) ? undefined : { ip, prefix };
}

/** A subnet such as 10.1.0.0/16. Throws with one sentence; host bits must be zero, and the message says what was meant. */
export function parseCidr(text: string, what = "subnet"): Cidr {
  const parsed = parseInterfaceAddress(text);
  if (parsed === undefined) throw new SampanError("invalid", `invalid ${what} ${text}: invalid CIDR block notation`);
  const cidr = cidrOf(parsed.ip, parsed.prefix);
  if (cidr.base !== parsed.ip.value) throw new SampanError("invalid", `invalid ${what} ${text}: it should be ${formatCidr(cidr)}`);
  return cidr;
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIp({ family: cidr.family, value: cidr.base })}/${cidr.prefix}`;
}

/** The last address of the block: the broadcast address of an IPv4 subnet. */
export function lastOf(cidr: Cidr): bigint {
  return cidr.base | hostMask(cidr.family, cidr.prefix);
}

export function contains(cidr: Cidr, ip: IpAddress): boolean {
  return cidr.family === ip.family && ip.value >= cidr.base && ip.value <= lastOf(cidr);
}

/** Whether two blocks have an address in common (one then holds the other). */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.base <= lastOf(b) && b.base <= lastOf(a);
}

/** 127.0.0.0/8 and ::1, also as ::ffff:127.x. */
export function isLoopback(ip: IpAddress): boolean {
  if (ip.family === 4) return ip.value >> 24n === 127n;
  return ip.value === 1n || (ip.value >> 32n === 0xffffn && (ip.value & 0xffffffffn) >> 24n === 127n);
}

export function isUnspecified(ip: IpAddress): boolean {
  return ip.value === 0n;
}

import { refuse } from "../flags/flag.ts";

/** 4, 6, or 0 for what is no address; node:net's isIP without loading it on the start path. */
export function ipVersion(text: string): 0 | 4 | 6 {
  if (/^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/.test(text)) return 4;
  return text.includes(":") && isIpv6(text) ? 6 : 0;
}

/** RFC 4291 section 2.2: eight groups, one run of them as "::", the last two maybe as an IPv4 address. */
function isIpv6(text: string): boolean {
  let address = text;
  const lastColon = address.lastIndexOf(":");
  const tail = address.slice(lastColon + 1);
  if (tail.includes(".")) {
    if (ipVersion(tail) !== 4) return false;
    address = `${address.slice(0, lastColon + 1)}0:0`;
  }
  const halves = address.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}

export function parseIp(text: string): string {
  const trimmed = text.trim();
  return ipVersion(trimmed) === 0 ? refuse(`invalid IP address: ${text}`) : trimmed;
}

export function parseIpv4(text: string): string {
  return ipVersion(text.trim()) === 4 ? text.trim() : refuse(`invalid IPv4 address: ${text}`);
}

export function parseIpv6(text: string): string {
  return ipVersion(text.trim()) === 6 ? text.trim() : refuse(`invalid IPv6 address: ${text}`);
}

/** A 48-bit address in the forms of Go's net.ParseMAC that Linux interfaces take, as "02:42:ac:11:00:02". */
export function parseMac(text: string): string {
  const digits = /^(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2})$/i.test(text.trim())
    ? text.replaceAll(/[^0-9a-f]/gi, "").toLowerCase()
    : refuse(`${text} is not a valid mac address`);
  return digits.replaceAll(/(..)(?!$)/g, "$1:");
}

/** "10.1.0.0/16" or "fd00::/64". */
export function parseCidr(text: string): string {
  const slash = text.lastIndexOf("/");
  const version = ipVersion(text.slice(0, slash));
  const length = text.slice(slash + 1);
  const valid = slash > 0 && version !== 0 && /^[0-9]{1,3}$/.test(length) && Number(length) <= (version === 4 ? 32 : 128);
  return valid ? text : refuse(`invalid CIDR address: ${text}`);
}

/** "name:address" or "name=address" of `--add-host`, given back with the colon; "host-gateway" is an address too. */
export function parseExtraHost(text: string): string {
  const at = text.indexOf("=") === -1 ? text.indexOf(":") : text.indexOf("=");
  const name = text.slice(0, at);
  let address = text.slice(at + 1);
  if (at <= 0 || address === "") return refuse(`bad format for add-host: ${JSON.stringify(text)}`);
  if (/^\[.*\]$/.test(address)) address = address.slice(1, -1);
  if (address !== "host-gateway" && ipVersion(address) === 0) return refuse(`invalid IP address in add-host: ${JSON.stringify(address)}`);
  return `${name}:${address}`;
}

/** A domain of `--dns-search`; "." switches searching off. */
export function parseDnsSearch(text: string): string {
  const domain = text.trim();
  if (domain === ".") return domain;
  const label = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
  const valid = domain.length <= 255 && new RegExp(`^${label}(?:\\.${label})*\\.?$`, "i").test(domain);
  return valid ? domain.replace(/\.$/, "") : refuse(`${text} is not a valid domain`);
}

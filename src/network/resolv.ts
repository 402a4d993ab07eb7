import { isLoopback, parseIp } from "./ip.ts";
import { SampanError } from "../base/errors.ts";

/**
 * The container's /etc/resolv.conf (resolv.conf(5)), made from the host's and from `--dns`, `--dns-search`, `--dns-option`.
 */
export interface ResolvRequest {
  /** Text of the host's /etc/resolv.conf, "" if there is none. */
  readonly host: string;
  /** Text of /run/systemd/resolve/resolv.conf, where systemd-resolved keeps its upstreams. Read it only if `needsUpstreams` says so. */
  readonly upstreams?: string;
  readonly dns: readonly string[];
  /** A single "." is: no search list at all. */
  readonly search: readonly string[];
  readonly options: readonly string[];
  /** Whether the container shares the host's network: then the host's loopback is its own, and its file is right as it is. */
  readonly hostNetwork: boolean;
  /** Whether the container has an IPv6 address: without one, an IPv6 server can only time out. */
  readonly ipv6: boolean;
}

export interface ResolvConf {
  readonly text: string;
  /** For the user, one sentence each. */
  readonly warnings: readonly string[];
}

interface Parsed {
  readonly servers: string[];
  readonly search: string[];
  readonly options: string[];
}

/** Reads as the C library does: the last `search` or `domain` counts, options add up, `#` and `;` begin comments at the line's start only. */
function parse(text: string): Parsed {
  const result: Parsed = { servers: [], search: [], options: [] };
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    switch (keyword) {
      case "nameserver":
        if (values[0] !== undefined) result.servers.push(values[0]);
        break;
      case "search":
      case "domain":
        result.search.splice(0, Infinity, ...values);
        break;
      case "options":
        result.options.push(...values);
        break;
      default: // comments, sortlist, and what this resolver does not know
    }
  }
  return result;
}

/** A zone ("fe80::1%eth0") names an interface of the host, which the container has not. */
function reachable(server: string, ipv6: boolean): boolean {
  const ip = parseIp(server);
  return ip !== undefined && !isLoopback(ip) && (ip.family === 4 || (ipv6 && ip.value >> 118n !== 0x3fan));
}

/** Whether the host's servers are its own loopback's (systemd-resolved, dnsmasq) and the upstreams are to be read. */
export function needsUpstreams(host: string): boolean {
  const { servers } = parse(host);
  return servers.length > 0 && !servers.some((server) => reachable(server, true));
}

export function buildResolvConf(request: ResolvRequest): ResolvConf {
  const host = parse(request.host);
  if (request.hostNetwork && request.dns.length === 0 && request.search.length === 0 && request.options.length === 0) {
    return { text: request.host, warnings: [] };
  }
  const warnings: string[] = [];
  const servers = request.dns.length > 0 ? request.dns.map(checkDns) : request.hostNetwork ? host.servers : inherited(request, host, warnings);
  const search = request.search.length > 0 ? request.search.map(checkSearch) : host.search;
  const options = request.options.length > 0 ? request.options : host.options;
  const lines = servers.map((server) => `nameserver ${server}`);
  if (search.length > 0 && !(search.length === 1 && search[0] === ".")) lines.push(`search ${search.filter((s) => s !== ".").join(" ")}`);
  if (options.length > 0) lines.push(`options ${options.map(checkOption).join(" ")}`);
  return { text: lines.map((line) => `${line}\n`).join(""), warnings };
}

/**
 * The host's servers that a container can reach; else the upstreams; else none, said aloud: guessing a public one would send the names
 * asked for to strangers.
 */
function inherited(request: ResolvRequest, host: Parsed, warnings: string[]): string[] {
  for (const { servers } of [host, parse(request.upstreams ?? "")]) {
    const good = servers.filter((server) => reachable(server, request.ipv6));
    if (good.length > 0) return good;
  }
  warnings.push(
    host.servers.length === 0
      ? "the host's /etc/resolv.conf names no server, so the container has none; give one with --dns"
      : "every server in the host's /etc/resolv.conf is out of a container's reach, so it has none; give one with --dns",
  );
  return [];
}

/** One `--dns`. */
function checkDns(text: string): string {
  if (parseIp(text) === undefined) throw new SampanError("invalid", `IP address is not correctly formatted: ${text}`);
  return text;
}

/** One `--dns-search`: a domain name, or "." for none. Anything with a line break would be a line of the file. */
function checkSearch(text: string): string {
  if (text !== "." && !(text.length <= 253 && /^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/.test(text))) {
    throw new SampanError("invalid", `${text} is not a valid domain`);
  }
  return text;
}

/** One `--dns-option`, "ndots:2". */
function checkOption(text: string): string {
  if (!/^[A-Za-z0-9_:.-]+$/.test(text)) throw new SampanError("invalid", `invalid DNS option ${JSON.stringify(text)}: a word such as "ndots:2"`);
  return text;
}

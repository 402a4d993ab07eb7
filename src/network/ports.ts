import { SampanError } from "../base/errors.ts";
import { formatIp, isUnspecified, parseIp } from "./ip.ts";

/**
 * Published and exposed ports: what `-p`, `-P` and `--expose` say. Errors are in Docker's words, which scripts read.
 */
export type PortProtocol = "tcp" | "udp" | "sctp";

export interface PortSpec {
  /** "" is every address of the host, IPv4 and IPv6; "0.0.0.0" and "::" every address of one family. */
  readonly hostIp: string;
  /** 0 is any free port. */
  readonly hostPort: number;
  /** With it, any free port from hostPort to here (`-p 8000-8010:80`). */
  readonly hostPortEnd?: number;
  readonly containerPort: number;
  readonly protocol: PortProtocol;
}

export interface ExposedPort {
  readonly port: number;
  readonly protocol: PortProtocol;
}

const MAX_PORTS = 65535;

function invalid(message: string): SampanError {
  return new SampanError("invalid", message);
}

function isProtocol(text: string): text is PortProtocol {
  return text === "tcp" || text === "udp" || text === "sctp";
}

/** A port or a range of ports, or undefined. */
function parsePortRange(text: string): { start: number; end: number } | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = match[2] === undefined ? start : Number(match[2]);
  return end > MAX_PORTS || end < start ? undefined : { start, end };
}

/** Splits at the first slash only, so that "80/tcp/udp" has the protocol "tcp/udp" and is refused. */
function splitProtocol(text: string): [string, string] {
  const slash = text.indexOf("/");
  return slash < 0 ? [text, "tcp"] : [text.slice(0, slash), text.slice(slash + 1).toLowerCase()];
}

/**
 * One `-p`: `[ip:][hostPort]:containerPort[/protocol]`, with ranges, or `published=…,target=…`. A range becomes one
 * spec per port; several host ports for one container port become one spec with `hostPortEnd`.
 */
export function parsePublish(text: string): PortSpec[] {
  if (text.includes("=")) return parseLongSyntax(text);
  const [addresses, protocolText] = splitProtocol(text);
  // The container port is after the last colon, the host port before it, and an IPv6 address may hold more of them.
  const lastColon = addresses.lastIndexOf(":");
  const containerText = addresses.slice(lastColon + 1);
  const before = lastColon < 0 ? "" : addresses.slice(0, lastColon);
  const hostColon = before.lastIndexOf(":");
  const hostText = before.slice(hostColon + 1);
  const ipText = hostColon < 0 ? "" : before.slice(0, hostColon);

  if (containerText === "") throw invalid(`no port specified: ${text}<empty>`);
  // "::1]:80" cut anywhere else than after its bracket is a broken address, not a host port.
  if (text.startsWith("[") && !ipText.endsWith("]")) throw invalid(`invalid IP address: ${before === "" ? addresses : before}`);
  const hostIp = parseHostIp(ipText);
  const container = parsePortRange(containerText);
  if (container === undefined || container.start === 0) throw invalid(`invalid containerPort: ${containerText}`);
  const host = hostText === "" ? undefined : parsePortRange(hostText);
  if (hostText !== "" && host === undefined) throw invalid(`invalid hostPort: ${hostText}`);
  if (!isProtocol(protocolText)) throw invalid(`invalid proto: ${protocolText}`);
  return expand(hostIp, host, container, protocolText, `${containerText} and ${hostText}`);
}

function parseHostIp(text: string): string {
  if (text === "") return "";
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  const ip = parseIp(bare);
  if (ip === undefined || (bare !== text && ip.family === 4)) throw invalid(`invalid IP address: ${text}`);
  return formatIp(ip);
}

interface Range {
  readonly start: number;
  readonly end: number;
}

function expand(hostIp: string, host: Range | undefined, container: Range, protocol: PortProtocol, ranges: string): PortSpec[] {
  const count = container.end - container.start;
  const spec = (offset: number, hostPort: number): PortSpec => ({ hostIp, hostPort, containerPort: container.start + offset, protocol });
  if (host === undefined) return Array.from({ length: count + 1 }, (_, i) => spec(i, 0));
  if (host.end - host.start === count) return Array.from({ length: count + 1 }, (_, i) => spec(i, host.start === 0 && count === 0 ? 0 : checkedHostPort(host.start + i, ranges)));
  if (count === 0) return [{ ...spec(0, checkedHostPort(host.start, ranges)), hostPortEnd: host.end }];
  throw invalid(`invalid ranges specified for container and host Ports: ${ranges}`);
}

/** Port 0 means "any" alone, and nothing at all as the start of a range. */
function checkedHostPort(port: number, ranges: string): number {
  if (port === 0) throw invalid(`invalid ranges specified for container and host Ports: ${ranges}`);
  return port;
}

function parseLongSyntax(text: string): PortSpec[] {
  let target = "";
  let published = "";
  let protocol = "tcp";
  for (const field of text.split(",")) {
    const equals = field.indexOf("=");
    if (equals < 0) throw invalid(`invalid publish opts format (should be name=value but got '${field}')`);
    const key = field.slice(0, equals).toLowerCase();
    const value = field.slice(equals + 1);
    switch (key) {
      case "target":
        target = value;
        break;
      case "published":
        published = value;
        break;
      case "protocol":
        protocol = value.toLowerCase();
        break;
      case "mode":
        // Both mean the same where there is one host.
        if (value !== "host" && value !== "ingress") throw invalid(`invalid publish opts value mode=${value}: it is host or ingress`);
        break;
      default:
        throw invalid(`invalid publish opts key: ${key}`);
    }
  }
  if (target === "") throw invalid(`no port specified: ${published}:/${protocol}<empty>`);
  if (/[:/[\]]/.test(target)) throw invalid(`invalid containerPort: ${target}`);
  if (/[:/[\]]/.test(published)) throw invalid(`invalid hostPort: ${published}`);
  return parsePublish(`${published}:${target}/${protocol}`);
}

/** One `--expose`, or one key of an image's ExposedPorts: `port[-port][/protocol]`. */
export function parseExpose(text: string): ExposedPort[] {
  if (text.includes(":")) throw invalid(`invalid port format for --expose: ${text}`);
  const [ports, protocol] = splitProtocol(text);
  const range = parsePortRange(ports);
  if (range === undefined || range.start === 0) throw invalid(`invalid range format for --expose: ${text}, error: a port is a number from 1 to 65535, a range goes upwards`);
  if (!isProtocol(protocol)) throw invalid(`invalid proto: ${protocol}`);
  return Array.from({ length: range.end - range.start + 1 }, (_, i) => ({ port: range.start + i, protocol }));
}

/** "80/tcp": the key by which configs and `inspect` know an exposed port. */
export function formatExposed(port: ExposedPort): string {
  return `${port.port}/${port.protocol}`;
}

/** Whether an address of a spec ("" is all) and another meet. */
export function hostIpsMeet(a: string, b: string): boolean {
  if (a === b || a === "" || b === "") return true;
  const x = parseIp(a);
  const y = parseIp(b);
  if (x === undefined || y === undefined) return false;
  return x.family === y.family && (isUnspecified(x) || isUnspecified(y));
}

/** Two specs cannot both be had: the same protocol, the same fixed host port, and addresses that meet. */
export function portsConflict(a: PortSpec, b: PortSpec): boolean {
  if (a.hostPort === 0 || b.hostPort === 0 || a.hostPortEnd !== undefined || b.hostPortEnd !== undefined) return false;
  return a.protocol === b.protocol && a.hostPort === b.hostPort && hostIpsMeet(a.hostIp, b.hostIp);
}

/** The first pair of specs that conflict, or undefined. */
export function findConflict(specs: readonly PortSpec[]): readonly [PortSpec, PortSpec] | undefined {
  const byPort = new Map<string, PortSpec[]>();
  for (const spec of specs) {
    const key = `${spec.protocol}:${spec.hostPort}`;
    const others = byPort.get(key) ?? [];
    for (const other of others) if (portsConflict(other, spec)) return [other, spec];
    others.push(spec);
    byPort.set(key, others);
  }
  return undefined;
}

/** Specs for `-P`: every exposed port that no spec publishes already, on any free host port. */
export function publishExposed(exposed: readonly ExposedPort[], specs: readonly PortSpec[]): PortSpec[] {
  return exposed
    .filter((e) => !specs.some((s) => s.containerPort === e.port && s.protocol === e.protocol))
    .map((e) => ({ hostIp: "", hostPort: 0, containerPort: e.port, protocol: e.protocol }));
}

/** A spec with its host port decided. */
export interface PublishedPort {
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: PortProtocol;
}

/** "0.0.0.0:8080", "[::1]:8080": as error messages and `port` say it. */
export function formatHostPort(hostIp: string, hostPort: number): string {
  const ip = hostIp === "" ? "0.0.0.0" : hostIp;
  return ip.includes(":") ? `[${ip}]:${hostPort}` : `${ip}:${hostPort}`;
}

export interface PortChoice {
  /** Ephemeral ports of the host, both ends included (net.ipv4.ip_local_port_range). */
  readonly ephemeral: { readonly first: number; readonly last: number };
  /** Where to begin looking, any number: a random one spreads the choices. */
  readonly seed: number;
  /** Who has the port already ("nginx (pid 7)", "container web"), or undefined if nobody. */
  readonly holder: (port: PublishedPort) => string | undefined;
}

/**
 * Decides every host port, fixed ones first so that a random one never takes a fixed one's place. Throws `conflict`
 * naming port and holder.
 */
export function chooseHostPorts(specs: readonly PortSpec[], choice: PortChoice): PublishedPort[] {
  const clash = findConflict(specs);
  if (clash !== undefined) throw busy(clash[1], "this container publishes it twice");
  const chosen = new Map<PortSpec, PublishedPort>();
  const ownHolder = (port: PublishedPort): boolean => [...chosen.values()].some((other) => portsConflict(other, port));
  const fixed = (spec: PortSpec, hostPort: number): PublishedPort => ({ hostIp: spec.hostIp, hostPort, containerPort: spec.containerPort, protocol: spec.protocol });

  for (const spec of specs) {
    if (spec.hostPort === 0 || spec.hostPortEnd !== undefined) continue;
    const port = fixed(spec, spec.hostPort);
    const holder = choice.holder(port);
    if (holder !== undefined) throw busy(port, `${holder} has it`);
    chosen.set(spec, port);
  }
  for (const spec of specs) {
    if (chosen.has(spec)) continue;
    const ranged = spec.hostPortEnd !== undefined;
    const first = ranged ? spec.hostPort : choice.ephemeral.first;
    const count = (spec.hostPortEnd ?? choice.ephemeral.last) - first + 1;
    let found: PublishedPort | undefined;
    for (let i = 0; i < count && found === undefined; i++) {
      const port = fixed(spec, first + (ranged ? i : (choice.seed + i) % count));
      if (!ownHolder(port) && choice.holder(port) === undefined) found = port;
    }
    if (found === undefined) throw new SampanError("conflict", `Cannot publish port ${spec.containerPort}/${spec.protocol}: no port from ${first} to ${first + count - 1} is free on the host`);
    chosen.set(spec, found);
  }
  return specs.map((spec) => chosen.get(spec)).filter((port) => port !== undefined);
}

function busy(port: { hostIp: string; hostPort: number; protocol: PortProtocol }, why: string): SampanError {
  const place = `${formatHostPort(port.hostIp, port.hostPort)}/${port.protocol}`;
  return new SampanError("conflict", `Cannot publish port ${place}: port is already allocated, ${why}`, {
    code: "EADDRINUSE",
    hint: "choose another host port, or leave it out to have a free one chosen",
  });
}

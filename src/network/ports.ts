import { SampanError } from "../base/errors.ts";
import { isUnspecified, parseIp } from "./ip.ts";

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

/** One `--expose`, or one key of an image's ExposedPorts: `port[-port][/protocol]`. */
export function parseExpose(text: string): ExposedPort[] {
  if (text.includes(":")) throw invalid(`invalid port format for --expose: ${text}`);
  const [ports, protocol] = splitProtocol(text);
  const range = parsePortRange(ports);
  if (range === undefined || range.start === 0)
    throw invalid(`invalid range format for --expose: ${text}, error: a port is a number from 1 to 65535, a range goes upwards`);
  if (!isProtocol(protocol)) throw invalid(`invalid proto: ${protocol}`);
  return Array.from({ length: range.end - range.start + 1 }, (_, i) => ({ port: range.start + i, protocol }));
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
  const fixed = (spec: PortSpec, hostPort: number): PublishedPort => ({
    hostIp: spec.hostIp,
    hostPort,
    containerPort: spec.containerPort,
    protocol: spec.protocol,
  });

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
    if (found === undefined)
      throw new SampanError(
        "conflict",
        `Cannot publish port ${spec.containerPort}/${spec.protocol}: no port from ${first} to ${first + count - 1} is free on the host`,
      );
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

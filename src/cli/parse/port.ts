import type { PortRequest } from "../../engine/request.ts";
import { refuse } from "../flags/flag.ts";
import { ipVersion } from "./address.ts";
import { cutAtEquals } from "./key-value.ts";

type Protocol = PortRequest["protocol"];

/** [first, last] of "80" or "8000-8010", or undefined. */
function portRange(text: string): [number, number] | undefined {
  const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return last > 65535 || first > last ? undefined : [first, last];
}

function parseProtocol(text: string): Protocol {
  const protocol = text.toLowerCase();
  return protocol === "tcp" || protocol === "udp" || protocol === "sctp" ? protocol : refuse(`invalid proto: ${protocol}`);
}

/** "published=8080,target=80,protocol=udp" → "8080:80/udp". */
function standardNotation(text: string): string {
  const parameters = new Map([["protocol", "tcp"], ["published", ""], ["target", ""]]);
  for (const parameter of text.split(",")) {
    const [key, value] = cutAtEquals(parameter);
    if (value === undefined || key === "") return refuse(`invalid publish opts format (should be name=value but got '${parameter}')`);
    // "mode" is a Swarm's, and means nothing to a container of its own.
    if (!parameters.has(key) && key !== "mode") return refuse(`invalid field key ${key}`);
    parameters.set(key, value);
  }
  return `${parameters.get("published") ?? ""}:${parameters.get("target") ?? ""}/${parameters.get("protocol") ?? ""}`;
}

/**
 * `-p [ip:][host]:container[/proto]`, with ranges. A host range beside one container port means any free port of the range, which is
 * asked for as one request with `hostPortEnd`.
 */
export function parsePublish(text: string): PortRequest[] {
  const spec = text.includes("=") ? standardNotation(text) : text;
  const parts = spec.split(":");
  const last = parts.pop() ?? "";
  const hostText = parts.pop() ?? "";
  const hostIp = parts.join(":").replace(/^\[(.*)\]$/, "$1");
  const slash = last.indexOf("/");
  const containerText = slash === -1 ? last : last.slice(0, slash);
  if (containerText === "") return refuse(`no port specified: ${text}<empty>`);
  const protocol = parseProtocol(slash === -1 || slash === last.length - 1 ? "tcp" : last.slice(slash + 1));
  if (hostIp !== "" && ipVersion(hostIp) === 0) return refuse(`invalid IP address: ${hostIp}`);
  const container = portRange(containerText);
  if (container === undefined || container[0] === 0) return refuse(`invalid containerPort: ${containerText}`);
  const host = hostText === "" ? undefined : portRange(hostText);
  // 0 is any port, and no range begins there.
  if (hostText !== "" && (host === undefined || (host[0] === 0 && host[1] !== 0))) return refuse(`invalid hostPort: ${hostText}`);
  const [first, end] = container;
  const count = end - first;
  if (host !== undefined && host[1] - host[0] !== count) {
    if (count !== 0) return refuse(`invalid ranges specified for container and host Ports: ${containerText} and ${hostText}`);
    return [{ hostIp, hostPort: host[0], hostPortEnd: host[1], containerPort: first, protocol }];
  }
  return Array.from({ length: count + 1 }, (_, index) => ({
    hostIp,
    hostPort: host === undefined || host[0] === 0 ? 0 : host[0] + index,
    containerPort: first + index,
    protocol,
  }));
}

/** `--expose 80`, "80/udp" or "8000-8010/tcp" → ["80/tcp", …]. */
export function parseExpose(text: string): string[] {
  const slash = text.indexOf("/");
  const range = portRange(slash === -1 ? text : text.slice(0, slash));
  if (range === undefined || range[0] === 0) return refuse(`invalid range format for --expose: ${text}`);
  const protocol = parseProtocol(slash === -1 ? "tcp" : text.slice(slash + 1));
  return Array.from({ length: range[1] - range[0] + 1 }, (_, index) => `${range[0] + index}/${protocol}`);
}

/** "80" or "80/udp" of `port CONTAINER PORT` → "80/tcp". */
export function parsePrivatePort(text: string): string {
  const slash = text.indexOf("/");
  const range = portRange(slash === -1 ? text : text.slice(0, slash));
  if (range === undefined || range[0] !== range[1]) return refuse(`invalid port '${text}'`);
  return `${range[0]}/${parseProtocol(slash === -1 ? "tcp" : text.slice(slash + 1))}`;
}

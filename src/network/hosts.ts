import { SampanError } from "../base/errors.ts";
import { formatIp, parseIp } from "./ip.ts";

/**
 * The container's /etc/hosts (hosts(5)): localhost, itself, `--add-host`, and between two marker lines the other
 * members of its networks. The part between the markers is rewritten whenever a member comes or goes; everything else, the
 * container may change as it likes.
 */
export interface HostsEntry {
  readonly address: string;
  readonly names: readonly string[];
}

export interface HostsRequest {
  /** "web", and "web.example.org" first where there is a domain name. Empty for none. */
  readonly ownNames: readonly string[];
  /** Without prefix length; empty for `--network none`. */
  readonly ownAddresses: readonly string[];
  readonly extra: readonly HostsEntry[];
  readonly members: readonly HostsEntry[];
  readonly ipv6: boolean;
}

const BEGIN = "# sampan: members of this container's networks, kept up to date";
const END = "# sampan: end of members";

export function buildHosts(request: HostsRequest): string {
  const lines = ["127.0.0.1\tlocalhost"];
  // The lines that Debian's and Docker's files have; without IPv6, localhost must not be looked for there.
  if (request.ipv6) {
    lines.push(
      "::1\tlocalhost ip6-localhost ip6-loopback",
      "fe00::\tip6-localnet",
      "ff00::\tip6-mcastprefix",
      "ff02::1\tip6-allnodes",
      "ff02::2\tip6-allrouters",
    );
  }
  lines.push(...request.extra.map(line));
  if (request.ownNames.length > 0) for (const address of request.ownAddresses) lines.push(line({ address, names: request.ownNames }));
  return updateMembers(`${lines.join("\n")}\n`, request.members);
}

function line(entry: HostsEntry): string {
  return `${entry.address}\t${entry.names.join(" ")}`;
}

/**
 * The file with the members' part replaced. Put where it was, or at the end if the container has removed the markers; no
 * members, no part. Equal members give equal text, so that a caller may compare and not write.
 */
export function updateMembers(text: string, members: readonly HostsEntry[]): string {
  const part = members.length === 0 ? "" : `${[BEGIN, ...mergeEntries(members).map(line), END].join("\n")}\n`;
  const begin = lineStart(text, BEGIN);
  if (begin < 0) return part === "" ? text : `${text === "" || text.endsWith("\n") ? text : `${text}\n`}${part}`;
  const end = lineStart(text, END, begin);
  if (end < 0) {
    // The end is lost: only lines that can be ours are taken to be ours, up to the first that cannot.
    const after = text.slice(begin).split("\n");
    let count = 1;
    while (count < after.length && /^[0-9a-f.:]+\t\S/.test(after[count] ?? "")) count++;
    return text.slice(0, begin) + part + after.slice(count).join("\n");
  }
  const rest = text.indexOf("\n", end);
  return text.slice(0, begin) + part + (rest < 0 ? "" : text.slice(rest + 1));
}

/** Where a whole line of this text begins, or -1. */
function lineStart(text: string, wanted: string, from = 0): number {
  for (let at = text.indexOf(wanted, from); at >= 0; at = text.indexOf(wanted, at + 1)) {
    const after = text[at + wanted.length];
    if ((at === 0 || text[at - 1] === "\n") && (after === undefined || after === "\n")) return at;
  }
  return -1;
}

/** One line per address, in the order of first appearance; each name once per address. */
function mergeEntries(entries: readonly HostsEntry[]): HostsEntry[] {
  const byAddress = new Map<string, string[]>();
  for (const { address, names } of entries) {
    const list = byAddress.get(address) ?? [];
    for (const name of names) if (!list.includes(name)) list.push(name);
    byAddress.set(address, list);
  }
  return [...byAddress].filter(([, names]) => names.length > 0).map(([address, names]) => ({ address, names }));
}

/** An `--add-host name:address` or `name=address`; "host-gateway" stands for `gateway`. Docker's words. */
export function parseAddHost(text: string): { name: string; address: string } {
  const separator = /[:=]/.exec(text);
  const at = separator === null ? -1 : separator.index;
  const name = text.slice(0, Math.max(at, 0));
  if (at < 0 || !isHostName(name)) throw new SampanError("invalid", `bad format for add-host: "${text}"`);
  const address = text.slice(at + 1);
  if (address === "host-gateway") return { name, address };
  const bare = address.startsWith("[") && address.endsWith("]") ? address.slice(1, -1) : address;
  const ip = parseIp(bare);
  if (ip === undefined) throw new SampanError("invalid", `invalid IP address in add-host: "${address}"`);
  return { name, address: formatIp(ip) };
}

/** What gets into the file as a name: no white space or `#`, or one name could write a line of its own. */
export function isHostName(text: string): boolean {
  return text.length <= 253 && /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(text);
}

/**
 * Entries for `--add-host`, with "host-gateway" resolved to the host's addresses as the container sees them: the
 * gateways of its network. With the host's network that is the loopback.
 */
export function extraHosts(addHosts: readonly string[], hostGateways: readonly string[]): HostsEntry[] {
  return addHosts.flatMap((text) => {
    const { name, address } = parseAddHost(text);
    if (address !== "host-gateway") return [{ address, names: [name] }];
    if (hostGateways.length === 0) {
      throw new SampanError("invalid", `Cannot resolve host-gateway for "${name}": the container has no network with a gateway`);
    }
    return hostGateways.map((gateway) => ({ address: gateway, names: [name] }));
  });
}

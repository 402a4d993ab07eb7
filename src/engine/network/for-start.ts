import { loopbackOnly } from "../../network/attach.ts";
import { buildHosts, extraHosts } from "../../network/hosts.ts";
import { buildResolvConf, needsUpstreams } from "../../network/resolv.ts";
import type { NetlinkBatch } from "../../runtime/index.ts";
import type { EngineContext } from "../context.ts";
import { readIfThere } from "../processes.ts";
import type { StoredConfig } from "../spec/stored.ts";

/** What a start needs of the network: messages for both sides, and the files by which names are found. */
export interface StartNetwork {
  readonly outer?: NetlinkBatch;
  readonly inner?: NetlinkBatch;
  readonly hosts: string;
  readonly resolvConf: string;
  readonly warnings: readonly string[];
}

/** "none", "host", "container:ID", or the name of a network. */
export function networkModeOf({ request }: StoredConfig): string {
  return request.networks[0]?.network ?? "none";
}

export async function networkForStart(_context: EngineContext, stored: StoredConfig): Promise<StartNetwork> {
  const { request } = stored;
  const mode = networkModeOf(stored);
  const isHost = mode === "host";
  const host = readIfThere("/etc/resolv.conf") ?? "";
  const upstreams = needsUpstreams(host) ? readIfThere("/run/systemd/resolve/resolv.conf") : undefined;
  const resolv = buildResolvConf({ host, ...(upstreams === undefined ? {} : { upstreams }), dns: request.dns, search: request.dnsSearch, options: request.dnsOptions, hostNetwork: isHost, ipv6: false });
  const fqdn = request.domainname === undefined ? [] : [`${stored.hostname}.${request.domainname}`];
  const hosts = isHost
    ? (readIfThere("/etc/hosts") ?? "") + extraHosts(request.addHosts, ["127.0.0.1"]).map(({ address, names }) => `${address}\t${names.join(" ")}\n`).join("")
    : buildHosts({ ownNames: [...fqdn, stored.hostname], ownAddresses: [], extra: extraHosts(request.addHosts, []), members: [], ipv6: false });
  return { ...(isHost ? {} : { inner: loopbackOnly() }), hosts, resolvConf: resolv.text, warnings: resolv.warnings };
}

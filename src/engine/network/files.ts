import { buildHosts, extraHosts } from "../../network/hosts.ts";
import type { HostsEntry } from "../../network/hosts.ts";
import { DEFAULT_NETWORK } from "../../network/model.ts";
import { buildResolvConf, needsUpstreams } from "../../network/resolv.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";
import { readIfThere } from "../processes.ts";
import type { StoredConfig } from "../spec/stored.ts";
import { gatewayOf } from "./lease.ts";
import type { Endpoint } from "./lease.ts";
import { membersFor } from "./members.ts";

/** The files by which names are found. */
export interface NetworkFiles {
  readonly hosts: string;
  readonly resolvConf: string;
  readonly warnings: readonly string[];
  /** Files of the container whose network is shared: links to them, so that what changes there changes here. */
  readonly shared?: { readonly hosts: string; readonly resolvConf: string };
}

/** The host as its containers know it, besides what `--add-host` says. */
const HOST_NAME = "host.docker.internal";

export function filesFor(context: EngineContext, stored: StoredConfig, mode: string, endpoints: readonly Endpoint[]): NetworkFiles {
  const { request } = stored;
  if (mode.startsWith("container:")) {
    const owner = containerPaths(context.paths, context.store.containers.find(mode.slice("container:".length)).id);
    return {
      hosts: readIfThere(owner.hosts) ?? "",
      resolvConf: readIfThere(owner.resolvConf) ?? "",
      warnings: [],
      shared: { hosts: owner.hosts, resolvConf: owner.resolvConf },
    };
  }
  const isHost = mode === "host";
  const ipv6 = endpoints.some((endpoint) => endpoint.ipv6 !== undefined);
  const host = readIfThere("/etc/resolv.conf") ?? "";
  const upstreams = needsUpstreams(host) ? readIfThere("/run/systemd/resolve/resolv.conf") : undefined;
  const resolv = buildResolvConf({
    host, ...(upstreams === undefined ? {} : { upstreams }), dns: request.dns, search: request.dnsSearch, options: request.dnsOptions,
    hostNetwork: isHost, ipv6,
  });
  // Without a network there is nobody to ask, and nothing to be warned of.
  return { hosts: hostsText(context, stored, isHost, endpoints), resolvConf: resolv.text, warnings: isHost || endpoints.length > 0 ? resolv.warnings : [] };
}

function hostsText(context: EngineContext, stored: StoredConfig, isHost: boolean, endpoints: readonly Endpoint[]): string {
  const { request } = stored;
  if (isHost) {
    const text = readIfThere("/etc/hosts") ?? "127.0.0.1\tlocalhost\n";
    const extra = extraHosts(request.addHosts, ["127.0.0.1"]).map(({ address, names }) => `${address}\t${names.join(" ")}\n`).join("");
    return text.endsWith("\n") || extra === "" ? text + extra : `${text}\n${extra}`;
  }
  const gateways = hostGateways(endpoints);
  const extra: HostsEntry[] = extraHosts(request.addHosts, gateways);
  if (!extra.some(({ names }) => names.includes(HOST_NAME))) for (const address of gateways) extra.push({ address, names: [HOST_NAME] });
  const own = endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]).filter((address) => address !== undefined);
  return buildHosts({
    ownNames: ownNames(stored.hostname, request.domainname), ownAddresses: own, extra, ipv6: endpoints.some((endpoint) => endpoint.ipv6 !== undefined),
    members: membersFor(context, endpoints.map(({ network }) => network).filter(({ name }) => name !== DEFAULT_NETWORK).map(({ id }) => id)),
  });
}

/** "web.example.org web", also where the host name itself has the domain; a bare name alone. */
function ownNames(hostname: string, domainname: string | undefined): string[] {
  const full = domainname === undefined ? hostname : `${hostname}.${domainname}`;
  const dot = hostname.indexOf(".");
  const short = domainname === undefined && dot > 0 ? hostname.slice(0, dot) : hostname;
  return full === short ? [full] : [full, short];
}

/** The host's addresses as the container sees them; of an internal network too, where the host is the only one there. */
function hostGateways(endpoints: readonly Endpoint[]): string[] {
  const first = endpoints.find(({ network }) => !network.internal) ?? endpoints[0];
  if (first === undefined) return [];
  const own = [4, 6].map((family) => gatewayOf({ ...first.network, internal: false }, family === 4 ? 4 : 6));
  return own.filter((address) => address !== undefined);
}

import { SampanError } from "../base/index.ts";
import { isLoopback } from "./hosts.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for a URL from HTTP_PROXY, HTTPS_PROXY and NO_PROXY (either case; the lower wins, as in curl), or undefined.
 * Loopback is never asked through a proxy. Throws `invalid` for a proxy that is no http or https URL.
 */
export function proxyFor(url: URL, env: Environment): URL | undefined {
  const variable = url.protocol === "https:" ? "https_proxy" : "http_proxy";
  // A CGI script's HTTP_PROXY is a request header "Proxy:" (CVE-2016-5385).
  const upper = variable === "http_proxy" && env["REQUEST_METHOD"] !== undefined ? undefined : env[variable.toUpperCase()];
  const text = env[variable] ?? upper;
  if (text === undefined || text === "" || isLoopback(url.host)) return undefined;
  if (isExempt(url, env["no_proxy"] ?? env["NO_PROXY"] ?? "")) return undefined;
  const full = text.includes("://") ? text : `http://${text}`;
  const proxy = URL.canParse(full) ? new URL(full) : undefined;
  if (proxy === undefined || (proxy.protocol !== "http:" && proxy.protocol !== "https:")) {
    // Not with the value: it may hold a password.
    throw new SampanError("invalid", `Cannot use proxy of "${variable}": it is not an http or https URL`);
  }
  return proxy;
}

/** The value of Proxy-Authorization, if the proxy's URL has a user. */
export function proxyAuthorization(proxy: URL): string | undefined {
  if (proxy.username === "") return undefined;
  return `Basic ${Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`).toString("base64")}`;
}

function isExempt(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      if (entry === "*") return true;
      if (entry.includes("/")) return inNetwork(host, entry);
      const [, name = entry, itsPort] = /^(.*?)(?::(\d+))?$/.exec(entry.replace(/^\[(.*)\]/, "$1")) ?? [];
      if (entry.split(":").length > 2) return host === entry.replace(/^\[(.*)\].*$/, "$1");
      if (itsPort !== undefined && itsPort !== port) return false;
      const domain = name.replace(/^\*?\./, "");
      return host.endsWith(`.${domain}`) || (host === domain && !/^\*?\./.test(name)) || host === name;
    });
}

function inNetwork(host: string, network: string): boolean {
  const [address = "", length] = network.split("/");
  const { BlockList, isIP } = process.getBuiltinModule("node:net");
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family || length === undefined || !/^\d{1,3}$/.test(length) || Number(length) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  const name = family === 4 ? "ipv4" : "ipv6";
  list.addSubnet(address, Number(length), name);
  return list.check(host, name);
}

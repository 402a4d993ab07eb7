import { SampanError, errnoOf } from "../base/index.ts";
import type { Reference } from "../oci/index.ts";
import { parseTomlTables, type TomlTable } from "./toml.ts";

/**
 * Where images come from: `/etc/sampan/registries.conf`, in the TOML that containers-registries.conf(5) has, less what
 * we do not do:
 *
 *     [[registry]]
 *     prefix = "docker.io"                  # host[:port][/path]; the longest that fits an image counts. Default: location
 *     location = "registry-1.docker.io"     # where to go instead; default: prefix
 *     insecure = false                      # true: unverified TLS, and plain HTTP. false: verified TLS, on loopback too
 *     blocked = false
 *     ca = "/etc/ssl/own.pem"               # further authorities for this host, PEM
 *
 *     [[registry.mirror]]                   # asked first when pulling, in this order
 *     location = "mirror.example:5000/hub"
 *     insecure = true
 */
export interface RegistriesConfig {
  readonly rules: readonly RegistryRule[];
}

export interface RegistryLocation {
  /** host[:port][/path] */
  readonly location: string;
  readonly insecure: boolean | undefined;
  readonly ca: string | undefined;
}

export interface RegistryRule extends RegistryLocation {
  readonly prefix: string;
  readonly blocked: boolean;
  readonly mirrors: readonly RegistryLocation[];
}

/** One place to ask for one repository. */
export interface RegistryPlace {
  /** host[:port] to talk to. */
  readonly host: string;
  /** The name under which credentials are kept: the host, or "docker.io" for Docker Hub's. */
  readonly domain: string;
  /** The repository there. */
  readonly repository: string;
  readonly mirror: boolean;
  readonly insecure: boolean | undefined;
  readonly ca: string | undefined;
}

export const REGISTRIES_CONF = "/etc/sampan/registries.conf";
/** Docker Hub's registry does not answer at the name by which images call it. */
const HUB_HOST = "registry-1.docker.io";

/** Reads the file; an absent one is an empty one. Throws `invalid` with the line that is wrong. */
export async function loadRegistriesConfig(file: string = REGISTRIES_CONF): Promise<RegistriesConfig> {
  const { readFile } = await import("node:fs/promises");
  try {
    return parseRegistriesConfig(await readFile(file, "utf8"), file);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { rules: [] };
    throw error;
  }
}

export function parseRegistriesConfig(text: string, file: string = REGISTRIES_CONF): RegistriesConfig {
  const rules: (RegistryRule & { mirrors: RegistryLocation[] })[] = [];
  for (const table of parseTomlTables(text, file)) {
    const fail = (problem: string): never => {
      throw new SampanError("invalid", `Cannot read "${file}": ${table.line === 0 ? "" : `[[${table.name}]] of line ${table.line}: `}${problem}`);
    };
    if (table.name === "") {
      for (const key of table.values.keys()) fail(`"${key}" does not belong before the first [[registry]]`);
      continue;
    }
    const common = { location: textOf(table, "location", fail), insecure: flag(table, "insecure", fail), ca: textOf(table, "ca", fail) };
    if (table.name === "registry.mirror") {
      onlyKeys(table, ["location", "insecure", "ca"], fail);
      const rule = rules.at(-1) ?? fail("there is no [[registry]] before it");
      rule.mirrors.push({ ...common, location: placeOf(common.location, fail) });
    } else if (table.name === "registry") {
      onlyKeys(table, ["prefix", "location", "insecure", "blocked", "ca"], fail);
      const prefix = textOf(table, "prefix", fail);
      const given = placeOf(prefix ?? common.location, fail);
      rules.push({
        ...common,
        prefix: given,
        location: placeOf(common.location ?? hubHost(given), fail),
        blocked: flag(table, "blocked", fail) ?? false,
        mirrors: [],
      });
    } else {
      fail("there is no such table");
    }
  }
  return { rules };
}

type Fail = (problem: string) => never;

function textOf(table: TomlTable, key: string, fail: Fail): string | undefined {
  const value = table.values.get(key);
  return value === undefined || typeof value === "string" ? value : fail(`"${key}" is not a string`);
}

function flag(table: TomlTable, key: string, fail: Fail): boolean | undefined {
  const value = table.values.get(key);
  return value === undefined || typeof value === "boolean" ? value : fail(`"${key}" is neither true nor false`);
}

function onlyKeys(table: TomlTable, known: readonly string[], fail: Fail): void {
  for (const key of table.values.keys()) if (!known.includes(key)) fail(`"${key}" is not known here`);
}

function placeOf(text: string | undefined, fail: Fail): string {
  if (text === undefined) return fail(`"location" is missing`);
  const [host = "", ...path] = text.split("/");
  if (!isHost(host) || path.some((part) => !/^[a-z0-9]+(?:[._-]+[a-z0-9]+)*$/.test(part))) return fail(`"${text}" is not of the form host[:port][/path]`);
  return text;
}

/** host[:port], as a URL has it. */
export function isHost(text: string): boolean {
  return /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?$/.test(text);
}

function hubHost(place: string): string {
  const [host, ...path] = place.split("/");
  return [host === "docker.io" || host === "index.docker.io" ? HUB_HOST : host, ...path].join("/");
}

/** The places to pull from, mirrors first, or the one to push to. Throws `denied` for a blocked registry. */
export function placesFor(config: RegistriesConfig, reference: Pick<Reference, "domain" | "path">, purpose: "pull" | "push"): RegistryPlace[] {
  const name = `${reference.domain}/${reference.path}`;
  const rule = config.rules.filter(({ prefix }) => name === prefix || name.startsWith(`${prefix}/`)).sort((a, b) => b.prefix.length - a.prefix.length)[0];
  if (rule?.blocked === true) throw new SampanError("denied", `Cannot use registry "${rule.prefix}": it is blocked in registries.conf`);
  const rest = rule === undefined ? reference.path : name.slice(rule.prefix.length + 1);
  const at = (location: RegistryLocation, mirror: boolean): RegistryPlace => {
    const [host = "", ...path] = location.location.split("/");
    const { insecure, ca } = location;
    return { host, domain: credentialDomain(host), repository: [...path, rest].filter((part) => part !== "").join("/"), mirror, insecure, ca };
  };
  const main = at(rule ?? { location: hubHost(reference.domain), insecure: undefined, ca: undefined }, false);
  return [...(purpose === "pull" && rule !== undefined ? rule.mirrors.map((mirror) => at(mirror, true)) : []), main];
}

/** The place of a registry as such, for ping, login, catalog and search. */
export function placeForDomain(config: RegistriesConfig, domain: string): RegistryPlace {
  const [place] = placesFor({ rules: config.rules.filter((rule) => rule.prefix === domain) }, { domain, path: "" }, "push");
  if (place === undefined) throw new SampanError("internal", `Cannot find registry "${domain}": no place`);
  return place;
}

/** Credentials belong to the host that is talked to: a mirror or another location never sees the original's. */
function credentialDomain(host: string): string {
  return host === HUB_HOST ? "docker.io" : host;
}

/** True for the name and addresses that cannot leave this machine (RFC 6761 section 6.3, RFC 1122, RFC 4291). */
export function isLoopback(host: string): boolean {
  const name = hostnameOf(host).toLowerCase();
  return name === "localhost" || /^127(?:\.\d{1,3}){3}$/.test(name) || name === "::1";
}

/** "[::1]:5000" is "::1", "a:5000" is "a". */
export function hostnameOf(host: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(host);
  return bracketed?.[1] ?? host.replace(/:\d*$/, "");
}

/** One way to reach a host: over TLS or not, and verified or not. */
export interface SchemeChoice {
  readonly scheme: "https" | "http";
  readonly verify: boolean;
}

/**
 * The schemes to try, in order. Docker's rule: loopback is insecure by default, and insecure means unverified TLS or
 * plain HTTP. On loopback plain HTTP is asked first, for that is what listens there nearly always.
 * `tlsVerify` is the user's word for this call and outweighs the file.
 */
export function schemesFor(place: Pick<RegistryPlace, "host" | "insecure">, tlsVerify: boolean | undefined): SchemeChoice[] {
  const insecure = tlsVerify === undefined ? place.insecure : !tlsVerify;
  if (insecure === true) return [{ scheme: "https", verify: false }, { scheme: "http", verify: false }];
  if (insecure === undefined && isLoopback(place.host)) return [{ scheme: "http", verify: false }, { scheme: "https", verify: false }];
  return [{ scheme: "https", verify: true }];
}

import { SampanError } from "../base/index.ts";
import { parseDigest, type Digest } from "./digest.ts";

/**
 * What an image is called: `[domain/]path[:tag][@digest]`, normalised, so that `domain` is always there.
 * The grammar and the defaults are those of distribution/reference, which Docker, containerd and Podman share.
 */
export interface Reference {
  /** Registry host with its port, if any: "docker.io", "localhost:5000", "[::1]:5000". */
  readonly domain: string;
  /** Repository within the registry: "library/nginx". */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export const DEFAULT_DOMAIN = "docker.io";
const DEFAULT_TAG = "latest";
const LEGACY_DOMAIN = "index.docker.io";
const OFFICIAL_PREFIX = "library/";
const PATH_LENGTH_MAX = 255;
/** Far above any legal reference; keeps the patterns away from hostile megabytes. */
const TEXT_LENGTH_MAX = 4096;

const DOMAIN = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const PATH = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;

function refuse(text: string, problem: string): never {
  throw new SampanError("invalid", `Cannot parse reference ${JSON.stringify(text.slice(0, 300))}: ${problem}`);
}

/**
 * Reads what a person typed: "nginx", "localhost:5000/a/b:1@sha256:…". No tag is added; see `withDefaultTag`.
 * Throws `invalid` with Docker's words ("invalid reference format", "… must be lowercase").
 */
export function parseReference(text: string): Reference {
  if (text.length > TEXT_LENGTH_MAX) refuse(text, "invalid reference format");
  if (/^[a-f0-9]{64}$/.test(text)) refuse(text, `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  const { domain, remainder } = splitDomain(text);
  const beforeColon = remainder.split(":", 1)[0] ?? "";
  if (beforeColon !== beforeColon.toLowerCase()) {
    refuse(text, `invalid reference format: repository name (${beforeColon}) must be lowercase`);
  }
  const at = remainder.indexOf("@");
  const named = at === -1 ? remainder : remainder.slice(0, at);
  const colon = named.indexOf(":");
  const path = colon === -1 ? named : named.slice(0, colon);
  const tag = colon === -1 ? undefined : named.slice(colon + 1);
  const digest = at === -1 ? undefined : remainder.slice(at + 1);
  const wellFormed = DOMAIN.test(domain) && PATH.test(path) && (tag === undefined || TAG.test(tag)) && (digest === undefined || DIGEST.test(digest));
  if (!wellFormed) refuse(text, "invalid reference format");
  if (path.length > PATH_LENGTH_MAX) refuse(text, `repository name must not be more than ${PATH_LENGTH_MAX} characters`);
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest: parseDigest(digest) }) };
}

/** Decides whether what stands before the first slash is a host: it has a dot, a colon or a capital, or is "localhost". */
function splitDomain(text: string): { domain: string; remainder: string } {
  const slash = text.indexOf("/");
  if (slash === -1) return { domain: DEFAULT_DOMAIN, remainder: OFFICIAL_PREFIX + text };
  const first = text.slice(0, slash);
  const isHost = first === "localhost" || /[.:]/.test(first) || first !== first.toLowerCase();
  const domain = !isHost || first === LEGACY_DOMAIN ? DEFAULT_DOMAIN : first;
  const remainder = isHost ? text.slice(slash + 1) : text;
  const official = domain === DEFAULT_DOMAIN && !remainder.includes("/");
  return { domain, remainder: official ? OFFICIAL_PREFIX + remainder : remainder };
}

/** The whole name, defaults spelled out: "docker.io/library/nginx:latest". */
export function formatReference(reference: Reference): string {
  return repositoryName(reference) + suffixOf(reference);
}

/** As people say it: "nginx:latest", "localhost:5000/a:1". `parseReference` reads it back to the same value. */
export function familiarReference(reference: Reference): string {
  return familiarName(reference) + suffixOf(reference);
}

/** "docker.io/library/nginx": no tag, no digest. */
export function repositoryName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** "nginx": the repository as `docker images` prints it. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return repositoryName(reference);
  const short = reference.path.startsWith(OFFICIAL_PREFIX) ? reference.path.slice(OFFICIAL_PREFIX.length) : reference.path;
  // "library/a/b" must keep its prefix: "a/b" would be another repository.
  return short.includes("/") ? reference.path : short;
}

function suffixOf(reference: Reference): string {
  return (reference.tag === undefined ? "" : `:${reference.tag}`) + (reference.digest === undefined ? "" : `@${reference.digest}`);
}

/** Adds ":latest" where there is neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: DEFAULT_TAG } : reference;
}

/** The same repository by tag only. Throws `invalid` ("invalid tag format"). */
export function withTag(reference: Reference, tag: string): Reference {
  if (!TAG.test(tag)) refuse(`${repositoryName(reference)}:${tag}`, "invalid tag format");
  return { domain: reference.domain, path: reference.path, tag };
}

/** The same repository by digest only. */
export function withDigest(reference: Reference, digest: Digest): Reference {
  return { domain: reference.domain, path: reference.path, digest };
}

/** What the manifest endpoint wants: the digest where there is one, for it is the stronger promise; else the tag. */
export function tagOrDigest(reference: Reference): string {
  return reference.digest ?? reference.tag ?? DEFAULT_TAG;
}

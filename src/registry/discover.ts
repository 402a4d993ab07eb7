import type { SampanError } from "../base/index.ts";
import { FieldReader, isJsonObject, parseJson } from "../oci/index.ts";
import { cannot, cleanText, during, TransportError, type Operation } from "./failure.ts";
import { pullScope, type Repository } from "./manifests.ts";
import { readDocument } from "./redirect.ts";
import type { Session } from "./session.ts";
import type { SearchResult, WaitOptions } from "./types.ts";

const PAGE_BYTES_MAX = 8 * 1024 * 1024;
const PAGES_MAX = 1000;
const ENTRIES_MAX = 200_000;

/** All tags of a repository, page by page. */
export async function listTags(repository: Repository, operation: Operation, wait: WaitOptions): Promise<string[]> {
  const tags = await collect(repository.session, `/v2/${repository.name}/tags/list?n=1000`, "tags", pullScope(repository), operation, wait, ENTRIES_MAX);
  return tags ?? [];
}

/** Repositories by Docker's search, or by looking through the catalog of a registry that has no search. */
export async function search(session: Session, searchBase: URL, term: string, limit: number, operation: Operation, wait: WaitOptions): Promise<SearchResult[]> {
  const query = new URLSearchParams({ q: term, n: String(limit) });
  const url = new URL(`/v1/search?${query.toString()}`, searchBase);
  const answer = await session.send(
    { method: "GET", url, scopes: [], headers: { accept: "application/json" }, operation, accept: [200, 400, 404, 405, 501] },
    wait,
  );
  if (answer.status === 200) {
    const value = await document(answer, operation, session, wait);
    const results = new FieldReader(value, "search results").array("results") ?? [];
    return results.filter(isJsonObject).slice(0, limit).map(resultOf).filter(({ name }) => name !== "");
  }
  answer.discard();
  const names = (await collect(session, "/v2/_catalog?n=1000", "repositories", ["registry:catalog:*"], operation, wait, ENTRIES_MAX)) ?? [];
  return names
    .filter((name) => name.includes(term.toLowerCase()))
    .slice(0, limit)
    .map((name) => ({ name: `${session.host}/${name}`, description: "", starCount: 0, isOfficial: false, isAutomated: false }));
}

function resultOf(item: Readonly<Record<string, unknown>>): SearchResult {
  const text = (name: string, max: number): string => (typeof item[name] === "string" ? cleanText(item[name], max) : "");
  const stars = item["star_count"];
  return {
    name: text("name", 255),
    description: text("description", 1000),
    starCount: typeof stars === "number" && Number.isSafeInteger(stars) ? stars : 0,
    isOfficial: item["is_official"] === true,
    isAutomated: item["is_automated"] === true,
  };
}

async function document(answer: Awaited<ReturnType<Session["send"]>>, operation: Operation, session: Session, wait: WaitOptions): Promise<unknown> {
  try {
    return parseJson(await readDocument(answer, PAGE_BYTES_MAX, operation, session.transport.timeouts, wait.signal), "answer", PAGE_BYTES_MAX);
  } catch (error) {
    if (error instanceof TransportError) throw cannot(operation, "unavailable", error.message, { code: error.code, cause: error });
    throw during(operation, error);
  }
}

async function collect(
  session: Session,
  first: string,
  field: string,
  scopes: readonly string[],
  operation: Operation,
  wait: WaitOptions,
  max: number,
): Promise<string[]> {
  const found: string[] = [];
  const fail = (reason: string): SampanError => cannot(operation, "invalid", `${session.host} ${reason}`);
  let next: string | URL | undefined = first;
  for (let page = 1; next !== undefined; page++) {
    if (page > PAGES_MAX) throw fail(`has more than ${PAGES_MAX} pages of ${field}`);
    const answer = await session.send({ method: "GET", url: next, scopes, headers: { accept: "application/json" }, operation, accept: [200] }, wait);
    const names = new FieldReader(await document(answer, operation, session, wait), `list of ${field}`).strings(field) ?? [];
    for (const name of names) found.push(cleanText(name));
    if (found.length > max) throw fail(`lists more than ${max} ${field}`);
    next = nextPage(answer.header("link"), answer.url, session.base(), fail);
  }
  return found;
}

/** RFC 8288: `<url>; rel="next"`, of the registry's own origin, for our credentials go with the request. */
function nextPage(link: string | undefined, from: URL, base: URL, fail: (reason: string) => SampanError): URL | undefined {
  const target = /<([^<>]*)>\s*;[^,<]*\brel="?next"?/i.exec(link ?? "")?.[1];
  if (target === undefined) return undefined;
  if (!URL.canParse(target, from.href)) throw fail("names a next page that is not a URL");
  const url = new URL(target, from);
  if (url.origin !== base.origin) throw fail("names a next page on another host");
  return url;
}

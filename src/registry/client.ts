import { SampanError, errnoOf } from "../base/index.ts";
import { DEFAULT_DOMAIN, familiarName, familiarReference, withDefaultTag, type Descriptor, type Reference } from "../oci/index.ts";
import { readBlob } from "./blobs.ts";
import { listTags, search } from "./discover.ts";
import { cannot, during, type Operation } from "./failure.ts";
import { placeForDomain, placesFor, type RegistriesConfig, type RegistryPlace } from "./hosts.ts";
import { getManifest, headManifest, putManifest, resolveImage, type Repository } from "./manifests.ts";
import type { Environment } from "./proxy.ts";
import { DEFAULT_RETRY, type RetryPolicy } from "./retry.ts";
import { Session } from "./session.ts";
import { Transport, type Timeouts } from "./transport.ts";
import type { CredentialSource, RegistryClient, WaitOptions } from "./types.ts";
import { uploadBlob } from "./upload.ts";

export interface RegistryClientOptions {
  /** Mirrors and insecure hosts; see `loadRegistriesConfig`. Default: none. */
  readonly config?: RegistriesConfig | undefined;
  /** Default: anonymous. See `openDockerConfig`. */
  readonly credentials?: CredentialSource | undefined;
  /** `--tls-verify`: true demands verified TLS even of loopback, false allows unverified TLS and plain HTTP. */
  readonly tlsVerify?: boolean | undefined;
  /** For HTTP_PROXY and its kin. Default: the process's. */
  readonly env?: Environment | undefined;
  readonly retry?: RetryPolicy | undefined;
  readonly timeouts?: Timeouts | undefined;
}

const SEARCH_LIMIT_DEFAULT = 25;
/** Docker Hub's search lives where its first registry did. */
const HUB_SEARCH = new URL("https://index.docker.io/");

/** A client for all registries. Connections are kept until it is disposed of. */
export function createRegistryClient(options: RegistryClientOptions = {}): RegistryClient {
  const transport = new Transport({ env: options.env ?? process.env, timeouts: options.timeouts });
  const config = options.config ?? { rules: [] };
  const retry = options.retry ?? DEFAULT_RETRY;
  const sessions = new Map<string, Promise<Session>>();

  const openSession = async (place: RegistryPlace, credentials: CredentialSource | undefined): Promise<Session> =>
    new Session({ place, transport, credentials, retry, ca: await readAuthority(place), tlsVerify: options.tlsVerify });
  const sessionAt = (place: RegistryPlace): Promise<Session> => {
    const key = [place.host, place.insecure, place.ca].join("\n");
    const session = sessions.get(key) ?? openSession(place, options.credentials);
    sessions.set(key, session);
    session.catch(() => sessions.delete(key));
    return session;
  };
  const repositories = (reference: Reference, purpose: "pull" | "push"): Promise<Repository[]> =>
    Promise.all(placesFor(config, reference, purpose).map(async (place) => ({ session: await sessionAt(place), name: place.repository })));

  /** Tries the mirrors, then the registry itself; the last one's error is the one that counts. */
  const fromAny = async <T>(reference: Reference, operation: Operation, wait: WaitOptions, work: (repository: Repository) => Promise<T>): Promise<T> => {
    try {
      const all = await repositories(reference, "pull");
      for (const [index, repository] of all.entries()) {
        const next = all[index + 1];
        try {
          return await work(repository);
        } catch (error) {
          if (next === undefined || !(error instanceof SampanError) || error.kind === "cancelled") throw error;
          wait.onProgress?.({ kind: "fallback", from: repository.session.host, to: next.session.host, reason: error.message });
        }
      }
    } catch (error) {
      throw during(operation, error);
    }
    throw cannot(operation, "internal", "there is no place to ask");
  };
  const toOne = async <T>(reference: Reference, operation: Operation, work: (repository: Repository) => Promise<T>): Promise<T> => {
    try {
      const [repository] = await repositories(reference, "push");
      if (repository === undefined) throw cannot(operation, "internal", "there is no place to ask");
      return await work(repository);
    } catch (error) {
      throw during(operation, error);
    }
  };
  const operationOn = (verb: string, reference: Reference): Operation => ({ verb, name: familiarReference(reference), repository: familiarName(reference) });
  const operationAt = (verb: string, domain: string): Operation => ({ verb, name: domain });

  return {
    head: (reference, wait = {}) => {
      const tagged = withDefaultTag(reference);
      const operation = operationOn("pull", tagged);
      return fromAny(tagged, operation, wait, (repository) => headManifest(repository, tagged, operation, wait));
    },
    resolve: (reference, wait = {}) => {
      const tagged = withDefaultTag(reference);
      const operation = operationOn("pull", tagged);
      return fromAny(tagged, operation, wait, (repository) => resolveImage(repository, tagged, operation, wait));
    },
    fetchManifest: (reference, wait = {}) => {
      const tagged = withDefaultTag(reference);
      const operation = operationOn("pull", tagged);
      return fromAny(tagged, operation, wait, (repository) => getManifest(repository, tagged, wait.expected, operation, wait));
    },
    async *openBlob(reference, descriptor: Descriptor, wait = {}) {
      const operation = operationOn("pull", reference);
      yield* readBlob(await repositories(reference, "pull"), descriptor, operation, retry, wait);
    },
    pushBlob: (reference, descriptor, source, wait = {}) => {
      const operation = operationOn("push", reference);
      return toOne(reference, operation, (repository) => uploadBlob({ repository, descriptor, source, operation, options: wait }, retry));
    },
    pushManifest: (reference, manifest, wait = {}) => {
      const operation = operationOn("push", reference);
      return toOne(reference, operation, (repository) => putManifest(repository, reference, manifest, operation, wait));
    },
    listTags: (reference, wait = {}) => {
      const operation: Operation = { verb: "list tags of", name: familiarName(reference), repository: familiarName(reference) };
      return toOne(reference, operation, (repository) => listTags(repository, operation, wait));
    },
    async search(domain, term, wait = {}) {
      const operation = operationAt("search", domain);
      try {
        const place = placeForDomain(config, domain);
        const session = await sessionAt(place);
        await session.connect(operation, wait);
        const base = domain === DEFAULT_DOMAIN && place.host === "registry-1.docker.io" ? HUB_SEARCH : session.base();
        return await search(session, base, term, wait.limit ?? SEARCH_LIMIT_DEFAULT, operation, wait);
      } catch (error) {
        throw during(operation, error);
      }
    },
    async ping(domain, wait = {}) {
      const operation = operationAt("reach", domain);
      const session = await sessionAt(placeForDomain(config, domain));
      const answer = await session.send({ method: "GET", url: "/v2/", scopes: [], operation, accept: [200, 401] }, wait);
      answer.discard();
    },
    async verifyCredential(domain, credential, wait = {}) {
      const operation = operationAt("log in to", domain);
      // A session of its own: what others have been told with other credentials does not count.
      const session = await openSession(placeForDomain(config, domain), { get: () => Promise.resolve(credential) });
      await session.connect(operation, wait);
      const { identityToken } = await session.authorizer.exchange(credential, operation, wait.signal);
      const answer = await session.send({ method: "GET", url: "/v2/", scopes: [], operation, accept: [200] }, wait);
      answer.discard();
      return identityToken === undefined ? {} : { identityToken };
    },
    [Symbol.asyncDispose]: () => transport.close(),
  };
}

async function readAuthority(place: RegistryPlace): Promise<string | undefined> {
  if (place.ca === undefined) return undefined;
  const { readFile } = await import("node:fs/promises");
  try {
    return await readFile(place.ca, "utf8");
  } catch (error) {
    throw new SampanError(
      "invalid",
      `Cannot read the certificate authority "${place.ca}" of "${place.host}": ${errnoOf(error) ?? "unknown error"}`,
      { cause: error },
    );
  }
}

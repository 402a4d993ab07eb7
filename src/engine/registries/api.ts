import { SampanError } from "../../base/errors.ts";
import type { Cancellable, Filters, Registries, SearchResult } from "../api.ts";

/** The engine's `registries`. */
export function registriesApi(): Registries {
  return {
    async login({ server, username, password }, { signal }) {
      const [{ openRegistryClient }, { login, openDockerConfig }] = await Promise.all([import("./client.ts"), import("../../registry/index.ts")]);
      await using client = await openRegistryClient();
      const store = openDockerConfig();
      const { keptIn } = await login(client, store, server, username, password, { signal });
      const warning = `WARNING! Your credentials are stored unencrypted in '${store.file}'.\nConfigure a credential helper to remove this warning.`;
      return { message: "Login Succeeded", warning: keptIn === "file" ? warning : undefined };
    },
    async logout(server, { signal }) {
      const { logout, openDockerConfig } = await import("../../registry/index.ts");
      const { domain, removed } = await logout(openDockerConfig(), server, { signal });
      return removed ? `Removing login credentials for ${domain === "docker.io" ? "https://index.docker.io/v1/" : domain}` : `Not logged in to ${domain}`;
    },
    search,
  };
}

async function search(
  term: string,
  { signal, limit, filters = {} }: Cancellable & { readonly limit?: number | undefined; readonly filters?: Filters | undefined },
): Promise<readonly SearchResult[]> {
  const wanted = searchFilter(filters);
  const { openRegistryClient } = await import("./client.ts");
  await using client = await openRegistryClient();
  // "localhost:5000/name" looks there; anything else at Docker Hub.
  const slash = term.indexOf("/");
  const host = slash === -1 ? "" : term.slice(0, slash);
  const isHost = host === "localhost" || /[.:]/.test(host);
  const found = await client.search(isHost ? host : "docker.io", isHost ? term.slice(slash + 1) : term, { signal, limit });
  return found.map(({ name, description, starCount, isOfficial }) => ({ name, description, stars: starCount, official: isOfficial })).filter(wanted);
}

function searchFilter(filters: Filters): (result: SearchResult) => boolean {
  const tests: ((result: SearchResult) => boolean)[] = [];
  for (const [key, values] of Object.entries(filters)) {
    for (const value of values) {
      if (key === "stars" && /^\d+$/.test(value)) tests.push(({ stars }) => stars >= Number(value));
      else if (key === "is-official" && /^(true|false|1|0)$/.test(value)) tests.push(({ official }) => official === (value === "true" || value === "1"));
      else throw new SampanError("invalid", key === "stars" || key === "is-official" ? `invalid filter '${key}=${value}'` : `invalid filter '${key}'`);
    }
  }
  return (result) => tests.every((test) => test(result));
}

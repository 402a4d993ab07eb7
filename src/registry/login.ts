import { SampanError } from "../base/index.ts";
import { hostOf, type CredentialStore } from "./docker-config.ts";
import { isHost } from "./hosts.ts";
import type { Credential, RegistryClient, WaitOptions } from "./types.ts";

export interface LoginOutcome {
  readonly domain: string;
  /** "file": unencrypted in `store.file`, which is worth a warning; "helper": kept by a credential helper. */
  readonly keptIn: "file" | "helper";
}

/** What a person calls a registry, as a domain: nothing or any of Docker Hub's names is "docker.io". Throws `invalid`. */
export function registryDomain(server: string | undefined): string {
  const host = hostOf((server ?? "").trim());
  if (host === "" || ["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"].includes(host)) return "docker.io";
  if (!isHost(host)) throw new SampanError("invalid", `Cannot use registry ${JSON.stringify(host.slice(0, 300))}: it is not of the form host[:port]`);
  return host;
}

/** Keeps a credential after the registry has accepted it. Throws `denied` ("unauthorized: …") if it does not. */
export async function login(
  client: RegistryClient,
  store: CredentialStore,
  server: string | undefined,
  username: string,
  password: string,
  options: WaitOptions = {},
): Promise<LoginOutcome> {
  const domain = registryDomain(server);
  // The name ends at the first colon wherever it is written (RFC 7617 section 2).
  if (username === "" || username.includes(":"))
    throw new SampanError("invalid", `Cannot log in to "${domain}": the user name is ${username === "" ? "empty" : "not allowed to have a colon"}`);
  if (password === "") throw new SampanError("invalid", `Cannot log in to "${domain}": the password is empty`);
  const given: Credential = { kind: "password", username, password };
  const { identityToken } = await client.verifyCredential(domain, given, options);
  const kept: Credential = identityToken === undefined ? given : { kind: "identity-token", token: identityToken };
  return { domain, keptIn: await store.put(domain, kept, options) };
}

/** Forgets a registry's credential; false if there was none. */
export async function logout(
  store: CredentialStore,
  server: string | undefined,
  options: WaitOptions = {},
): Promise<{ readonly domain: string; readonly removed: boolean }> {
  const domain = registryDomain(server);
  return { domain, removed: await store.erase(domain, options) };
}

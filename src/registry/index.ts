/**
 * A client of OCI registries (distribution-spec 1.1), and the credentials for them.
 *
 * Words: a *domain* is what a reference calls a registry ("docker.io"); a *place* is a host and repository to ask for
 * it, a mirror or the registry itself; a *session* is what is known of one host (scheme, challenge, tokens).
 *
 * Invariants: no content leaves here that was not checked against its digest and size. Credentials are sent to the host
 * that they belong to and to the token server that it names over TLS, never across a redirect to another origin.
 * `urls` of layers are never followed. Every body is bounded in bytes, every wait in time, and nothing is retried,
 * or taken from elsewhere, without a progress event.
 */
export * from "./types.ts";
export { createRegistryClient, type RegistryClientOptions } from "./client.ts";
export { loadRegistriesConfig, parseRegistriesConfig, REGISTRIES_CONF, type RegistriesConfig, type RegistryRule, type RegistryLocation } from "./hosts.ts";
export { openDockerConfig, type CredentialStore } from "./docker-config.ts";
export { download, type DownloadOptions } from "./download.ts";
export { login, logout, registryDomain, type LoginOutcome } from "./login.ts";
export { verified } from "./verify.ts";
export { DEFAULT_RETRY, type RetryPolicy } from "./retry.ts";
export { DEFAULT_TIMEOUTS, type Timeouts } from "./transport.ts";

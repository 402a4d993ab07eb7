import { createRegistryClient, loadRegistriesConfig, openDockerConfig, type RegistryClient } from "../../registry/index.ts";

/** A client with this machine's registries.conf and this person's credentials. SAMPAN_REGISTRIES_CONF names another file. */
export async function openRegistryClient(tlsVerify?: boolean): Promise<RegistryClient> {
  const config = await loadRegistriesConfig(process.env["SAMPAN_REGISTRIES_CONF"]);
  return createRegistryClient({ config, credentials: openDockerConfig(), tlsVerify });
}

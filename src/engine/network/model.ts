import { SampanError } from "../../base/errors.ts";
import type { NetworkRecord } from "../../network/model.ts";
import type { NetworkRecord as StoredNetwork } from "../../storage/state/index.ts";

/** A network as the pure functions know it, from its row. */
export function networkOf(row: StoredNetwork): NetworkRecord {
  // Written by `rowOf` and nobody else.
  return JSON.parse(row.config) as NetworkRecord;
}

/** Its row. Labels are there twice: in columns that can be searched, and in the value. */
export function rowOf(network: NetworkRecord): StoredNetwork {
  return {
    id: network.id, name: network.name, driver: network.driver, bridge: network.bridge === "" ? null : network.bridge,
    config: JSON.stringify(network), labels: network.labels, createdMs: Date.parse(network.created),
  };
}

/** What somebody may call the models that are no network of their own. */
export function isModelOfItsOwn(name: string): boolean {
  return name !== "host" && name !== "none" && !name.startsWith("container:");
}

/** "bridge" for whoever asked for nothing. Else "none", "host", "container:ID", or the first network's name. */
export function networkModeOf(networks: readonly { readonly network: string }[]): string {
  const first = networks[0]?.network ?? "bridge";
  return first === "default" ? "bridge" : first;
}

export function notFound(name: string): SampanError {
  return new SampanError("not-found", `network ${name} not found`, { hint: "See: sampan network ls" });
}

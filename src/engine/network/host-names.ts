import { DEFAULT_BRIDGE } from "../../network/model.ts";
import { DEFAULT_TABLE } from "../../network/nftables.ts";

/** What a store's networking is called on the host. */
export interface HostNames {
  /** The default network's bridge. */
  readonly bridge: string;
  /** Our nftables table. */
  readonly table: string;
  /** Our chain beside Docker's. */
  readonly chain: string;
}

/** Where the machine's own store is; see the CLI's `--root`. */
const MACHINE_ROOT = "/var/lib/sampan";

/**
 * The machine's store has the plain names. Any other gets its own, made from its path, so that two stores on one host do not
 * take each other's bridge or rules.
 */
export function hostNamesOf(root: string): HostNames {
  if (root === MACHINE_ROOT) return { bridge: DEFAULT_BRIDGE, table: DEFAULT_TABLE, chain: "SAMPAN" };
  const suffix = fnv1a(root);
  return { bridge: `sampan-${suffix}`, table: `${DEFAULT_TABLE}_${suffix}`, chain: `SAMPAN-${suffix}` };
}

/** FNV-1a in 32 bits: short, and no module to load on the way to a container. */
function fnv1a(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0");
}

import { digestAlgorithm, digestHex, type Digest } from "../../oci/digest.ts";

/** Where things are in a store. All on one filesystem, so that rename(2) is what publishes. */
export class StorePaths {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  get index(): string {
    return `${this.root}/index.json`;
  }

  get leases(): string {
    return `${this.root}/leases`;
  }

  get ingests(): string {
    return `${this.root}/ingest`;
  }

  get locks(): string {
    return `${this.root}/locks`;
  }

  blobs(algorithm: string): string {
    return `${this.root}/blobs/${algorithm}`;
  }

  blob(digest: Digest): string {
    return `${this.blobs(digestAlgorithm(digest))}/${digestHex(digest)}`;
  }

  ingest(digest: Digest): string {
    return `${this.ingests}/${digestAlgorithm(digest)}-${digestHex(digest)}`;
  }

  lock(name: string): string {
    return `${this.locks}/${name.replace(":", "-")}.lock`;
  }
}

export const ALGORITHMS = ["sha256", "sha512"] as const;

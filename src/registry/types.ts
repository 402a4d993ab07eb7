import type { Descriptor, Digest, ImageIndex, ImageManifest, Platform, Reference } from "../oci/index.ts";

/** What happens while something waits. Nothing is retried or taken from elsewhere without one of these. */
export type RegistryProgress =
  /** Bytes of a blob that have gone through, of all it has; after a resume it goes on where it stood. */
  | { readonly kind: "transfer"; readonly digest: Digest; readonly doneBytes: number; readonly totalBytes: number }
  /** A request failed in a way that passes; it is sent again after `delayMs`. */
  | { readonly kind: "retry"; readonly host: string; readonly attempt: number; readonly delayMs: number; readonly reason: string }
  /** A mirror or scheme did not do; the next one is tried. */
  | { readonly kind: "fallback"; readonly from: string; readonly to: string; readonly reason: string };

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: RegistryProgress) => void) | undefined;
}

/** What one is known by at a registry: a name and password, or a token that stands for them. */
export type Credential =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** A refresh token (`identitytoken`, or user "<token>" in a credential helper). */
  | { readonly kind: "identity-token"; readonly token: string }
  /** A bearer token to be sent as it is (`registrytoken`). */
  | { readonly kind: "registry-token"; readonly token: string };

/** Where the client gets credentials. `domain` is a reference's domain ("docker.io") or a mirror's host. */
export interface CredentialSource {
  get(domain: string, options?: WaitOptions): Promise<Credential | undefined>;
}

export interface ResolveOptions extends WaitOptions {
  /** Default: this host's. */
  readonly platform?: Platform | undefined;
  /**
   * Gives the bytes of a manifest that is already in the store, so that an image that has not changed costs one HEAD.
   * They are checked against the digest like any others.
   */
  readonly readLocal?: ((digest: Digest) => Promise<Uint8Array | undefined>) | undefined;
}

/** What a reference means right now. */
export interface ResolvedImage {
  /** As asked for, with the default tag. */
  readonly reference: Reference;
  /** What the reference itself names: an index, or the manifest. Its digest is what `RepoDigests` shows. */
  readonly root: Descriptor;
  /** The indexes on the way, outermost first; empty if the reference names a manifest. */
  readonly indexes: readonly ImageIndex[];
  readonly manifest: ImageManifest;
  /** What the index says of the manifest; undefined if there was none or it says nothing. */
  readonly platform: Platform | undefined;
}

/** Who keeps the bytes of a blob and takes their digest as they come, so that they are hashed once and not twice. */
export interface BlobKeeper {
  /** Bytes that it has. Those it has before the first are not fetched, and not passed on. */
  readonly offset: number;
  /** Of the bytes that it has. */
  digestSoFar(): Digest;
}

export interface BlobOptions extends WaitOptions {
  /** Takes in every chunk before it asks for the next. What it has must be the blob in the end, as if it had been hashed here. */
  readonly keeper?: BlobKeeper | undefined;
}

/** A blob to send. May be opened several times, each time from a given byte. */
export interface BlobSource {
  open(offset: number): AsyncIterable<Uint8Array>;
}

export interface PushBlobOptions extends WaitOptions {
  /** Repositories of the same registry that may have the blob already ("library/debian"). */
  readonly mountFrom?: readonly string[] | undefined;
  /** Send in pieces of this many bytes instead of in one request. */
  readonly chunkBytes?: number | undefined;
}

/** What it took for the registry to have a blob; a mounted one came from that repository. */
export type PushOutcome = "exists" | `mounted from ${string}` | "uploaded";

export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly starCount: number;
  readonly isOfficial: boolean;
  readonly isAutomated: boolean;
}

/** Result of asking a registry whether a credential is good. */
export interface LoginResult {
  /** A refresh token given in exchange for the password, to be kept instead of it. */
  readonly identityToken?: string;
}

/**
 * A client of OCI registries (distribution-spec 1.1). All content that it hands out has been checked: manifests before
 * they are returned, blobs when their iteration ends without an error. All methods throw `SampanError`:
 * `not-found`, `denied`, `unavailable`, `invalid` (content that is not what it should be), `unsupported`, `cancelled`.
 */
export interface RegistryClient extends AsyncDisposable {
  /** Asks what the reference names, without fetching it; undefined if the registry will not say by HEAD. */
  head(reference: Reference, options?: WaitOptions): Promise<Descriptor | undefined>;
  /** Finds the image for a platform. */
  resolve(reference: Reference, options?: ResolveOptions): Promise<ResolvedImage>;
  /** One manifest or index, by the reference's digest, else its tag; checked against `expected` if given. */
  fetchManifest(reference: Reference, options?: WaitOptions & { readonly expected?: Descriptor | undefined }): Promise<ImageManifest | ImageIndex>;
  /**
   * The raw bytes of a blob, beginning after those the keeper has. Never more than `descriptor.size` in all. Broken connections are
   * resumed. What has been read may be used only once the iteration has ended: a wrong digest is known only then.
   */
  openBlob(reference: Reference, descriptor: Descriptor, options?: BlobOptions): AsyncIterable<Uint8Array>;
  /** Makes sure that the registry has the blob: it has it, mounts it from another repository, or is sent it. */
  pushBlob(reference: Reference, descriptor: Descriptor, source: BlobSource, options?: PushBlobOptions): Promise<PushOutcome>;
  /** Puts a manifest or index under the reference's tag and, if it has one, digest. Blobs come first. */
  pushManifest(reference: Reference, manifest: ImageManifest | ImageIndex, options?: WaitOptions): Promise<void>;
  /** All tags of the repository. */
  listTags(reference: Reference, options?: WaitOptions): Promise<string[]>;
  /** Repositories of a registry whose name or description has the term, by `/v1/search` or else the catalog. */
  search(domain: string, term: string, options?: WaitOptions & { readonly limit?: number | undefined }): Promise<SearchResult[]>;
  /** Checks that the registry is there and speaks version 2. */
  ping(domain: string, options?: WaitOptions): Promise<void>;
  /** Checks a credential against the registry; stores nothing (see `login`). */
  verifyCredential(domain: string, credential: Credential, options?: WaitOptions): Promise<LoginResult>;
}

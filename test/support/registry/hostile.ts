/** One answer that goes wrong before those after it go right. */
export interface FailNext {
  readonly path: RegExp;
  readonly status: number;
  readonly retryAfter?: string;
  /** How often; default once. */
  times?: number;
  readonly method?: string;
}

/** Ways to be wrong. All absent: honest. */
export interface Hostile {
  failNext: FailNext[];
  /** Served instead of any manifest's bytes. */
  manifestBytes?: Uint8Array;
  manifestType?: string;
  /** Docker-Content-Digest of manifests; "" leaves it out. */
  digestHeader?: string;
  noHead?: boolean;
  /** What is sent in place of a blob's bytes; its length is what Content-Length says unless that is set too. */
  blobBytes?: (honest: Uint8Array) => Uint8Array;
  blobContentLength?: number;
  /** Blobs without a Content-Length. */
  blobChunked?: boolean;
  /** Cuts the connection after so many bytes of a blob, as many times as `breaks` says. */
  breakAfterBytes?: number;
  breaks?: number;
  noRange?: boolean;
  /** Answers a range with another one. */
  wrongRange?: boolean;
  /** A body that does not end. */
  endless?: "manifest" | "blob" | "token" | "error";
  /** One byte of the manifest per so many milliseconds. */
  dripMs?: number;
  /** Never answers, or stops in the middle of a blob. */
  hang?: "manifest" | "blob";
  /** A blob that is sent only then. */
  late?: { readonly digest: string; readonly until: Promise<void> };
  /** Where blobs are said to be; "%s" becomes the digest. */
  redirectBlobs?: string;
  redirectManifests?: string;
  /** Instead of the registry's own. */
  realm?: string;
  tokenBody?: string;
  /** Cuts an upload after so many bytes, once per unit of `breakUploads`. */
  breakUploadAfterBytes?: number;
  breakUploads?: number;
  /** Uploads are forgotten when they break. */
  forgetUploads?: boolean;
  /** Where uploads are said to go. */
  uploadLocation?: string;
  noMount?: boolean;
  nextPage?: string;
  /** What /v1/search answers; without it there is no such thing. */
  searchAnswer?: unknown;
}

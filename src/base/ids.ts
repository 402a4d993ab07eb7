/**
 * Branded strings: a value of one kind cannot be passed where another is wanted.
 * Only the parsers of untrusted text and the few generators here make them.
 */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** 64 lower-case hexadecimal characters, as Docker's. */
export type ContainerId = Brand<string, "ContainerId">;
/** An absolute path on the host. */
export type HostPath = Brand<string, "HostPath">;
/** An absolute path as a program inside the container would say it; meaningless on the host. */
export type RootfsPath = Brand<string, "RootfsPath">;

/** A new random 64-digit hexadecimal id. By the global crypto: loading node:crypto costs a millisecond. */
export function createId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}

/** The 12 characters by which people know a container or image. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}

import type { HealthRequest } from "../request.ts";

/** What a start needs of an image: its layers as directories, and its config. */
export interface RunnableImage {
  /** Image id ("sha256:…"), or "" for a root directory and the built-in image. */
  readonly id: string;
  /** As the person wrote it. */
  readonly reference: string;
  /** Uppermost first. */
  readonly lowers: readonly string[];
  readonly chainIds: readonly string[];
  /** A directory to be used as it is, without an overlay. */
  readonly writableRoot?: string;
  readonly config: RunnableConfig;
}

export interface RunnableConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly workdir: string;
  readonly user: string;
  readonly volumes: readonly string[];
  /** "80/tcp". */
  readonly exposedPorts: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal?: string;
  readonly health?: HealthRequest;
}

export function emptyConfig(): RunnableConfig {
  return { entrypoint: [], cmd: [], env: [], workdir: "", user: "", volumes: [], exposedPorts: [], labels: {} };
}

/** The built-in image: this machine's own root directory under a layer that is thrown away. */
export function hostImage(reference: string): RunnableImage {
  return { id: "", reference, lowers: ["/"], chainIds: [], config: { ...emptyConfig(), cmd: ["sh"] } };
}

/** A directory in place of an image: beneath an overlay unless the person said it may be written to. */
export function directoryImage(rootfs: { readonly path: string; readonly writable: boolean }): RunnableImage {
  return {
    id: "", reference: rootfs.path, lowers: [rootfs.path], chainIds: [], config: emptyConfig(),
    ...(rootfs.writable ? { writableRoot: rootfs.path } : {}),
  };
}

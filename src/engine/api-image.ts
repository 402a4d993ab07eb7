/** Images as the engine tells of them. */
export interface ImageSummary {
  /** "sha256:…" of the image config. */
  readonly id: string;
  /** As people write them, short: "alpine:3". Empty for a dangling image. */
  readonly tags: readonly string[];
  /** "alpine@sha256:…". */
  readonly digests: readonly string[];
  readonly createdAtMs: number;
  readonly sizeBytes: number;
  /** -1 where it was not worked out. */
  readonly sharedBytes: number;
  /** -1 where it was not counted. */
  readonly containers: number;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ImageConfigDetails {
  User: string;
  ExposedPorts: Record<string, Record<string, never>> | undefined;
  Env: string[];
  Cmd: string[] | null;
  Entrypoint: string[] | null;
  Volumes: Record<string, Record<string, never>> | undefined;
  WorkingDir: string;
  Labels: Record<string, string> | null;
  StopSignal: string | undefined;
  Healthcheck: { Test?: string[]; Interval?: number; Timeout?: number; StartPeriod?: number; Retries?: number } | undefined;
  Shell: string[] | undefined;
}

/** The shape of `docker image inspect`. */
export interface ImageDetails {
  Id: string;
  RepoTags: string[];
  RepoDigests: string[];
  Comment: string;
  Created: string;
  Author: string;
  Config: ImageConfigDetails;
  Architecture: string;
  Variant: string | undefined;
  Os: string;
  Size: number;
  GraphDriver: { Name: string; Data: Record<string, string> };
  RootFS: { Type: "layers"; Layers: string[] };
  Metadata: { LastTagTime: string };
}

export interface ImageRemoval {
  readonly untagged?: string | undefined;
  readonly deleted?: string | undefined;
}

export interface HistoryEntry {
  /** "<missing>" where no image of ours has this layer on top. */
  readonly id: string;
  readonly createdAtMs: number;
  readonly createdBy: string;
  readonly sizeBytes: number;
  readonly comment: string;
}

export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly official: boolean;
}

import type { HealthcheckDetails } from "./api-container.ts";

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

/** An image's defaults in the shape of a container's config, of which only the image's own fields have a meaning. */
export interface ImageConfigDetails {
  Hostname: string;
  Domainname: string;
  User: string;
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  ExposedPorts: Record<string, Record<string, never>> | undefined;
  Tty: boolean;
  OpenStdin: boolean;
  StdinOnce: boolean;
  Env: string[] | null;
  Cmd: string[] | null;
  Healthcheck: HealthcheckDetails | undefined;
  ArgsEscaped: boolean | undefined;
  Image: string;
  Volumes: Record<string, Record<string, never>> | null;
  WorkingDir: string;
  Entrypoint: string[] | null;
  OnBuild: string[] | null;
  Labels: Record<string, string> | null;
  StopSignal: string | undefined;
  StopTimeout: number | undefined;
  Shell: string[] | undefined;
}

/** The shape of `docker image inspect`. */
export interface ImageDetails {
  Id: string;
  RepoTags: string[];
  RepoDigests: string[];
  /** Docker's, of images that it has built itself: always empty. */
  Parent: string;
  Comment: string;
  Created: string;
  /** Of the Docker that built it, where it says so. */
  DockerVersion: string;
  Author: string;
  Config: ImageConfigDetails;
  Architecture: string;
  Variant: string | undefined;
  Os: string;
  Size: number;
  /** As `Size`; the name that Docker had for it before version 25. */
  VirtualSize: number;
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

export interface LoginRequest {
  readonly server: string;
  readonly username: string;
  readonly password: string;
}

export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly official: boolean;
}

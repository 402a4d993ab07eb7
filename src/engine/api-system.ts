/** The engine as a whole: what it stores, what happens in it, what the host can do. */
import type { ContainerSummary } from "./api-container.ts";
import type { ImageSummary } from "./api-image.ts";
import type { VolumeDetails } from "./api-network.ts";

/** The shape of `docker info`, as far as it means something without a daemon. */
export interface SystemInfo {
  ID: string;
  Name: string;
  ServerVersion: string;
  Containers: number;
  ContainersRunning: number;
  ContainersPaused: number;
  ContainersStopped: number;
  Images: number;
  Driver: string;
  DockerRootDir: string;
  Plugins: { Volume: string[]; Network: string[]; Log: string[] };
  CgroupDriver: string;
  /** "1", "2" or "hybrid". */
  CgroupVersion: string;
  KernelVersion: string;
  OperatingSystem: string;
  OSType: string;
  Architecture: string;
  NCPU: number;
  MemTotal: number;
  SecurityOptions: string[];
  LoggingDriver: string;
  HttpProxy: string;
  HttpsProxy: string;
  NoProxy: string;
  Warnings: string[];
}

export interface VolumeUsage extends VolumeDetails {
  /** Containers that use it. */
  UsageCount: number;
  UsageBytes: number;
}

/** What the store holds, in bytes of disk. */
export interface DiskUsage {
  readonly images: readonly ImageSummary[];
  /** Every layer once, however many images share it, unpacked and as it came. */
  readonly layersBytes: number;
  readonly containers: readonly ContainerSummary[];
  readonly volumes: readonly VolumeUsage[];
}

/** Docker's event message. */
export interface EngineEvent {
  Type: "container" | "image" | "network" | "volume";
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: "local";
  /** Seconds since the epoch. */
  time: number;
  /** Nanoseconds since the epoch. */
  timeNano: bigint;
}

export interface HostCheck {
  readonly name: string;
  readonly verdict: "ok" | "missing" | "degraded";
  readonly detail: string;
  /** What to do about it. */
  readonly remedy?: string | undefined;
}

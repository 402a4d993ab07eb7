import type { ContainerId } from "../../base/ids.ts";
import type { RunRequest } from "../request.ts";
import type { RunnableImage } from "./image.ts";

/** What is kept of a container from its creation on: enough to start it again. */
export interface StoredConfig {
  readonly id: ContainerId;
  readonly name: string;
  readonly request: RunRequest;
  readonly image: RunnableImage;
  readonly hostname: string;
  /** Every mount that was asked for or that the image declares, with volumes by name. */
  readonly mounts: readonly StoredMount[];
  readonly createdMs: number;
  /** `network disconnect` has taken it off every network that it was on: `request.networks` is none, and any may be connected. */
  readonly disconnected?: true;
}

export interface StoredMount {
  readonly type: "bind" | "volume" | "tmpfs";
  /** Host path: of the bind's source, or of the volume's data. "" for tmpfs. */
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
  readonly propagation: string;
  readonly recursive: boolean;
  /** The volume's name. */
  readonly volume?: string;
  /** tmpfs: options for the filesystem and the mount. */
  readonly options: readonly string[];
  /** The source is not a directory. */
  readonly isFile: boolean;
  /** Volume: what is mounted is this path beneath the source, opened so that no link leads out of it. */
  readonly subpath?: string;
  /** Volume: nothing is copied into it from the image. */
  readonly nocopy?: boolean;
  /** Volume: no directory but memory, with `options`. */
  readonly filesystem?: "tmpfs";
}

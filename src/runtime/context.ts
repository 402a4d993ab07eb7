import type { Call, Plan, Block } from "../plan/index.ts";
import type { Line } from "../plan/index.ts";
import type { Mount, RuntimeConfig } from "../oci/index.ts";
import type { HostFacts, Launch } from "./launch.ts";

/**
 * Trees of the host that go into the container, as copies that are attached nowhere yet. A container in a user or mount
 * namespace that is not its parent's cannot reach the host's paths: for it the outer side takes them before the clone.
 */
export interface HostTrees {
  /** Of bind mounts, and of new filesystems that were made early. */
  readonly mounts: ReadonlyMap<Mount, Call>;
  /** The root filesystem, where it is a directory of the host. */
  readonly root: Call | undefined;
  /** Device nodes by path, where the inside is not allowed to make them. */
  readonly devices?: ReadonlyMap<string, Call>;
}

/** What the stages of the compiler share while they add to one plan. */
export interface Context {
  readonly launch: Launch;
  readonly config: RuntimeConfig;
  readonly host: HostFacts;
  readonly plan: Plan;
  /** The side that stays on the host. */
  readonly outer: Line;
  /** The side that becomes the container. */
  readonly inner: Line;
  /** The container's name, quoted, for messages: `in container "web"`. */
  readonly where: string;
  /** Taken by the outer side; undefined where the inner side takes them itself. */
  readonly trees?: HostTrees;
}

/** An argument that names a descriptor: a call's result or half of a pipe. */
export type Fd = Call | { readonly load32: Block; readonly offset: number } | number;

export interface Pipe {
  readonly read: Fd;
  readonly write: Fd;
}

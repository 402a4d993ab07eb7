import type { Call, Plan, Block } from "../plan/index.ts";
import type { Line } from "../plan/index.ts";
import type { RuntimeConfig } from "../oci/index.ts";
import type { HostFacts, Launch } from "./launch.ts";

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
}

/** An argument that names a descriptor: a call's result or half of a pipe. */
export type Fd = Call | { readonly load32: Block; readonly offset: number } | number;

export interface Pipe {
  readonly read: Fd;
  readonly write: Fd;
}

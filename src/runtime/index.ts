/**
 * From an OCI runtime config and the facts of this host to a plan.
 *
 * Vocabulary: a *launch* is all that one start needs (config, host facts, root source, cgroup plan, filter, network
 * batches, monitor); the *inner* side of its plan becomes the container's first process, the *outer* side stays on
 * the host and becomes its monitor.
 *
 * Invariants: `compile` does no I/O and decides everything; whatever is not in the plan does not happen. Everything is
 * private before anything is mounted; every target is resolved inside the root and mounted on by descriptor.
 */
export { compile } from "./compile.ts";
export type { CopiedFile } from "./copy-up.ts";
export type {
  AttachedStreams, HealthPlan, HeldSocket, HostFacts, Launch, MonitorPlan, NetlinkBatch, NetworkDevicePlan, NetworkPlan, RootSource,
} from "./launch.ts";

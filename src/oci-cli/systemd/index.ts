/**
 * The systemd cgroup driver: a container's groups are those of a transient scope, so that systemd, which takes all of the tree for
 * its own, leaves them alone, counts them, and stops them with their slice.
 *
 * Invariants: systemd makes and removes the scope; what it has words for is told to it as well as written; nothing of this is
 * loaded without `--systemd-cgroup`.
 */
export { requireSystemd, startScope, stopScope, updateScope } from "./scope.ts";
export { expandSlice, unitOf } from "./unit-name.ts";
export type { Unit } from "./unit-name.ts";

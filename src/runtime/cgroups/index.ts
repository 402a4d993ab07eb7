/**
 * Control groups: what limits a container and what counts for it.
 *
 * Vocabulary: a *hierarchy* is one mounted tree of groups; v1 has one per controller or set of controllers, v2 (the
 * *unified* hierarchy) has one for all. A *leaf* is a container's own group in a hierarchy. On hybrid hosts both versions
 * are mounted, and each controller belongs to one of them.
 *
 * This door is the half that every start needs: host facts and OCI resources in, a plan of directories and writes out.
 * It does no I/O but `readCgroupHost` and the reader that is passed in. What touches living groups (stats, freeze, kill,
 * remove, update) is behind `operations.ts`, to be imported when needed.
 *
 * Invariants: a limit that cannot be enforced is an error, never dropped. A leaf belongs to one container. Groups are
 * removed by rmdir of empty directories, never by deleting files. No other group's settings are changed, but
 * cgroup.subtree_control and empty cpuset files of the parents.
 */
export type * from "./types.ts";
export { readCgroupHost, readText } from "./files.ts";
export { parseCgroupHost } from "./host.ts";
export { compileCgroup, joinBeside, joinOf } from "./compile.ts";
export { cgroupWriteFailure, moveOutHint } from "./failure.ts";
export { defaultDeviceRules, devicePolicy } from "./device-rules.ts";
export { cpuQuota, formatCpuList, parseCpuList, sharesFromWeight, swapTotal, weightFromShares } from "./convert.ts";
export { validateResources } from "./validate.ts";
export type { ResourceFacts } from "./validate.ts";

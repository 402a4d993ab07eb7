/**
 * What is done to groups that exist: the half of the cgroups room that does I/O, off the start path.
 *
 * Every function takes the groups explicitly, as the plan gave them (`CgroupPaths`). Groups that are gone count as empty.
 */
export { readStats, oomKilled } from "./stats.ts";
export type { CgroupStats } from "./stats.ts";
export { freeze, isFrozen, thaw } from "./freeze.ts";
export { isPopulated, killAll, listPids, unthrottle } from "./kill.ts";
export { removeCgroup } from "./remove.ts";
export { applyUpdate, compileUpdate } from "./update.ts";
export { applyPlan, performWrite, readBack } from "./apply.ts";

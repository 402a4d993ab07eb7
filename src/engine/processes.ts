/** Which process is which: shared with the OCI runtime's command line, which has no engine. */
export { isAlive, openProcess, parseStat, processAt, readIfThere } from "../runtime/processes.ts";
export type { ProcessRef } from "../runtime/processes.ts";

/**
 * The commands: one file each, in the folder of what it acts on, exporting `command`; `table.ts` names them, and loads them on demand.
 *
 * A command parses nothing of its own but what joins flags together, calls the engine once or once per name, and prints. Docker's
 * sentences and exit codes; several names mean that each is tried, each failure told, and exit code 1 if there was one.
 */
export { commandTable } from "./table.ts";
export type { CommandEntry } from "./table.ts";

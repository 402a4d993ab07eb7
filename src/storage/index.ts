/**
 * Storage: what stays when every process has ended. Each part has a door of its own, and is imported from there:
 *
 * - `state/`: the records, in SQLite.
 * - `layers/`: image layers, unpacked on disk; `tar/` and `compression/` read and write what they come as.
 *
 * Only what starting a container needs is passed on here: whoever imports this door loads all of it.
 */
export { openState, type StateStore } from "./state/index.ts";

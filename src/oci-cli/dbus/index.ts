/**
 * D-Bus, as much of it as a runtime needs that asks systemd for a unit: values to bytes and back, calls, signals.
 *
 * Our own, since what there is for JavaScript is either no longer kept or brings packages for XML and event streams with it, and
 * three methods of one service are called here. Invariant: bytes from a peer, however wrong, are an error, never a loop or a
 * read beyond the end.
 */
export { Connection, DbusError } from "./connection.ts";
export type { CallTarget } from "./connection.ts";
export { decodeMessage, encodeMessage, messageLength } from "./message.ts";
export { Reader, splitSignature, Writer } from "./wire.ts";
export type { Variant } from "./wire.ts";

/**
 * rtnetlink(7) in TypeScript: values to bytes and back, no I/O.
 *
 * A *batch* is several requests for one NETLINK_ROUTE socket, sent at once; a *patch* is a place in it where the
 * executor writes a number that is known only then; a *view* is what the kernel told, as a value.
 *
 * Invariants: every message of a batch asks for an acknowledgement; what a writer here has encoded, the decoder
 * here reads back as the same value; no bytes, however wrong, make the decoder read out of bounds or loop.
 */
export * from "./address.ts";
export * from "./batch.ts";
export * from "./decode.ts";
export * from "./dump.ts";
export * from "./link.ts";
export * from "./move.ts";
export * from "./views.ts";

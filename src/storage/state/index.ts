/**
 * State: what Sampan remembers, in one SQLite file that every process of it opens for itself.
 *
 * Vocabulary: a *record* is a row as a value; to *reserve* is to take a name and all that goes with it before anything is
 * made; a *resource* is a thing of the kernel's that somebody has to remove; a *lease* keeps something for an owner who
 * may die; the *revision* of a container rises with each change, so that a change can be made conditional on it.
 *
 * Invariants: every write is in a transaction that began as one (BEGIN IMMEDIATE), so that nobody is ever told that the
 * database is locked. A file under the right name is complete. What the kernel is to hold is recorded before it is made.
 * A pid means nothing without its start time and boot. Opening costs half a millisecond, closing must not be forgotten.
 *
 * Lifecycle: `openState` → `reserveRun` (status "creating") → `containers.transition` to "running" → `finishRun`.
 */
export { openState } from "./open.ts";
export { copyState } from "./copy.ts";
export type { StateStore } from "./store.ts";
export type { TransactionOptions } from "./database.ts";
export { reserveRun, finishRun, forgetContainer, type Reservation, type Ending } from "./lifecycle.ts";
export { isResourceName, type ContainerFilter, type Transition, type TransitionOptions } from "./containers.ts";
export type { ContainerFields, ContainerRecord, ContainerStatus, NewContainer } from "./container-record.ts";
export type { LabelFilter } from "./json.ts";
export type { ExecRecord, NewExec } from "./execs.ts";
export type { Resource, ResourceKind, ResourceRecord } from "./resources.ts";
export type { ImageRecord, TagRecord } from "./images.ts";
export type { LayerRecord, Lease } from "./layers.ts";
export type { AddressLedger, NetworkFilter, NetworkRecord } from "./networks.ts";
export type { EndpointRecord, MemberRecord } from "./endpoints.ts";
export { withLock } from "./lock.ts";
export type { PortLease } from "./ports.ts";
export type { VolumeFilter, VolumeRecord } from "./volumes.ts";
export type { EventQuery, EventRecord, NewEvent } from "./events.ts";
export { followEvents, type FollowOptions } from "./follow.ts";

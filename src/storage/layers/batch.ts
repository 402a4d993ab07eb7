import { SampanError } from "../../base/index.ts";
import { errnoName, errnoText } from "../../linux/errno.ts";
import { BulkPart } from "../../plan/bulk.ts";
import { fromBytes } from "../tar/index.ts";
import type { LayerOp } from "./sink.ts";

/** What went into one part, to find the op of a call that failed. */
export interface Batch {
  readonly part: BulkPart;
  /** Without data, which may not be kept. */
  readonly ops: (LayerOp | { readonly op: "write" })[];
  /** Number of the first call of each op. */
  readonly starts: number[];
  /** File that is open when the part begins. */
  file: string;
}

/** Batches of sinks that have ended, for the ones that begin while others are still open: fresh memory has to be mapped and cleared first. */
const spares: Batch[] = [];
let openSinks = 0;

/** The two batches of one sink: while keel works on one the other is filled. */
export class BatchPair {
  readonly first = spares.pop() ?? emptyBatch();
  readonly second = spares.pop() ?? emptyBatch();
  #isHeld = true;

  constructor() {
    openSinks++;
  }

  /** False once they may be another sink's. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Gives them up. False when that was done already. */
  release(): boolean {
    if (!this.#isHeld) return false;
    this.#isHeld = false;
    openSinks--;
    for (const batch of [this.first, this.second]) {
      clearBatch(batch);
      spares.push(batch);
    }
    if (openSinks === 0) spares.length = 0;
    return true;
  }
}

export function clearBatch(batch: Batch): void {
  batch.part.clear();
  batch.ops.length = 0;
  batch.starts.length = 0;
}

function emptyBatch(): Batch {
  return { part: new BulkPart(), ops: [], starts: [], file: "" };
}

/** The failure of call number `index`: of which op, on which file. */
export function failureOf(batch: Batch, index: number | undefined, errno: number): SampanError {
  const at = batch.starts.findLastIndex((start) => start <= (index ?? -1));
  const op = batch.ops[at];
  const opened = batch.ops.slice(0, at + 1).findLast((earlier) => earlier.op === "create" || earlier.op === "open");
  const name = op !== undefined && "name" in op && op.op !== "fsetxattr"
    ? op.name
    : op !== undefined && "path" in op ? op.path
    : opened !== undefined && "name" in opened ? opened.name
    : batch.file;
  // A file takes less than it is given only where there is no more room (write(2)): keel expected all of it, and says EPROTO.
  const isShort = op?.op === "write" && errnoName(errno) === "EPROTO";
  const code = isShort ? "ENOSPC" : errnoName(errno);
  return entryError(name, op?.op ?? "keel", code, isShort ? "no space left on device" : errnoText(errno));
}

/** `name` is a byte string. */
export function entryError(name: string, call: string, code: string, reason: string): SampanError {
  const isSpace = code === "ENOSPC" || code === "EDQUOT";
  return new SampanError(isSpace
    ? "unavailable"
    : "internal", `Cannot unpack layer entry "${fromBytes(name as Parameters<typeof fromBytes>[0]).slice(0, 200)}": ${call}: ${reason} (${code})`, {
    code,
    ...(isSpace ? { hint: "free some space, for instance with `sampan system prune`" } : {}),
  });
}

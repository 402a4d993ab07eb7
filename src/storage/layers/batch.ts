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

/** Batches of sinks that have ended, for those that come after them: fresh memory has to be mapped and cleared first. */
export class BatchPool {
  readonly #spares: Batch[] = [];

  take(): Batch {
    return this.#spares.pop() ?? { part: new BulkPart(), ops: [], starts: [], file: "" };
  }

  /** Nobody else may use it any more. */
  give(batch: Batch): void {
    clearBatch(batch);
    this.#spares.push(batch);
  }
}

export function clearBatch(batch: Batch): void {
  batch.part.clear();
  batch.ops.length = 0;
  batch.starts.length = 0;
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
